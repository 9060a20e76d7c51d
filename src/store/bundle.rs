//! A bundle, read by its rules (`schemas/bundle-v1.md`): every entry is accounted for before any content is used.

use std::collections::BTreeMap;
use std::path::Path;

use super::listing::{Graph, LazyGraph, Tags};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError, fetch};
use crate::archive::{
    Archive, ArchiveError, BlobRecord, BundleInventory, BundleManifest, EntryName, InventoryError, Strictness, names,
};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, MediaType, Target};

/// An open bundle.
#[derive(Debug)]
pub struct BundleStore {
    archive: Archive,
    limits: Limits,
    contents: Contents,
    graph: LazyGraph,
}

impl BundleStore {
    /// The bundle manifest has a fixed form of well under a kilobyte.
    pub(super) const MANIFEST_BYTES: u64 = 4 << 10;

    /// Opens a bundle: reads its headers, its index and its inventory, and holds them against each other. Content is
    /// not read.
    ///
    /// # Errors
    /// The file cannot be read, or anything in it is not as the format says.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let archive = Archive::open(path, limits, Strictness::Bundle)?;
        let index = Self::documents(&archive, limits)?;
        let (found, bytes) = Self::inventory_of(&archive, &index, limits)?;
        let contents = Contents::read(&found, &bytes, &index, limits)?;
        check_entries(&archive, &contents.inventory, &contents.manifest)?;
        Ok(Self { archive, limits: limits.clone(), contents, graph: LazyGraph::default() })
    }

    /// What the bundle says of itself, checked for consistency.
    pub fn inventory(&self) -> &BundleInventory {
        &self.contents.inventory
    }

    /// The bundle manifest, which nothing but the bundle itself vouches for.
    pub fn manifest(&self) -> &Descriptor {
        &self.contents.manifest.descriptor
    }

    /// `oci-layout`, which has one form, and the bytes of `index.json`.
    fn documents(archive: &Archive, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
        let layout = u64::try_from(LayoutDocument::BYTES.len()).unwrap_or(0);
        let missing = |name: EntryName| ArchiveError::Missing { name: name.to_string() };
        let found = archive.document(EntryName::Layout, layout)?.ok_or_else(|| missing(EntryName::Layout))?;
        check_layout(&found)?;
        archive.document(EntryName::Index, limits.index_bytes)?.ok_or_else(|| missing(EntryName::Index))
    }

    /// The bundle manifest's descriptor and the inventory's bytes, found through `index.json` and held against their
    /// digests.
    fn inventory_of(archive: &Archive, index: &[u8], limits: &Limits) -> Result<(Descriptor, Vec<u8>), StoreError> {
        let entry = listed_manifest(index)?;
        let source = Headless(archive);
        let absent = || ArchiveError::IndexMismatch { reason: "it lists a bundle manifest that is not there" };
        let bytes = fetch(&source, &entry, ContentKind::Manifest, Self::MANIFEST_BYTES)?.ok_or_else(absent)?;
        let layer = inventory_layer(&entry, bytes)?;
        let missing = ArchiveError::BlobMissing { digest: layer.digest };
        let inventory = fetch(&source, &layer, ContentKind::Blob, limits.index_bytes)?.ok_or(missing)?;
        Ok((entry.bare(), inventory))
    }

    fn graph(&self) -> Result<&Graph, StoreError> {
        self.graph.get(|| Graph::build(self, &self.contents.manifests(), &self.limits))
    }
}

/// What a bundle says of itself, checked for consistency: all that is known of it before content is read.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) inventory: BundleInventory,
    pub(super) manifest: BundleManifest,
    /// The inventory's blobs, by digest.
    blobs: BTreeMap<Digest, usize>,
    tags: Tags,
}

impl Contents {
    /// Reads an inventory, and holds the bundle manifest by which it was found and `index.json` against it.
    pub(super) fn read(
        found: &Descriptor,
        inventory: &[u8],
        index: &[u8],
        limits: &Limits,
    ) -> Result<Self, StoreError> {
        let inventory = BundleInventory::parse(inventory).map_err(ArchiveError::from)?;
        if inventory.blobs.len() > limits.blobs {
            return Err(ArchiveError::TooManyEntries { limit: limits.blobs }.into());
        }
        let manifest = inventory.bundle_manifest().map_err(ArchiveError::from)?;
        if manifest.descriptor != *found {
            return Err(ArchiveError::BundleManifest { reason: "it is not in canonical form" }.into());
        }
        check_index(&inventory, &manifest, index)?;
        let blobs = inventory.blobs.iter().enumerate().map(|(place, blob)| (blob.digest, place)).collect();
        let tags = tags(&inventory);
        Ok(Self { inventory, manifest, blobs, tags })
    }

    pub(super) fn record(&self, digest: &Digest) -> Option<&BlobRecord> {
        self.blobs.get(digest).and_then(|place| self.inventory.blobs.get(*place))
    }

    pub(super) fn manifests(&self) -> Vec<Descriptor> {
        self.inventory.blobs.iter().filter(|blob| blob.manifest).map(BlobRecord::descriptor).collect()
    }

    /// A tag may be a root's, in any repository, or a digest tag. A digest may be any manifest's that is carried.
    pub(super) fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        match target {
            Target::Digest(digest) => Ok(self.record(digest).filter(|blob| blob.manifest).map(BlobRecord::descriptor)),
            Target::Tag(tag) => self.tags.resolve(tag),
        }
    }

    pub(super) fn names(&self) -> Vec<NamedRoot> {
        let root = |root: &crate::archive::RootRecord| NamedRoot {
            descriptor: Descriptor::new(root.media_type.clone(), root.digest, root.size),
            tag: root.reference.tag.clone(),
            reference: Some(root.reference.clone()),
        };
        self.inventory.roots.iter().map(root).collect()
    }
}

/// `oci-layout` has one form.
pub(super) fn check_layout(found: &[u8]) -> Result<(), ArchiveError> {
    match found == LayoutDocument::BYTES {
        true => Ok(()),
        false => Err(ArchiveError::NotCanonical { name: EntryName::Layout.to_string() }),
    }
}

/// The one bundle manifest that `index.json` lists.
pub(super) fn listed_manifest(index: &[u8]) -> Result<Descriptor, StoreError> {
    let mismatch = |reason| ArchiveError::IndexMismatch { reason };
    let index = IndexDocument::parse(index).map_err(|_| mismatch("it is no index at all"))?;
    let ours = |entry: &Descriptor| entry.artifact_type.as_ref().is_some_and(|kind| *kind == names::BUNDLE);
    let mut listed = index.manifests.into_iter().filter(ours);
    match (listed.next(), listed.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) => Err(mismatch("it lists no bundle manifest").into()),
        _ => Err(mismatch("it lists more than one bundle manifest").into()),
    }
}

/// The tags of the roots, and cosign's digest tags.
fn tags(inventory: &BundleInventory) -> Tags {
    let mut tags = Tags::default();
    for root in &inventory.roots {
        if let Some(tag) = &root.reference.tag {
            let descriptor = Descriptor::new(root.media_type.clone(), root.digest, root.size);
            tags.insert(tag.clone(), descriptor, Some(root.reference.clone()));
        }
    }
    for referrer in &inventory.referrers {
        if let Some(tag) = &referrer.tag {
            tags.insert(
                tag.clone(),
                Descriptor::new(referrer.media_type.clone(), referrer.digest, referrer.size),
                None,
            );
        }
    }
    tags
}

/// Reads a bundle manifest as far as is needed to find the inventory. That it has the one canonical form is checked
/// when the inventory is known.
pub(super) fn inventory_layer(entry: &Descriptor, bytes: Vec<u8>) -> Result<Descriptor, StoreError> {
    let invalid = |reason| StoreError::from(ArchiveError::BundleManifest { reason });
    if entry.media_type != MediaType::OCI_MANIFEST {
        return Err(invalid("it is no OCI image manifest"));
    }
    let manifest = crate::oci::Manifest::parse(entry, bytes).map_err(|_| invalid("it is malformed"))?;
    match manifest.layers() {
        [layer] if layer.media_type == names::BUNDLE => Ok(layer.bare()),
        _ => Err(invalid("it does not have the inventory as its only layer")),
    }
}

fn check_index(inventory: &BundleInventory, manifest: &BundleManifest, found: &[u8]) -> Result<(), ArchiveError> {
    let expected = inventory.index(&manifest.descriptor).to_bytes();
    let expected = expected.map_err(|error| InventoryError::Malformed { reason: error.to_string() })?;
    match expected == found {
        true => Ok(()),
        false => Err(ArchiveError::IndexMismatch { reason: "its bytes differ" }),
    }
}

/// The archive's entries are the two documents, the bundle manifest, the inventory, and the inventory's blobs, in this
/// order and with these sizes; nothing is missing and nothing is left over.
fn check_entries(
    archive: &Archive,
    inventory: &BundleInventory,
    manifest: &BundleManifest,
) -> Result<(), ArchiveError> {
    let own = [&manifest.descriptor, &manifest.inventory_descriptor];
    let own = own.into_iter().map(|descriptor| (descriptor.digest, descriptor.size));
    let blobs: Vec<_> = own.chain(inventory.blobs.iter().map(|blob| (blob.digest, blob.size))).collect();
    for (digest, size) in &blobs {
        match archive.find(&EntryName::Blob(*digest)) {
            None => return Err(ArchiveError::BlobMissing { digest: *digest }),
            Some(entry) if entry.size != *size => {
                return Err(ArchiveError::BlobSize { digest: *digest, expected: *size, found: entry.size });
            }
            Some(_) => {}
        }
    }
    let names: Vec<_> = [EntryName::Layout, EntryName::Index]
        .into_iter()
        .chain(blobs.iter().map(|(digest, _)| EntryName::Blob(*digest)))
        .collect();
    if archive.entries().len() > names.len() {
        let known: std::collections::HashSet<_> = names.iter().collect();
        if let Some(extra) = archive.entries().iter().find(|entry| !known.contains(&entry.name)) {
            return Err(ArchiveError::Unexpected { name: extra.name.to_string() });
        }
    }
    match archive.entries().iter().zip(&names).find(|(entry, name)| entry.name != **name) {
        Some((entry, name)) => {
            Err(ArchiveError::EntryOrder { expected: name.to_string(), found: entry.name.to_string() })
        }
        None => Ok(()),
    }
}

/// An archive whose inventory is not known yet: nothing but content by digest.
struct Headless<'a>(&'a Archive);

impl ContentStore for Headless<'_> {
    fn resolve(&self, _: &Target) -> Result<Option<Descriptor>, StoreError> {
        Ok(None)
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        let entry = self.0.find(&EntryName::Blob(descriptor.digest));
        Ok(entry.map(|entry| self.0.content(entry)))
    }

    fn referrers(&self, _: &Descriptor) -> Result<Referrers, StoreError> {
        Ok(Referrers::default())
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        Ok(Vec::new())
    }
}

impl ContentStore for BundleStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.contents.resolve(target)
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        Headless(&self.archive).open(descriptor, ContentKind::Blob)
    }

    /// Read from the manifests carried, not from the inventory's list of them.
    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.graph()?.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        Ok(self.contents.names())
    }
}
