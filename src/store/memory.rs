//! Content in memory: for tests, and for what is made and used within one run.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::listing::{self, Graph, LazyGraph, Tags};
use super::{
    ContentKind, ContentSink, ContentStore, KeptTag, NameRule, NamedRoot, Publication, RawContent, Referrers,
    StoreError, copy_to,
};
use crate::archive::ArchiveError;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, IndexDocument, MediaType, Reference, Tag, Target, annotation};

/// A store and sink that lives in memory. Everything that was put as a manifest is found as a referrer, also without
/// being published, as a registry does it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    content: Mutex<Content>,
    /// What the content says, made when it is first asked for after a change.
    said: Mutex<Option<Arc<Said>>>,
    limits: Limits,
}

/// What follows from the content: an index like a layout's, and who refers to whom.
#[derive(Debug)]
struct Said {
    index: IndexDocument,
    tags: OnceLock<Tags>,
    graph: LazyGraph,
}

#[derive(Debug, Default)]
struct Content {
    blobs: HashMap<Digest, Arc<[u8]>>,
    manifests: BTreeMap<Digest, Descriptor>,
    /// Entries by the order in which they were named.
    index: BTreeMap<u64, Descriptor>,
    names: HashMap<String, u64>,
    named: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content, which is about to change.
    fn change(&self) -> MutexGuard<'_, Content> {
        let content = self.content();
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = None;
        content
    }

    fn said(&self) -> Arc<Said> {
        let content = self.content();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let index = || IndexDocument::new(content.index.values().cloned().collect());
        Arc::clone(said.get_or_insert_with(|| {
            Arc::new(Said { index: index(), tags: OnceLock::new(), graph: LazyGraph::default() })
        }))
    }

    /// Takes in a blob and returns its descriptor.
    pub fn insert_blob(&self, media_type: impl Into<MediaType>, bytes: impl Into<Arc<[u8]>>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.change().blobs.insert(descriptor.digest, bytes);
        descriptor
    }

    /// Takes in a manifest and returns its descriptor.
    pub fn insert_manifest(&self, media_type: impl Into<MediaType>, bytes: impl Into<Arc<[u8]>>) -> Descriptor {
        let descriptor = self.insert_blob(media_type, bytes);
        self.change().manifests.insert(descriptor.digest, descriptor.clone());
        descriptor
    }

    /// Gives a tag to a manifest, taking it from another that had it.
    pub fn tag(&self, descriptor: &Descriptor, tag: &Tag) {
        self.name(descriptor, tag.to_string(), None);
    }

    fn name(&self, descriptor: &Descriptor, short: String, full: Option<String>) {
        let mut content = self.change();
        let mut entry = descriptor.bare();
        entry.annotations.insert(annotation::REF_NAME.into(), short.clone());
        if let Some(full) = full {
            entry.annotations.insert(annotation::CONTAINERD_NAME.into(), full);
        }
        let place = content.named;
        content.named = place.saturating_add(1);
        if let Some(former) = content.names.insert(short, place) {
            content.index.remove(&former);
        }
        content.index.insert(place, entry);
    }

    /// Everything that is held, by digest: for tests that compare.
    pub fn digests(&self) -> Vec<Digest> {
        let mut digests: Vec<_> = self.content().blobs.keys().copied().collect();
        digests.sort();
        digests
    }
}

impl ContentStore for MemoryStore {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        let said = self.said();
        listing::resolve(&said.index, &said.tags, target, |digest| Ok(self.content().manifests.get(digest).cloned()))
    }

    fn open(&self, descriptor: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
        Ok(self.content().blobs.get(&descriptor.digest).map(|bytes| RawContent::from_bytes(Arc::clone(bytes))))
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        let said = self.said();
        let graph = said.graph.get(|| {
            let manifests: Vec<_> = self.content().manifests.values().cloned().collect();
            Graph::build(self, &manifests, &self.limits)
        })?;
        graph.referrers(&subject.digest, &self.limits)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        // Nothing is in the index without a name.
        let empty = Graph::default();
        listing::roots(&self.said().index, || Ok(&empty))
    }
}

impl ContentSink for MemoryStore {
    fn has(&self, descriptor: &Descriptor, _: ContentKind) -> Result<bool, StoreError> {
        Ok(self.content().blobs.contains_key(&descriptor.digest))
    }

    fn put(&self, descriptor: &Descriptor, kind: ContentKind, content: RawContent) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        copy_to(content, descriptor, &mut bytes)?;
        let mut content = self.change();
        content.blobs.insert(descriptor.digest, bytes.into());
        if kind == ContentKind::Manifest {
            content.manifests.insert(descriptor.digest, descriptor.bare());
        }
        Ok(())
    }

    fn publish(&self, entries: &[Publication]) -> Result<Vec<KeptTag>, StoreError> {
        let mut kept = Vec::new();
        for entry in entries {
            let digest = entry.descriptor.digest;
            if !self.content().blobs.contains_key(&digest) {
                return Err(ArchiveError::BlobMissing { digest }.into());
            }
            if let Some(tag) = &entry.tag {
                let full = |reference: &Reference| format!("{}:{tag}", reference.repository);
                let full = entry.reference.as_ref().map(full);
                let short = full.clone().unwrap_or_else(|| tag.to_string());
                let there = self.resolve(&Target::Tag(tag.clone()))?.filter(|there| there.digest != digest);
                match there {
                    Some(there) if entry.rule == NameRule::Stays => {
                        kept.push(KeptTag { tag: tag.clone(), kept: there.digest, brought: digest });
                    }
                    _ => self.name(&entry.descriptor, short, full),
                }
            }
        }
        Ok(kept)
    }
}
