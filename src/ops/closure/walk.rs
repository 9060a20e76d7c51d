//! The walk from an artifact to everything that belongs to it: breadth first, without recursion, within limits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::platform::{Selection, select};
use super::{Child, Closure, ClosureError, Mislabelled, Referrer};
use crate::archive::{Omission, OmittedContent};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, DigestTag, DigestTagKind, Manifest, Platform, Tag, Target};
use crate::ops::progress::{Progress, proceed};
use crate::store::{ContentStore, Search, SearchMethod, SearchResult, fetch_manifest};

/// What is wanted of an artifact.
#[derive(Debug, Clone, Default)]
pub struct WalkOptions {
    /// The platforms whose children are taken from the artifact's indexes; none means all. What has no platform is
    /// taken in any case, and so is everything that refers to something taken.
    pub platforms: Vec<Platform>,
    /// Children of indexes that are known to have been left out of the store; that they are missing is no error.
    pub known_omitted: BTreeSet<Digest>,
}

/// Finds everything that belongs to `root`.
///
/// What a store returns is a claim: each manifest is checked against its descriptor, and a referrer against the
/// subject that it was listed for.
///
/// # Errors
/// The store failed, something is missing or is not what it was said to be, or a limit was passed.
pub fn walk(
    store: &dyn ContentStore,
    root: &Descriptor,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<Closure, ClosureError> {
    walk_beside(store, root, options, limits, progress, &Held::default())
}

/// What several closures hold in memory together. What they share counts for each, because each has it: the limits of one
/// closure are those of all.
#[derive(Debug, Default)]
pub(in crate::ops) struct Held {
    manifests: AtomicUsize,
    blobs: AtomicUsize,
    manifest_bytes: AtomicU64,
}

/// As [`walk`], beside others.
pub(in crate::ops) fn walk_beside(
    store: &dyn ContentStore,
    root: &Descriptor,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
    held: &Held,
) -> Result<Closure, ClosureError> {
    let mut walker = Walker {
        store,
        options,
        limits,
        progress,
        queue: VecDeque::new(),
        held,
        offered: BTreeSet::new(),
        matched: false,
        omitted: BTreeMap::new(),
        closure: Closure::empty(root),
    };
    walker.enqueue(Step { descriptor: root.clone(), depth: 0, reached: Reached::Root, part: Part::Content })?;
    while let Some(step) = walker.queue.pop_front() {
        walker.visit(step)?;
    }
    walker.finish()
}

/// A manifest that is to be visited.
struct Step {
    descriptor: Descriptor,
    /// How many steps lie between it and the root.
    depth: usize,
    reached: Reached,
    part: Part,
}

/// What led to a manifest.
enum Reached {
    Root,
    Child { parent: Digest },
    Referrer { subject: Digest },
    DigestTag { subject: Digest, tag: Tag },
}

impl Reached {
    const fn parent(&self) -> Option<Digest> {
        match self {
            Self::Root => None,
            Self::Child { parent } => Some(*parent),
            Self::Referrer { subject } | Self::DigestTag { subject, .. } => Some(*subject),
        }
    }
}

/// Whether a manifest is part of the artifact or attached to it. Platforms are selected in the former only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Content,
    Attached,
}

struct Walker<'a> {
    store: &'a dyn ContentStore,
    options: &'a WalkOptions,
    limits: &'a Limits,
    progress: &'a dyn Progress,
    queue: VecDeque<Step>,
    held: &'a Held,
    offered: BTreeSet<Platform>,
    matched: bool,
    omitted: BTreeMap<Digest, OmittedContent>,
    closure: Closure,
}

impl Walker<'_> {
    fn enqueue(&mut self, step: Step) -> Result<(), ClosureError> {
        if step.depth > self.limits.depth {
            return Err(ClosureError::TooDeep { digest: step.descriptor.digest, limit: self.limits.depth });
        }
        // Counting what waits, not only what was visited, keeps long lists of the same manifest from piling up.
        if self.queue.len() >= self.limits.manifests {
            return Err(too_large("manifests", self.limits.manifests));
        }
        self.queue.push_back(step);
        Ok(())
    }

    fn visit(&mut self, step: Step) -> Result<(), ClosureError> {
        proceed(self.progress)?;
        let digest = step.descriptor.digest;
        self.check_claims(&step.descriptor)?;
        if let Some(known) = self.closure.manifests.get(&digest).cloned() {
            return self.link(&step, &known);
        }
        let Some(manifest) = fetch_manifest(self.store, &step.descriptor.bare(), self.limits)? else {
            return self.absent(step);
        };
        let manifest = Arc::new(manifest);
        self.link(&step, &manifest)?;
        self.keep(&manifest, step.reached.parent())?;
        for blob in manifest.blobs() {
            self.add_blob(blob, digest)?;
        }
        self.add_children(&manifest, &step)?;
        self.search(&manifest, step.depth)
    }

    /// The same content must be described in the same way everywhere.
    fn check_claims(&self, claimed: &Descriptor) -> Result<(), ClosureError> {
        let digest = claimed.digest;
        if let Some(known) = self.closure.manifests.get(&digest).map(|manifest| manifest.descriptor()) {
            same_size(known, claimed)?;
            if !claimed.media_type.as_str().is_empty() && known.media_type != claimed.media_type {
                let (first, second) = (known.media_type.clone(), claimed.media_type.clone());
                return Err(ClosureError::MediaTypeConflict { digest, first, second });
            }
        }
        match self.closure.blobs.get(&digest) {
            Some(known) => same_size(known, claimed),
            None => Ok(()),
        }
    }

    /// A manifest that is not there: fine only for a child that was left out when the store was made.
    fn absent(&mut self, step: Step) -> Result<(), ClosureError> {
        let digest = step.descriptor.digest;
        match step.reached {
            Reached::Child { parent } if self.options.known_omitted.contains(&digest) => {
                for child in self.closure.children.get_mut(&parent).into_iter().flatten() {
                    if child.descriptor.digest == digest {
                        child.omitted = Some(Omission::Platform);
                    }
                }
                self.omit(&step.descriptor);
                Ok(())
            }
            Reached::Root => Err(ClosureError::RootMissing { digest }),
            Reached::Child { parent: by }
            | Reached::Referrer { subject: by }
            | Reached::DigestTag { subject: by, .. } => Err(ClosureError::Missing { digest, parent: by }),
        }
    }

    fn omit(&mut self, child: &Descriptor) {
        self.omitted.entry(child.digest).or_insert_with(|| OmittedContent {
            digest: child.digest,
            size: child.size,
            media_type: child.media_type.clone(),
            platform: child.platform.clone(),
            reason: Omission::Platform,
        });
    }

    /// Records how a manifest was reached, once its own word has been heard.
    fn link(&mut self, step: &Step, manifest: &Manifest) -> Result<(), ClosureError> {
        let (subject, tag) = match &step.reached {
            Reached::Root | Reached::Child { .. } => return Ok(()),
            Reached::Referrer { subject } => {
                let found = manifest.subject().map(|subject| subject.digest);
                if found != Some(*subject) {
                    let referrer = manifest.descriptor().digest;
                    return Err(ClosureError::SubjectMismatch { referrer, subject: *subject, found });
                }
                self.note_label(&step.descriptor, manifest);
                (*subject, None)
            }
            Reached::DigestTag { subject, tag } => (*subject, Some(tag.clone())),
        };
        let descriptor = manifest.referrer_descriptor();
        let artifact_type = descriptor.artifact_type.clone();
        self.closure.referrers.push(Referrer { subject, descriptor, artifact_type, tag });
        Ok(())
    }

    fn note_label(&mut self, claim: &Descriptor, manifest: &Manifest) {
        if let Some(claimed) = &claim.artifact_type
            && manifest.referrer_type() != Some(claimed)
        {
            self.closure.mislabelled.push(Mislabelled {
                digest: claim.digest,
                claimed: claimed.clone(),
                actual: manifest.referrer_type().cloned(),
            });
        }
    }

    fn keep(&mut self, manifest: &Arc<Manifest>, parent: Option<Digest>) -> Result<(), ClosureError> {
        let digest = manifest.descriptor().digest;
        let size = manifest.footprint();
        let limit = self.limits.manifest_memory;
        if self.held.manifest_bytes.fetch_add(size, Ordering::Relaxed) > limit.saturating_sub(size) {
            return Err(ClosureError::TooLarge { what: "bytes of manifests in memory", limit });
        }
        if self.held.manifests.fetch_add(1, Ordering::Relaxed) >= self.limits.manifests {
            return Err(too_large("manifests", self.limits.manifests));
        }
        if let Some(parent) = parent {
            self.closure.parents.entry(digest).or_insert(parent);
        }
        self.closure.manifests.insert(digest, Arc::clone(manifest));
        self.progress.advance(manifest.descriptor().size);
        Ok(())
    }

    fn add_blob(&mut self, blob: &Descriptor, parent: Digest) -> Result<(), ClosureError> {
        if let Some(known) = self.closure.manifests.get(&blob.digest) {
            same_size(known.descriptor(), blob)?;
        }
        if let Some(known) = self.closure.blobs.get(&blob.digest) {
            return same_size(known, blob);
        }
        if self.held.blobs.fetch_add(1, Ordering::Relaxed) >= self.limits.blobs {
            return Err(too_large("blobs", self.limits.blobs));
        }
        self.closure.parents.entry(blob.digest).or_insert(parent);
        self.closure.blobs.insert(blob.digest, blob.bare());
        Ok(())
    }

    fn add_children(&mut self, index: &Manifest, step: &Step) -> Result<(), ClosureError> {
        let parent = index.descriptor().digest;
        let wanted = if step.part == Part::Content { self.options.platforms.as_slice() } else { &[] };
        let Selection { kept, offered, matched } = select(index.manifests(), wanted);
        self.offered.extend(offered);
        self.matched |= matched;
        let mut children = Vec::new();
        for descriptor in index.manifests() {
            let is_blob = !descriptor.media_type.as_str().is_empty() && !descriptor.media_type.is_manifest();
            let gone = is_blob && self.options.known_omitted.contains(&descriptor.digest);
            let omitted = (gone || !kept.contains(&descriptor.digest)).then_some(Omission::Platform);
            children.push(Child { descriptor: descriptor.clone(), omitted });
            if omitted.is_some() {
                self.omit(descriptor);
            } else if is_blob {
                // An index may list anything; BuildKit's caches list layers.
                self.add_blob(descriptor, parent)?;
            } else {
                let (descriptor, depth) = (descriptor.without_annotations(), step.depth.saturating_add(1));
                self.enqueue(Step { descriptor, depth, reached: Reached::Child { parent }, part: step.part })?;
            }
        }
        if !children.is_empty() {
            self.closure.children.insert(parent, children);
        }
        Ok(())
    }

    /// Looks for everything that refers to `subject`, in all ways there are.
    fn search(&mut self, subject: &Manifest, depth: usize) -> Result<(), ClosureError> {
        let digest = subject.descriptor().digest;
        let depth = depth.saturating_add(1);
        let found = self.store.referrers(&subject.descriptor().bare())?;
        if found.descriptors.len() > self.limits.referrers {
            return Err(too_large("referrers of one subject", self.limits.referrers));
        }
        for descriptor in &found.descriptors {
            let descriptor = descriptor.without_annotations();
            let reached = Reached::Referrer { subject: digest };
            self.enqueue(Step { descriptor, depth, reached, part: Part::Attached })?;
        }
        let mut searches = found.searches;
        for kind in DigestTagKind::ALL {
            searches.push(self.search_tag(DigestTag { subject: digest, kind }, depth)?);
        }
        self.closure.searches.insert(digest, searches);
        Ok(())
    }

    fn search_tag(&mut self, wanted: DigestTag, depth: usize) -> Result<Search, ClosureError> {
        let method = SearchMethod::from(wanted.kind);
        let Some(tag) = wanted.tag() else {
            return Ok(Search { method, result: SearchResult::Unsupported });
        };
        let Some(descriptor) = self.store.resolve(&Target::Tag(tag.clone()))? else {
            return Ok(Search { method, result: SearchResult::Absent });
        };
        let reached = Reached::DigestTag { subject: wanted.subject, tag };
        self.enqueue(Step { descriptor, depth, reached, part: Part::Attached })?;
        Ok(Search { method, result: SearchResult::Found })
    }

    fn finish(mut self) -> Result<Closure, ClosureError> {
        if !self.matched && !self.offered.is_empty() {
            return Err(ClosureError::PlatformUnknown {
                digest: self.closure.root.digest,
                wanted: self.options.platforms.clone(),
                offered: self.offered.into_iter().collect(),
            });
        }
        let closure = &mut self.closure;
        if let Some(root) = closure.manifests.get(&closure.root.digest) {
            closure.root = root.descriptor().bare();
        }
        // What one index leaves out, another may hold.
        self.omitted.retain(|digest, _| !closure.manifests.contains_key(digest));
        for child in closure.children.values_mut().flatten() {
            if closure.manifests.contains_key(&child.descriptor.digest) {
                child.omitted = None;
            }
        }
        closure.omitted = self.omitted.into_values().collect();
        closure.referrers.sort_by(|a, b| referrer_key(a).cmp(&referrer_key(b)));
        closure.referrers.dedup();
        closure.referrers.shrink_to_fit();
        closure.mislabelled.sort_by_key(|found| found.digest);
        closure.mislabelled.dedup();
        Ok(self.closure)
    }
}

impl Closure {
    fn empty(root: &Descriptor) -> Self {
        Self {
            root: root.bare(),
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
            referrers: Vec::new(),
            children: BTreeMap::new(),
            parents: BTreeMap::new(),
            searches: BTreeMap::new(),
            omitted: Vec::new(),
            mislabelled: Vec::new(),
        }
    }
}

/// The order of referrers.
pub(in crate::ops) fn referrer_key(referrer: &Referrer) -> (&Digest, &Digest, Option<&Tag>) {
    (&referrer.subject, &referrer.descriptor.digest, referrer.tag.as_ref())
}

fn same_size(known: &Descriptor, claimed: &Descriptor) -> Result<(), ClosureError> {
    if known.size == claimed.size {
        return Ok(());
    }
    Err(ClosureError::SizeConflict { digest: known.digest, first: known.size, second: claimed.size })
}

fn too_large(what: &'static str, limit: usize) -> ClosureError {
    ClosureError::TooLarge { what, limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}
