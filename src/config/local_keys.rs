//! Test keys in the configuration directory: `localkeys/NAME.key` and `localkeys/NAME.crt` (conformance 13.07).

use std::path::{Path, PathBuf};

use super::ConfigDirectory;
use super::write::{self, Readers, WriteError};

/// The two files of one test key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalKeyFiles {
    /// The private key, PEM, for its owner alone (mode 0600).
    pub key: PathBuf,
    /// Its certificate, PEM, for everybody (mode 0644).
    pub certificate: PathBuf,
}

impl LocalKeyFiles {
    /// The files of the key of that name, whether or not they are there. The name is one that a trust store may have, so
    /// it leads nowhere else.
    pub fn of(directory: &ConfigDirectory, name: &crate::trust::TrustStoreName) -> Self {
        let folder = directory.path().join("localkeys");
        let path = |ending: &str| folder.join(format!("{}.{ending}", name.name()));
        Self { key: path("key"), certificate: path("crt") }
    }

    /// The first of them that is there.
    pub fn existing(&self) -> Option<&Path> {
        [&self.key, &self.certificate].into_iter().find(|path| path.symlink_metadata().is_ok()).map(PathBuf::as_path)
    }

    /// Writes both.
    ///
    /// # Errors
    /// One of them is there already, or cannot be written.
    pub fn create(&self, key: &[u8], certificate: &[u8]) -> Result<(), WriteError> {
        write::create(&self.key, key, Readers::Owner)?;
        write::create(&self.certificate, certificate, Readers::Everyone)
    }

    /// Removes what is there; returns what was.
    ///
    /// # Errors
    /// One cannot be removed.
    pub fn remove(&self) -> Result<Vec<&Path>, WriteError> {
        let mut removed = Vec::new();
        for path in [&self.key, &self.certificate] {
            if write::remove(path)? {
                removed.push(path.as_path());
            }
        }
        Ok(removed)
    }
}
