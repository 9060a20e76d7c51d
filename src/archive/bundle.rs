//! From an inventory to a bundle: what follows from it, and the writer that holds to it.

use std::collections::{HashMap, HashSet};
use std::io::{Seek, Write};

use serde::Serialize;

use super::check::{EMPTY_CONFIG, KNOWN_FEATURES, check_size, empty_config};
use super::entry::EntryName;
use super::inventory::{BlobRecord, BundleInventory, RootRecord};
use super::inventory_error::InventoryError;
use super::writer::{Compression, EntryWriter, Writer};
use super::{ArchiveError, DOCKER_MANIFEST, DockerManifest, DockerManifestError, Seal, names};
use crate::digest::Digest;
use crate::json;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, MediaType, Tag, annotation};
use crate::store::{RawContent, StoreError, copy_to};

/// What people who read `index.json` see beside the bundle manifest.
const TITLE: &str = "org.opencontainers.image.title";

/// The bundle manifest and the inventory in it, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleManifest {
    /// The bundle manifest's descriptor.
    pub descriptor: Descriptor,
    /// The bundle manifest.
    pub bytes: Vec<u8>,
    /// The inventory's descriptor: the bundle manifest's only layer.
    pub inventory_descriptor: Descriptor,
    /// The inventory.
    pub inventory: Vec<u8>,
}

/// The members of an OCI image manifest that a bundle manifest has, in the order in which it has them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument<'a> {
    schema_version: u32,
    media_type: &'a str,
    artifact_type: &'a str,
    config: Descriptor,
    layers: [&'a Descriptor; 1],
}

impl BundleManifest {
    /// The bundle manifest of an inventory in canonical form: an OCI image manifest with the empty configuration and one
    /// layer, the inventory.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub(crate) fn of(inventory: Vec<u8>) -> Result<Self, InventoryError> {
        let inventory_descriptor = Descriptor::of(names::BUNDLE, &inventory);
        let document = ManifestDocument {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST,
            artifact_type: names::BUNDLE,
            config: empty_config(),
            layers: [&inventory_descriptor],
        };
        let bytes = json::to_vec(&document).map_err(|error| InventoryError::Malformed { reason: error.to_string() })?;
        let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
        Ok(Self { descriptor, bytes, inventory_descriptor, inventory })
    }
}

impl BundleInventory {
    /// Reads an inventory and checks it.
    ///
    /// # Errors
    /// Malformed, of an unknown version or feature, contradicting itself, or not in canonical form: what it says,
    /// written again, must give the same bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, InventoryError> {
        /// Enough to tell a newer bundle from a broken one: what a newer one holds besides is not known here.
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Header {
            schema_version: u32,
            #[serde(default)]
            features: Vec<String>,
        }
        let malformed = |error: json::JsonError| InventoryError::Malformed { reason: error.to_string() };
        let document = json::Checked::new(bytes).map_err(malformed)?;
        let header: Header = document.parse().map_err(malformed)?;
        if header.schema_version != 1 {
            return Err(InventoryError::SchemaVersion { found: header.schema_version });
        }
        if let Some(name) = header.features.iter().find(|name| !KNOWN_FEATURES.contains(&name.as_str())) {
            return Err(InventoryError::Feature { name: crate::digest::shorten(name) });
        }
        let inventory: Self = document.parse().map_err(malformed)?;
        inventory.validate()?;
        match json::is_written_as(&inventory, bytes).map_err(malformed)? {
            true => Ok(inventory),
            false => Err(InventoryError::NotCanonical),
        }
    }

    /// The inventory's bytes.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, InventoryError> {
        json::to_vec(self).map_err(|error| InventoryError::Malformed { reason: error.to_string() })
    }

    /// The same inventory, of a bundle with this `manifest.json`.
    #[must_use]
    pub fn with_docker_manifest(mut self, manifest: &DockerManifest) -> Self {
        self.features.push(DOCKER_MANIFEST.into());
        self.features.sort();
        self.features.dedup();
        self.docker_manifest = Some(manifest.record());
        self
    }

    /// The bundle manifest of this inventory.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn bundle_manifest(&self) -> Result<BundleManifest, InventoryError> {
        BundleManifest::of(self.to_bytes()?)
    }

    /// `index.json`, which says nothing that the inventory does not say: the roots with their names; the referrers,
    /// so that tools which look for them there find them (Notary conformance 1.21); the evidence manifests; the bundle
    /// manifest. Each manifest is listed once for each name it has, or once without.
    pub fn index(&self, bundle_manifest: &Descriptor) -> IndexDocument {
        let evidence: HashSet<Digest> = self
            .signatures
            .iter()
            .filter_map(|signature| signature.evidence)
            .chain(self.evidence_referrers())
            .collect();
        let mut tags: HashMap<&Tag, usize> = HashMap::new();
        for tag in self.roots.iter().filter_map(|root| root.reference.tag.as_ref()) {
            let count = tags.entry(tag).or_default();
            *count = count.saturating_add(1);
        }
        let unique = |tag: &Tag| tags.get(tag) == Some(&1);
        let mut manifests: Vec<_> = self.roots.iter().map(|root| root.entry(unique)).collect();
        let mut listed: HashSet<(Digest, Option<&Tag>)> = self.roots.iter().map(|root| (root.digest, None)).collect();
        for referrer in self.referrers.iter().filter(|referrer| !evidence.contains(&referrer.digest)) {
            if !listed.insert((referrer.digest, referrer.tag.as_ref())) {
                continue;
            }
            let mut entry = Descriptor::new(referrer.media_type.clone(), referrer.digest, referrer.size);
            entry.artifact_type = referrer.artifact_type.clone();
            if let Some(tag) = &referrer.tag {
                entry.annotations.insert(annotation::REF_NAME.into(), tag.to_string());
            }
            manifests.push(entry);
        }
        // Evidence manifests are manifests, and these are in order.
        for blob in self.blobs.iter().filter(|blob| evidence.contains(&blob.digest)) {
            let artifact_type = Some(names::EVIDENCE.into());
            manifests.push(Descriptor { artifact_type, ..blob.descriptor() });
        }
        let mut entry = Descriptor { artifact_type: Some(names::BUNDLE.into()), ..bundle_manifest.bare() };
        entry.annotations.insert(TITLE.into(), names::BUNDLE_TITLE.into());
        manifests.push(entry);
        IndexDocument::new(manifests)
    }

    fn evidence_referrers(&self) -> impl Iterator<Item = Digest> {
        let is_evidence = |kind: &MediaType| *kind == names::EVIDENCE;
        self.referrers
            .iter()
            .filter(move |referrer| referrer.artifact_type.as_ref().is_some_and(is_evidence))
            .map(|referrer| referrer.digest)
    }
}

impl RootRecord {
    /// The entry in `index.json`. The short name is the tag where it is unique in the bundle, else the full reference;
    /// containerd reads the full name from an annotation of its own.
    fn entry(&self, unique: impl Fn(&Tag) -> bool) -> Descriptor {
        let mut entry = Descriptor::new(self.media_type.clone(), self.digest, self.size);
        let short = match &self.reference.tag {
            Some(tag) if unique(tag) => tag.to_string(),
            _ => self.reference.to_string(),
        };
        entry.annotations.insert(annotation::REF_NAME.into(), short);
        if let Some(full) = self.reference.tagged() {
            entry.annotations.insert(annotation::CONTAINERD_NAME.into(), full);
        }
        entry
    }
}

/// Writes a bundle: what follows from the inventory first, then exactly its blobs, in its order.
///
/// The content of the empty configuration (`{}`) need not be supplied: where it is not, the writer puts it in its
/// place itself.
pub struct BundleWriter<W: Write> {
    archive: Writer<W>,
    /// Blobs of the inventory that were written with the seal, and do not come again.
    early: HashSet<Digest>,
    blobs: std::vec::IntoIter<BlobRecord>,
}

/// What a bundle may have beside what its inventory lists as blobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Companions<'a> {
    /// A seal on its bundle manifest.
    pub seal: Option<&'a Seal>,
    /// The `manifest.json` that its inventory announces.
    pub docker_manifest: Option<&'a DockerManifest>,
}

impl Companions<'_> {
    /// What the inventory announces, and nothing else, must be at hand.
    fn check(&self, inventory: &BundleInventory) -> Result<(), DockerManifestError> {
        match (&inventory.docker_manifest, self.docker_manifest) {
            (None, None) => Ok(()),
            (Some(record), Some(manifest)) => record.check_derived(manifest),
            _ => Err(DockerManifestError::Missing),
        }
    }
}

impl<W: Write> BundleWriter<W> {
    /// Begins a bundle of this inventory.
    ///
    /// # Errors
    /// The inventory is not valid (see [`BundleInventory::validate`]), or the output does not take it.
    pub fn new(out: W, inventory: &BundleInventory, compression: Compression) -> Result<Self, ArchiveError> {
        Self::with(out, inventory, Companions::default(), compression)
    }

    /// Begins a sealed bundle. What the seal brings along stands behind the bundle manifest; a blob that the inventory
    /// lists too stands there only.
    ///
    /// # Errors
    /// As [`BundleWriter::new`], or the seal is on something else.
    pub fn sealed(
        out: W,
        inventory: &BundleInventory,
        seal: &Seal,
        compression: Compression,
    ) -> Result<Self, ArchiveError> {
        Self::with(out, inventory, Companions { seal: Some(seal), ..Companions::default() }, compression)
    }

    /// Begins a bundle with all that it has beside its blobs. `manifest.json` stands behind the inventory, which says what
    /// it is.
    ///
    /// # Errors
    /// As [`BundleWriter::sealed`], or `manifest.json` is not the one that the inventory announces.
    pub fn with(
        out: W,
        inventory: &BundleInventory,
        companions: Companions<'_>,
        compression: Compression,
    ) -> Result<Self, ArchiveError> {
        inventory.validate()?;
        companions.check(inventory)?;
        let Companions { seal, docker_manifest } = companions;
        let manifest = inventory.bundle_manifest()?;
        check_size(&manifest.inventory)?;
        let index = inventory.index(&manifest.descriptor);
        let index = match seal.map(Seal::members) {
            Some(seal) if *seal.bundle() == manifest.descriptor => seal.list_in(index),
            Some(_) => return Err(ArchiveError::BundleManifest { reason: "the seal is on another" }),
            None => index,
        };
        let index = index.to_bytes().map_err(|error| InventoryError::Malformed { reason: error.to_string() })?;
        let mut archive = Writer::new(out, compression)?;
        archive.put(EntryName::Layout, LayoutDocument::BYTES)?;
        archive.put(EntryName::Index, &index)?;
        archive.put(EntryName::Blob(manifest.descriptor.digest), &manifest.bytes)?;
        let mut early = HashSet::new();
        for (digest, bytes) in seal.into_iter().flat_map(Seal::contents) {
            archive.put(EntryName::Blob(digest), bytes)?;
            early.insert(digest);
        }
        archive.put(EntryName::Blob(manifest.inventory_descriptor.digest), &manifest.inventory)?;
        if let Some(document) = docker_manifest {
            archive.put(EntryName::DockerManifest, document.bytes())?;
        }
        let blobs: Vec<_> = inventory.blobs.iter().filter(|blob| !early.contains(&blob.digest)).cloned().collect();
        Ok(Self { archive, early, blobs: blobs.into_iter() })
    }

    /// Whether a blob was written with the seal already, and must not come again.
    pub fn is_early(&self, digest: &Digest) -> bool {
        self.early.contains(digest)
    }

    /// The blob that must come next; `None` when all were written.
    pub fn next_blob(&self) -> Option<&BlobRecord> {
        self.blobs.as_slice().first()
    }

    /// Begins the next blob, which must be `digest`. The caller checks what it writes: see [`BundleWriter::copy`].
    ///
    /// # Errors
    /// Another blob is due, or the output does not take it.
    pub fn blob(&mut self, digest: &Digest) -> Result<EntryWriter<'_, W>, ArchiveError> {
        let empty = empty_config().digest;
        if *digest != empty && self.next_blob().is_some_and(|blob| blob.digest == empty) {
            self.put_empty()?;
        }
        let expected = self.next_blob().map(|blob| (blob.digest, blob.size));
        match expected {
            Some((due, size)) if due == *digest => {
                self.blobs.next();
                self.archive.entry(EntryName::Blob(*digest), size)
            }
            other => Err(ArchiveError::BlobOrder { expected: other.map(|(due, _)| due), found: *digest }),
        }
    }

    fn put_empty(&mut self) -> Result<(), ArchiveError> {
        self.blobs.next();
        self.archive.put(EntryName::Blob(empty_config().digest), EMPTY_CONFIG)
    }

    /// Copies the next blob, which must be `descriptor`'s, checking size and digest.
    ///
    /// # Errors
    /// Another blob is due, the content is not what the descriptor says, or the output does not take it.
    pub fn copy(&mut self, descriptor: &Descriptor, content: RawContent) -> Result<(), StoreError> {
        let mut entry = self.blob(&descriptor.digest).map_err(StoreError::from_diagnostic)?;
        copy_to(content, descriptor, &mut entry)?;
        entry.finish().map_err(StoreError::from_diagnostic)
    }

    /// Leaves room for the next blob, which must be `digest`, and says where: for an output that takes the content of
    /// several at once.
    ///
    /// # Errors
    /// Another blob is due, the archive is compressed, or the output does not take it.
    pub fn leave(&mut self, digest: &Digest) -> Result<u64, ArchiveError>
    where
        W: Seek,
    {
        self.blob(digest)?.leave()
    }

    /// Ends the bundle and hands the output back, flushed.
    ///
    /// # Errors
    /// A blob of the inventory was not written, or the output does not take the end.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        if self.next_blob().is_some_and(|blob| blob.digest == empty_config().digest) {
            self.put_empty()?;
        }
        match self.blobs.next() {
            Some(blob) => Err(ArchiveError::BlobMissing { digest: blob.digest }),
            None => self.archive.finish(),
        }
    }
}
