//! The demo's world on disk.

use std::fs;
use std::path::Path;

use super::{DemoCrl, DemoError, DemoWorld};
use crate::oci::{IndexDocument, LayoutDocument, annotation, blob_path};

impl DemoWorld {
    /// Writes the world below `directory`, which is made if need be: `registry/`, an OCI layout that stands for the
    /// vendor's registry; `config/`, the operator's configuration as Notation lays it out; `crls/` and
    /// `crls-revoked/`.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn write(&self, directory: &Path) -> Result<(), DemoError> {
        let registry = directory.join("registry");
        for (descriptor, bytes) in &self.blobs {
            write(&registry.join(blob_path(&descriptor.digest)), bytes)?;
        }
        write(&registry.join(LayoutDocument::NAME), LayoutDocument::BYTES)?;
        write(&registry.join(IndexDocument::NAME), &self.layout_index().to_bytes()?)?;
        let config = directory.join("config");
        for (path, bytes) in &self.trust_store {
            write(&config.join("truststore/x509").join(path), bytes)?;
        }
        write(&config.join("trustpolicy.json"), &self.policy)?;
        write_crls(&directory.join("crls"), &self.crls)?;
        write_crls(&directory.join("crls-revoked"), &self.revoked_crls)
    }

    /// The image under its tag and its full name, and every signature, untagged (conformance 1.21).
    pub fn layout_index(&self) -> IndexDocument {
        let mut image = self.index.clone();
        if let Some(tag) = &self.reference.tag {
            image.annotations.insert(annotation::REF_NAME.to_owned(), tag.to_string());
        }
        image.annotations.insert(annotation::CONTAINERD_NAME.to_owned(), self.reference.to_string());
        let mut manifests = vec![image];
        manifests.extend(self.signatures.iter().cloned());
        IndexDocument::new(manifests)
    }
}

fn write_crls(directory: &Path, crls: &[DemoCrl]) -> Result<(), DemoError> {
    crls.iter().try_for_each(|crl| write(&directory.join(crl.file_name()), &crl.der))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DemoError> {
    let failed = |source| DemoError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}
