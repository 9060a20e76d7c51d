//! A bundle, read by its rules (`schemas/bundle-v1.md`): every entry is accounted for before any content is used.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::listing::{Graph, LazyGraph, Tags};
use super::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError, fetch, fetch_manifest};
use crate::archive::{
    Archive, ArchiveError, BlobRecord, BundleInventory, BundleManifest, DockerManifest, DockerManifestError, EntryName,
    InventoryError, SealError, SealMembers, Strictness, Unloadable, names,
};
use crate::digest::Digest;
use crate::json;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, LayoutDocument, Manifest, MediaType, Target};

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
    /// not read, but for the manifests of one that has a `manifest.json`, which must follow from them.
    ///
    /// # Errors
    /// The file cannot be read, or anything in it is not as the format says.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, StoreError> {
        let archive = Archive::open(path, limits, Strictness::Bundle)?;
        let index = Self::documents(&archive, limits)?;
        let listed = Listed::read(&index)?;
        let inventory = Self::inventory_of(&archive, &listed.bundle, limits)?;
        let seal = seal_of(&archive, &listed, limits)?;
        let contents = Contents::read(&listed.bundle.bare(), inventory, seal, &index, limits)?;
        check_entries(&archive, &contents)?;
        let store = Self { archive, limits: limits.clone(), contents, graph: LazyGraph::default() };
        store.check_docker_manifest()?;
        Ok(store)
    }

    /// `manifest.json`, where there is one: what the inventory says of it, and what the manifests call for.
    fn check_docker_manifest(&self) -> Result<(), StoreError> {
        let Some(record) = &self.contents.inventory.docker_manifest else { return Ok(()) };
        let found = self.archive.document(EntryName::DockerManifest, DockerManifest::MOST_BYTES)?;
        let missing = || ArchiveError::from(DockerManifestError::Missing);
        record.check(&found.ok_or_else(missing)?).map_err(ArchiveError::from)?;
        self.contents.check_docker_manifest(|blob| {
            let manifest = fetch_manifest(self, &blob.descriptor(), &self.limits)?;
            Ok(Arc::new(manifest.ok_or(ArchiveError::BlobMissing { digest: blob.digest })?))
        })
    }

    /// What the bundle says of itself, checked for consistency.
    pub fn inventory(&self) -> &BundleInventory {
        &self.contents.inventory
    }

    /// The bundle manifest, which nothing but the bundle itself vouches for.
    pub fn manifest(&self) -> &Descriptor {
        &self.contents.manifest
    }

    /// What seals it, unjudged.
    pub const fn seal(&self) -> Option<&SealMembers> {
        self.contents.seal.as_ref()
    }

    /// `oci-layout`, which has one form, and the bytes of `index.json`.
    fn documents(archive: &Archive, limits: &Limits) -> Result<Vec<u8>, ArchiveError> {
        let layout = u64::try_from(LayoutDocument::BYTES.len()).unwrap_or(0);
        let missing = |name: EntryName| ArchiveError::Missing { name: name.to_string() };
        let found = archive.document(EntryName::Layout, layout)?.ok_or_else(|| missing(EntryName::Layout))?;
        check_layout(&found)?;
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

    fn graph(&self) -> Result<&Graph, StoreError> {
        self.graph.get(|| Graph::build(self, &self.contents.manifests(), &self.limits))
    }
}

/// What a bundle says of itself, checked for consistency: all that is known of it before content is read.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) inventory: BundleInventory,
    /// The bundle manifest.
    pub(super) manifest: Descriptor,
    /// The inventory as it lies in the bundle.
    document: Descriptor,
    pub(super) seal: Option<SealMembers>,
    /// The inventory's blobs, by digest.
    blobs: HashMap<Digest, usize>,
    tags: Tags,
}

impl Contents {
    /// Reads an inventory, and holds the bundle manifest by which it was found, the seal on that and `index.json` against
    /// it.
    pub(super) fn read(
        found: &Descriptor,
        document: Vec<u8>,
        seal: Option<SealMembers>,
        index: &[u8],
        limits: &Limits,
    ) -> Result<Self, StoreError> {
        let inventory = BundleInventory::parse(&document).map_err(ArchiveError::from)?;
        if inventory.blobs.len() > limits.blobs {
            return Err(ArchiveError::TooManyEntries { limit: limits.blobs }.into());
        }
        let manifest = BundleManifest::of(document).map_err(ArchiveError::from)?;
        if manifest.descriptor != *found {
            return Err(ArchiveError::BundleManifest { reason: "it is not in canonical form" }.into());
        }
        check_index(&inventory, &manifest, seal.as_ref(), index)?;
        check_early(&inventory, &manifest, seal.as_ref())?;
        let blobs = inventory.blobs.iter().enumerate().map(|(place, blob)| (blob.digest, place)).collect();
        let tags = tags(&inventory);
        let BundleManifest { descriptor: manifest, inventory_descriptor: document, .. } = manifest;
        Ok(Self { inventory, manifest, document, seal, blobs, tags })
    }

    /// Holds what the inventory says of `manifest.json` against the manifests, which `read` gives. It is good for every
    /// reader or for none: what docker loads must be what is judged here.
    pub(super) fn check_docker_manifest(
        &self,
        read: impl FnMut(&BlobRecord) -> Result<Arc<Manifest>, StoreError>,
    ) -> Result<(), StoreError> {
        let Some(record) = &self.inventory.docker_manifest else { return Ok(()) };
        let derived = DockerManifest::derive(&self.inventory, read)?;
        Ok(record.check_derived(&derived).map_err(ArchiveError::from)?)
    }

    pub(super) fn record(&self, digest: &Digest) -> Option<&BlobRecord> {
        self.blobs.get(digest).and_then(|place| self.inventory.blobs.get(*place))
    }

    /// Whether a blob stands with the seal, before the inventory.
    pub(super) fn is_early(&self, digest: &Digest) -> bool {
        self.seal.iter().flat_map(SealMembers::blobs).any(|blob| blob.digest == *digest)
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

/// What `index.json` says of the bundle itself.
pub(super) struct Listed {
    /// The only bundle manifest.
    pub(super) bundle: Descriptor,
    /// What stands behind it: nothing, or a seal and its evidence.
    seal: Vec<Descriptor>,
}

impl Listed {
    pub(super) fn read(index: &[u8]) -> Result<Self, ArchiveError> {
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

impl Listed {
    /// The entries of the seal's manifest and, where there is one, its evidence's.
    pub(super) fn seal(&self) -> Result<Option<(&Descriptor, Option<&Descriptor>)>, ArchiveError> {
        match self.seal.as_slice() {
            [] => Ok(None),
            [seal] => Ok(Some((seal, None))),
            [seal, evidence] => Ok(Some((seal, Some(evidence)))),
            more => Err(SealError::TooMany { found: more.len() }.into()),
        }
    }
}

/// The seal on the bundle manifest, through what `index.json` lists behind that.
fn seal_of(archive: &Archive, listed: &Listed, limits: &Limits) -> Result<Option<SealMembers>, StoreError> {
    let Some((seal, evidence)) = listed.seal()? else { return Ok(None) };
    let read = |entry: &Descriptor| -> Result<Manifest, StoreError> {
        let bytes = fetch(&Headless(archive), entry, ContentKind::Manifest, SealMembers::MANIFEST_BYTES)?;
        seal_manifest(entry, bytes.ok_or(ArchiveError::BlobMissing { digest: entry.digest })?)
    };
    let (seal, evidence) = (read(seal)?, evidence.map(read).transpose()?);
    let members = SealMembers::read(&listed.bundle.bare(), &seal, evidence.as_ref(), limits);
    Ok(Some(members.map_err(ArchiveError::from)?))
}

/// A manifest that stands where a seal's would.
pub(super) fn seal_manifest(entry: &Descriptor, bytes: Vec<u8>) -> Result<Manifest, StoreError> {
    let malformed = |_| ArchiveError::from(SealError::Malformed { digest: entry.digest });
    Ok(Manifest::parse(entry, bytes).map_err(malformed)?)
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
    let own = inventory.index(&manifest.descriptor);
    let expected = match seal {
        Some(seal) => seal.list_in(own),
        None => own,
    };
    let same = json::is_written_as(&expected, found);
    match same.map_err(|error| InventoryError::Malformed { reason: error.to_string() })? {
        true => Ok(()),
        false => Err(ArchiveError::IndexMismatch { reason: "its bytes differ" }),
    }
}

/// A blob that both the seal and the inventory have is one blob, of one size. The inventory itself is none of the seal's:
/// it stands behind them, and would be there twice.
fn check_early(
    inventory: &BundleInventory,
    manifest: &BundleManifest,
    seal: Option<&SealMembers>,
) -> Result<(), ArchiveError> {
    let early: BTreeMap<_, _> =
        seal.into_iter().flat_map(SealMembers::blobs).map(|blob| (blob.digest, blob.size)).collect();
    if early.contains_key(&manifest.inventory_descriptor.digest) {
        return Err(SealError::Order.into());
    }
    let differs = |blob: &&BlobRecord| early.get(&blob.digest).is_some_and(|size| *size != blob.size);
    match inventory.blobs.iter().find(differs) {
        None => Ok(()),
        Some(blob) => {
            let found = early.get(&blob.digest).copied().unwrap_or_default();
            Err(ArchiveError::BlobSize { digest: blob.digest, expected: blob.size, found })
        }
    }
}

/// The archive's entries are the two documents, the bundle manifest, the seal's blobs, the inventory, `manifest.json` if
/// there is one, and those of the inventory's blobs that the seal did not bring along, in this order and with these sizes;
/// nothing is missing and nothing is left over.
fn check_entries(archive: &Archive, contents: &Contents) -> Result<(), ArchiveError> {
    let own = |descriptor: &Descriptor| (EntryName::Blob(descriptor.digest), descriptor.size);
    let mut due = vec![own(&contents.manifest)];
    due.extend(contents.seal.iter().flat_map(SealMembers::blobs).map(own));
    due.push(own(&contents.document));
    due.extend(contents.inventory.docker_manifest.iter().map(|record| (EntryName::DockerManifest, record.size)));
    let records = contents.inventory.blobs.iter().filter(|blob| !contents.is_early(&blob.digest));
    due.extend(records.map(|blob| (EntryName::Blob(blob.digest), blob.size)));
    for (name, size) in &due {
        check_entry(name, *size, archive.find(name).map(|entry| entry.size))?;
    }
    let names: Vec<_> =
        [EntryName::Layout, EntryName::Index].into_iter().chain(due.iter().map(|(name, _)| *name)).collect();
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

/// An entry is there, with the size that it must have.
fn check_entry(name: &EntryName, expected: u64, found: Option<u64>) -> Result<(), ArchiveError> {
    Err(match (name, found) {
        (_, Some(found)) if found == expected => return Ok(()),
        (EntryName::Blob(digest), Some(found)) => ArchiveError::BlobSize { digest: *digest, expected, found },
        (EntryName::Blob(digest), None) => ArchiveError::BlobMissing { digest: *digest },
        (EntryName::DockerManifest, Some(found)) => DockerManifestError::Size { expected, found }.into(),
        (EntryName::DockerManifest, None) => DockerManifestError::Missing.into(),
        (EntryName::Layout | EntryName::Index, _) => ArchiveError::Missing { name: name.to_string() },
    })
}

/// Whoever reads a bundle finds that it cannot have the `manifest.json` that it has.
impl From<Unloadable> for StoreError {
    fn from(why: Unloadable) -> Self {
        ArchiveError::from(DockerManifestError::from(why)).into()
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
