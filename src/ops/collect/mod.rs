//! Several artifacts from several places, as one collection.

mod error;
mod locate;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::archive::OmittedContent;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest, Reference};
use crate::ops::closure::{self, Child, Closure, Extent, Held, NotarySignature, Referrer, WalkOptions, walk_beside};
use crate::ops::progress::{Progress, Stage};
use crate::ops::signatures::check_amount;
use crate::parallel::try_map_in_parallel;
use crate::store::{ContentKind, ContentStore, RawContent, Search, copy_to};

pub use error::CollectError;
pub use locate::{find, locate};

/// An artifact, where it is, and the name under which it is exported.
#[derive(Clone)]
pub struct Source {
    /// Where it is.
    pub store: Arc<dyn ContentStore>,
    /// What it is.
    pub descriptor: Descriptor,
    /// Its name; the repository is the scope under which it will be judged.
    pub reference: Reference,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("descriptor", &self.descriptor)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// One artifact of a collection.
#[derive(Debug, Clone)]
pub struct CollectedRoot {
    /// Its name.
    pub reference: Reference,
    /// The artifact.
    pub descriptor: Descriptor,
    /// Of an index: its children, in the index's order.
    pub children: Vec<Child>,
}

/// What was collected: each manifest and blob once, whatever leads to it.
pub struct Collection {
    /// The artifacts, by reference.
    pub roots: Vec<CollectedRoot>,
    /// Every manifest.
    pub manifests: BTreeMap<Digest, Arc<Manifest>>,
    /// Every blob, and where it can be read.
    pub blobs: BTreeMap<Digest, CollectedBlob>,
    /// Every referrer, by subject, digest and tag.
    pub referrers: Vec<Referrer>,
    /// What was searched for each manifest.
    pub searches: BTreeMap<Digest, Vec<Search>>,
    /// What no artifact of the collection brought along.
    pub omitted: Vec<OmittedContent>,
    signatures: Vec<NotarySignature>,
    stores: Vec<Arc<dyn ContentStore>>,
}

/// A blob of a collection.
#[derive(Debug, Clone)]
pub struct CollectedBlob {
    /// The blob, under the media type by which it was reached first.
    pub descriptor: Descriptor,
    /// The manifest that leads to it.
    pub parent: Digest,
    /// The stores that should have it, by their place in the collection's list.
    stores: Vec<usize>,
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection")
            .field("roots", &self.roots)
            .field("manifests", &self.manifests.len())
            .field("blobs", &self.blobs.len())
            .finish_non_exhaustive()
    }
}

/// Walks every source and merges what belongs to each.
///
/// # Errors
/// A walk failed, two sources describe the same content differently, or one name stands for two artifacts.
pub fn collect(
    sources: Vec<Source>,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Collection, CollectError> {
    progress.stage(Stage::Discovering, None);
    let mut collection = Collection::empty();
    let sources = distinct(sources)?;
    let (artifacts, places) = closure::distinct(&sources, |source| {
        (collection.place_of(&source.store), closure::content_of(&source.descriptor))
    });
    let held = Held::default();
    let mut walked = Vec::with_capacity(artifacts.len());
    for together in artifacts.chunks(WALKED_TOGETHER) {
        let closures = try_map_in_parallel(together, |source| {
            walk_beside(source.store.as_ref(), &source.descriptor, options, limits, progress, &held)
                .map_err(|error| CollectError::Closure { reference: source.reference.clone(), error: Box::new(error) })
        })?;
        for (source, closure) in together.iter().zip(closures) {
            walked.push(collection.add(source, closure, limits)?);
        }
    }
    let named =
        sources.into_iter().zip(places).filter_map(|(source, place)| Some((source, walked.get(place)?.clone())));
    let root = |(source, (descriptor, children)): (Source, _)| CollectedRoot {
        reference: source.reference,
        descriptor,
        children,
    };
    collection.roots = named.map(root).collect();
    collection.settle();
    collection.check_digest_tags()?;
    check_amount(collection.notary_signatures(), collection.manifests.values(), std::iter::empty(), limits)?;
    Ok(collection)
}

/// Artifacts that are walked before what was found is merged: enough to keep all cores at work, and few enough that
/// thousands of closures are not held at a time.
const WALKED_TOGETHER: usize = 256;

/// Each name once.
fn distinct(sources: Vec<Source>) -> Result<Vec<Source>, CollectError> {
    let mut names = BTreeMap::new();
    let mut distinct = Vec::with_capacity(sources.len());
    for source in sources {
        let second = source.descriptor.digest;
        match names.insert(naming_part(&source.reference), second) {
            Some(first) if first != second => {
                return Err(CollectError::NameTwice { reference: Box::new(source.reference), first, second });
            }
            Some(_) => {}
            None => distinct.push(source),
        }
    }
    Ok(distinct)
}

impl Collection {
    fn empty() -> Self {
        Self {
            roots: Vec::new(),
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
            referrers: Vec::new(),
            searches: BTreeMap::new(),
            omitted: Vec::new(),
            signatures: Vec::new(),
            stores: Vec::new(),
        }
    }

    /// Takes in what belongs to an artifact. Returns the artifact with its children.
    fn add(
        &mut self,
        source: &Source,
        mut closure: Closure,
        limits: &Limits,
    ) -> Result<(Descriptor, Vec<Child>), CollectError> {
        let place = self.place_of(&source.store);
        for (digest, manifest) in closure.manifests {
            match self.manifests.entry(digest) {
                Entry::Occupied(known) => agree(known.get().descriptor(), manifest.descriptor())?,
                Entry::Vacant(place) => drop(place.insert(manifest)),
            }
        }
        for (digest, blob) in closure.blobs {
            let parent = closure.parents.get(&digest).copied().unwrap_or(closure.root.digest);
            self.add_blob(blob, parent, place)?;
        }
        if self.manifests.len() > limits.manifests || self.blobs.len() > limits.blobs {
            return Err(CollectError::TooLarge { manifests: limits.manifests, blobs: limits.blobs });
        }
        self.referrers.append(&mut closure.referrers);
        self.omitted.append(&mut closure.omitted);
        self.add_searches(closure.searches);
        let children = closure.children.remove(&closure.root.digest).unwrap_or_default();
        Ok((closure.root, children))
    }

    fn place_of(&mut self, store: &Arc<dyn ContentStore>) -> usize {
        if let Some(place) = self.stores.iter().position(|known| Arc::ptr_eq(known, store)) {
            return place;
        }
        self.stores.push(Arc::clone(store));
        self.stores.len().saturating_sub(1)
    }

    fn add_blob(&mut self, blob: Descriptor, parent: Digest, place: usize) -> Result<(), CollectError> {
        match self.blobs.entry(blob.digest) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                agree(&known.descriptor, &blob)?;
                if !known.stores.contains(&place) {
                    known.stores.push(place);
                }
            }
            Entry::Vacant(empty) => {
                empty.insert(CollectedBlob { descriptor: blob, parent, stores: vec![place] });
            }
        }
        Ok(())
    }

    /// The same manifest may be searched for in several places; all that was searched is kept.
    fn add_searches(&mut self, found: BTreeMap<Digest, Vec<Search>>) {
        for (subject, searches) in found {
            match self.searches.entry(subject) {
                Entry::Vacant(empty) => drop(empty.insert(searches)),
                Entry::Occupied(mut known) => {
                    let known = known.get_mut();
                    for search in searches {
                        if !known.contains(&search) {
                            known.push(search);
                        }
                    }
                }
            }
        }
    }

    /// Sorts, and forgets as omitted what another artifact brought along.
    fn settle(&mut self) {
        self.roots.sort_by(|a, b| a.reference.cmp(&b.reference));
        self.referrers.sort_by(|a, b| closure::referrer_key(a).cmp(&closure::referrer_key(b)));
        self.referrers.dedup();
        let (manifests, blobs) = (&self.manifests, &self.blobs);
        self.omitted.retain(|content| !manifests.contains_key(&content.digest) && !blobs.contains_key(&content.digest));
        self.omitted.sort();
        let mut seen = BTreeSet::new();
        self.omitted.retain(|content| seen.insert(content.digest));
        self.signatures = closure::notary_signatures(&self.referrers, &self.manifests);
    }

    /// A digest tag names its subject and no repository, so a bundle has room for one of each. Two repositories may
    /// hold different ones for the same content.
    fn check_digest_tags(&self) -> Result<(), CollectError> {
        let mut known = BTreeMap::new();
        for referrer in &self.referrers {
            let Some(tag) = &referrer.tag else { continue };
            let second = referrer.descriptor.digest;
            if let Some(first) = known.insert(tag, second).filter(|first| *first != second) {
                return Err(CollectError::DigestTagTwice { tag: tag.clone(), first, second });
            }
        }
        Ok(())
    }

    /// Every Notary Project signature, by digest.
    pub fn notary_signatures(&self) -> &[NotarySignature] {
        &self.signatures
    }

    /// Sums over manifests and blobs.
    pub fn extent(&self) -> Extent {
        closure::extent(&self.manifests, self.blobs.values().map(|blob| &blob.descriptor))
    }

    /// Opens a blob in the first store that has it. As with any store, only the checking readers can read it.
    ///
    /// # Errors
    /// No store has it, or one failed.
    pub fn open(&self, blob: &CollectedBlob) -> Result<RawContent, CollectError> {
        for store in blob.stores.iter().filter_map(|place| self.stores.get(*place)) {
            if let Some(content) = store.open(&blob.descriptor, ContentKind::Blob)? {
                return Ok(content);
            }
        }
        Err(CollectError::BlobMissing { digest: blob.descriptor.digest, parent: blob.parent })
    }

    /// Brings a blob of at most `limit` bytes into memory, checked.
    ///
    /// # Errors
    /// It does not belong to the collection, is larger than the limit, cannot be had, or is not what it should be.
    pub fn fetch(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>, CollectError> {
        let blob = self.blobs.get(digest).ok_or(CollectError::NotCollected { digest: *digest })?;
        let size = blob.descriptor.size;
        if size > limit {
            return Err(CollectError::BlobTooLarge { digest: *digest, size, limit });
        }
        let mut bytes = Vec::new();
        copy_to(self.open(blob)?, &blob.descriptor, &mut bytes)?;
        Ok(bytes)
    }
}

/// What makes a name: a tag, where there is one, whatever digest stands beside it.
pub(super) fn naming_part(reference: &Reference) -> Reference {
    let digest = reference.digest.filter(|_| reference.tag.is_none());
    Reference { digest, ..reference.clone() }
}

fn agree(known: &Descriptor, other: &Descriptor) -> Result<(), CollectError> {
    if known.size == other.size {
        return Ok(());
    }
    Err(CollectError::SizeConflict { digest: known.digest, first: known.size, second: other.size })
}
