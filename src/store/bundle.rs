//! A bundle, read by its rules (`schemas/bundle-v1.md`): every entry is accounted for before any content is used.

use std::collections::BTreeMap;
use std::path::Path;

use super::listing::{Graph, LazyGraph, Tags};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError, fetch};
use crate::archive::{
    Archive, ArchiveError, BlobRecord, BundleInventory, BundleManifest, EntryName, InventoryError, SealError,
    SealMembers, Strictness, names,
};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Manifest, MediaType, Target};

/// An open bundle.
#[derive(Debug)]
pub struct BundleStore {
    archive: Archive,
    limits: Limits,
    inventory: BundleInventory,
    manifest: Descriptor,
    seal: Option<SealMembers>,
    /// The inventory's blobs, by digest.
    blobs: BTreeMap<Digest, usize>,
    graph: LazyGraph,
    tags: Tags,
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
        let listed = Listed::read(&index)?;
        let bytes = Self::inventory_of(&archive, &listed.bundle, limits)?;
        let inventory = BundleInventory::parse(&bytes).map_err(ArchiveError::from)?;
        if inventory.blobs.len() > limits.blobs {
            return Err(ArchiveError::TooManyEntries { limit: limits.blobs }.into());
        }
        let manifest = inventory.bundle_manifest().map_err(ArchiveError::from)?;
        if manifest.descriptor != listed.bundle.bare() {
            return Err(ArchiveError::BundleManifest { reason: "it is not in canonical form" }.into());
        }
        let seal = seal_of(&archive, &manifest.descriptor, &listed.seal, limits)?;
        check_index(&inventory, &manifest, seal.as_ref(), &index)?;
        check_entries(&archive, &inventory, &manifest, seal.as_ref())?;
        let blobs = inventory.blobs.iter().enumerate().map(|(place, blob)| (blob.digest, place)).collect();
        let (manifest, graph, tags) = (manifest.descriptor, LazyGraph::default(), tags(&inventory));
        Ok(Self { archive, limits: limits.clone(), inventory, manifest, seal, blobs, graph, tags })
    }

    /// What the bundle says of itself, checked for consistency.
    pub fn inventory(&self) -> &BundleInventory {
        &self.inventory
    }

    /// The bundle manifest, which nothing but the bundle itself vouches for.
    pub fn manifest(&self) -> &Descriptor {
        &self.manifest
    }

    /// What seals it, unjudged.
    pub const fn seal(&self) -> Option<&SealMembers> {
        self.seal.as_ref()
    }

    /// `oci-layout`, which has one form, and the bytes of `index.json`.
    fn documents(archive: &Archive, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
        let layout = u64::try_from(LayoutDocument::BYTES.len()).unwrap_or(0);
        let missing = |name: EntryName| ArchiveError::Missing { name: name.to_string() };
        let found = archive.document(EntryName::Layout, layout)?.ok_or_else(|| missing(EntryName::Layout))?;
        if found != LayoutDocument::BYTES {
            return Err(ArchiveError::NotCanonical { name: EntryName::Layout.to_string() });
        }
        archive.document(EntryName::Index, limits.index_bytes)?.ok_or_else(|| missing(EntryName::Index))
    }

    /// The inventory's bytes, found through the bundle manifest and held against their digest.
    fn inventory_of(archive: &Archive, bundle: &Descriptor, limits: &Limits) -> Result<Vec<u8>, StoreError> {
        let source = Headless(archive);
        let absent = || ArchiveError::IndexMismatch { reason: "it lists a bundle manifest that is not there" };
        let bytes = fetch(&source, bundle, ContentKind::Manifest, Self::MANIFEST_BYTES)?.ok_or_else(absent)?;
        let layer = inventory_layer(bundle, bytes)?;
        let missing = ArchiveError::BlobMissing { digest: layer.digest };
        Ok(fetch(&source, &layer, ContentKind::Blob, limits.index_bytes)?.ok_or(missing)?)
    }

    fn record(&self, digest: &Digest) -> Option<&BlobRecord> {
        self.blobs.get(digest).and_then(|place| self.inventory.blobs.get(*place))
    }

    fn graph(&self) -> Result<&Graph, StoreError> {
        let manifests = || self.inventory.blobs.iter().filter(|blob| blob.manifest).map(BlobRecord::descriptor);
        self.graph.get(|| Graph::build(self, &manifests().collect::<Vec<_>>(), &self.limits))
    }
}

/// What `index.json` says of the bundle itself.
struct Listed {
    /// The only bundle manifest.
    bundle: Descriptor,
    /// What stands behind it: nothing, or a seal and its evidence.
    seal: Vec<Descriptor>,
}

impl Listed {
    fn read(index: &[u8]) -> Result<Self, ArchiveError> {
        let mismatch = |reason| ArchiveError::IndexMismatch { reason };
        let mut entries = IndexDocument::parse(index).map_err(|_| mismatch("it is no index at all"))?.manifests;
        let ours = |entry: &Descriptor| entry.artifact_type.as_ref().is_some_and(|kind| *kind == names::BUNDLE);
        let place = entries.iter().position(ours).ok_or_else(|| mismatch("it lists no bundle manifest"))?;
        let mut tail = entries.split_off(place).into_iter();
        let bundle = tail.next().ok_or_else(|| mismatch("it lists no bundle manifest"))?;
        let seal: Vec<_> = tail.collect();
        match seal.iter().any(ours) {
            true => Err(mismatch("it lists more than one bundle manifest")),
            false => Ok(Self { bundle, seal }),
        }
    }
}

/// The seal on the bundle manifest, from what `index.json` lists behind that.
fn seal_of(
    archive: &Archive,
    bundle: &Descriptor,
    listed: &[Descriptor],
    limits: &Limits,
) -> Result<Option<SealMembers>, StoreError> {
    let read = |entry: &Descriptor| -> Result<Manifest, StoreError> {
        let bytes = fetch(&Headless(archive), entry, ContentKind::Manifest, SealMembers::MANIFEST_BYTES)?;
        let bytes = bytes.ok_or(ArchiveError::BlobMissing { digest: entry.digest })?;
        let malformed = |_| ArchiveError::from(SealError::Malformed { digest: entry.digest });
        Ok(Manifest::parse(entry, bytes).map_err(malformed)?)
    };
    let (seal, evidence) = match listed {
        [] => return Ok(None),
        [seal] => (read(seal)?, None),
        [seal, evidence] => (read(seal)?, Some(read(evidence)?)),
        _ => return Err(ArchiveError::from(SealError::TooMany { found: listed.len() }).into()),
    };
    let members = SealMembers::read(bundle, &seal, evidence.as_ref(), limits).map_err(ArchiveError::from)?;
    Ok(Some(members))
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
fn inventory_layer(entry: &Descriptor, bytes: Vec<u8>) -> Result<Descriptor, StoreError> {
    let invalid = |reason| StoreError::from(ArchiveError::BundleManifest { reason });
    if entry.media_type != MediaType::OCI_MANIFEST {
        return Err(invalid("it is no OCI image manifest"));
    }
    let manifest = Manifest::parse(entry, bytes).map_err(|_| invalid("it is malformed"))?;
    match manifest.layers() {
        [layer] if layer.media_type == names::BUNDLE => Ok(layer.bare()),
        _ => Err(invalid("it does not have the inventory as its only layer")),
    }
}

fn check_index(
    inventory: &BundleInventory,
    manifest: &BundleManifest,
    seal: Option<&SealMembers>,
    found: &[u8],
) -> Result<(), ArchiveError> {
    let expected = inventory.index(&manifest.descriptor);
    let expected = seal.map_or_else(|| expected.clone(), |seal| seal.list_in(expected.clone())).to_bytes();
    let expected = expected.map_err(|error| InventoryError::Malformed { reason: error.to_string() })?;
    match expected == found {
        true => Ok(()),
        false => Err(ArchiveError::IndexMismatch { reason: "its bytes differ" }),
    }
}

/// The archive's entries are the two documents, the bundle manifest, the seal's blobs, the inventory, and those of the
/// inventory's blobs that the seal did not bring along, in this order and with these sizes; nothing is missing and
/// nothing is left over.
fn check_entries(
    archive: &Archive,
    inventory: &BundleInventory,
    manifest: &BundleManifest,
    seal: Option<&SealMembers>,
) -> Result<(), ArchiveError> {
    let sealing: Vec<_> = seal.into_iter().flat_map(SealMembers::blobs).map(|blob| (blob.digest, blob.size)).collect();
    let early: BTreeMap<_, _> = sealing.iter().copied().collect();
    let own = |descriptor: &Descriptor| (descriptor.digest, descriptor.size);
    let mut blobs = vec![own(&manifest.descriptor)];
    blobs.extend(sealing);
    blobs.push(own(&manifest.inventory_descriptor));
    for blob in &inventory.blobs {
        match early.get(&blob.digest) {
            None => blobs.push((blob.digest, blob.size)),
            Some(size) if *size != blob.size => {
                return Err(ArchiveError::BlobSize { digest: blob.digest, expected: blob.size, found: *size });
            }
            Some(_) => {}
        }
    }
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
    /// A tag may be a root's, in any repository, or a digest tag. A digest may be any manifest's that is carried.
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let tag = match target {
            Target::Digest(digest) => {
                return Ok(self.record(digest).filter(|blob| blob.manifest).map(BlobRecord::descriptor));
            }
            Target::Tag(tag) => tag,
        };
        self.tags.resolve(tag)
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        Headless(&self.archive).open(descriptor, ContentKind::Blob)
    }

    /// Read from the manifests carried, not from the inventory's list of them.
    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.graph()?.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        let root = |root: &crate::archive::RootRecord| NamedRoot {
            descriptor: Descriptor::new(root.media_type.clone(), root.digest, root.size),
            tag: root.reference.tag.clone(),
            reference: Some(root.reference.clone()),
        };
        Ok(self.inventory.roots.iter().map(root).collect())
    }
}
