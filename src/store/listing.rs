//! What an `index.json` and the manifests behind it say: names, and who refers to whom.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{ContentStore, NamedRoot, Referrers, Search, SearchMethod, SearchResult, StoreError, fetch_manifest};
use crate::archive::names;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, DigestTag, IndexDocument, Manifest, Reference, Tag, Target, annotation, referrers_tag};
use crate::parallel::try_map_in_parallel;

/// Why a layout or archive gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// A tag that several artifacts carry.
    #[error("the tag {tag} stands for several artifacts here: {}", .candidates.join(", "))]
    Ambiguous {
        /// The tag.
        tag: Tag,
        /// What it could mean, at most ten of them.
        candidates: Vec<String>,
    },
    /// Indexes within indexes.
    #[error("indexes nest more than {limit} deep, at {digest}")]
    TooDeep {
        /// Where.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
    /// More manifests than the limit.
    #[error("there are more than {limit} manifests")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// More text in annotations than is kept.
    #[error("the referrers and their annotations take more than {limit} bytes of memory")]
    TooMuchText {
        /// The limit.
        limit: u64,
    },
}

impl Diagnostic for ListingError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Ambiguous { .. } => DiagnosticCode::ReferenceAmbiguous,
            Self::TooDeep { .. } => DiagnosticCode::ClosureTooDeep,
            Self::TooMany { .. } => DiagnosticCode::ClosureTooLarge,
            Self::TooMuchText { .. } => DiagnosticCode::LimitExceeded,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Ambiguous { .. } => Some("name the artifact by its digest".into()),
            _ => None,
        }
    }
}

impl From<ListingError> for StoreError {
    fn from(error: ListingError) -> Self {
        Self::from_diagnostic(error)
    }
}

/// The names of one entry of `index.json`.
pub(super) struct EntryNames {
    pub(super) tag: Option<Tag>,
    pub(super) reference: Option<Reference>,
}

impl EntryNames {
    /// containerd's annotation holds the full name. `ref.name` holds a tag (skopeo, oras, docker) or the full name
    /// (podman, and bulla where a tag is not unique).
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        let text = |key: &str| descriptor.annotations.get(key);
        let short = text(annotation::REF_NAME);
        let full = [text(annotation::CONTAINERD_NAME), short];
        // A name that holds another digest is not this entry's name.
        let own = |reference: &Reference| reference.digest.is_none_or(|digest| digest == descriptor.digest);
        let reference: Option<Reference> = full.into_iter().flatten().find_map(|text| text.parse().ok().filter(own));
        let tag = short.and_then(|text| text.parse().ok());
        let tag = tag.or_else(|| reference.as_ref().and_then(|reference| reference.tag.clone()));
        Self { tag, reference }
    }
}

/// What each tag could mean. Made once for a store: walks ask for three digest tags of every manifest.
#[derive(Debug, Default)]
pub(super) struct Tags {
    /// By `ref.name`, which goes before a tag within a full name.
    exact: HashMap<String, Vec<Candidate>>,
    within: HashMap<Tag, Vec<Candidate>>,
    /// What an `index.json` lists, as its first entry for the digest has it.
    listed: HashMap<Digest, Descriptor>,
}

/// An artifact, and its full name where there is one.
type Candidate = (Descriptor, Option<Reference>);

impl Tags {
    /// The tags of an `index.json`.
    pub(super) fn of_index(index: &IndexDocument) -> Self {
        let mut tags = Self::default();
        for entry in &index.manifests {
            tags.listed.entry(entry.digest).or_insert_with(|| entry.bare());
            let names = EntryNames::of(entry);
            if let Some(name) = entry.annotations.get(annotation::REF_NAME) {
                let candidate = (entry.bare(), names.reference.clone());
                tags.exact.entry(name.clone()).or_default().push(candidate);
            }
            if let Some(tag) = names.tag {
                tags.insert(tag, entry.bare(), names.reference);
            }
        }
        tags
    }

    /// Adds what a tag may mean.
    pub(super) fn insert(&mut self, tag: Tag, descriptor: Descriptor, reference: Option<Reference>) {
        self.within.entry(tag).or_default().push((descriptor, reference));
    }

    /// The one artifact that `tag` names.
    ///
    /// # Errors
    /// There are several.
    pub(super) fn resolve(&self, tag: &Tag) -> Result<Option<Descriptor>, StoreError> {
        let candidates = self.exact.get(tag.as_str()).or_else(|| self.within.get(tag));
        candidates.map_or(Ok(None), |candidates| only(tag, candidates))
    }
}

/// The one artifact among candidates, which may mention it several times.
fn only(tag: &Tag, candidates: &[Candidate]) -> Result<Option<Descriptor>, StoreError> {
    let first = candidates.first().map(|(descriptor, _)| descriptor.clone());
    let distinct: HashSet<_> = candidates.iter().map(|(descriptor, _)| descriptor.digest).collect();
    if distinct.len() > 1 {
        let name = |(descriptor, reference): &Candidate| match reference {
            Some(reference) => format!("{reference} ({})", descriptor.digest),
            None => descriptor.digest.to_string(),
        };
        let candidates = candidates.iter().take(10).map(name).collect();
        return Err(ListingError::Ambiguous { tag: tag.clone(), candidates }.into());
    }
    Ok(first)
}

/// Every manifest that can be reached from a list, by what it refers to.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// By digest. Lists and not maps: most subjects have one or two, and there may be thousands of subjects.
    referrers: HashMap<Digest, Vec<Descriptor>>,
    referring: HashSet<Digest>,
    manifests: HashMap<Digest, Descriptor>,
    /// Subjects that have a list under a tag of the referrers tag schema.
    tagged: HashSet<Digest>,
}

/// A graph that is built when it is first needed.
#[derive(Debug, Default)]
pub(super) struct LazyGraph {
    graph: OnceLock<Graph>,
    /// Of several threads that need it first, one builds it.
    building: Mutex<()>,
}

impl LazyGraph {
    pub(super) fn get(&self, build: impl FnOnce() -> Result<Graph, StoreError>) -> Result<&Graph, StoreError> {
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        let _alone = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        let graph = build()?;
        Ok(self.graph.get_or_init(|| graph))
    }
}

/// Manifests that are read at the same time, and held until each was looked at.
const READ_TOGETHER: usize = 256;

/// Their bytes, where there is more than one: parsed, a hostile manifest takes some times as many.
const READ_BYTES: u64 = 8 << 20;

/// The list in pieces that are read at the same time.
fn batches(mut list: &[Descriptor]) -> impl Iterator<Item = &[Descriptor]> {
    std::iter::from_fn(move || {
        let mut bytes = 0_u64;
        let fits = |descriptor: &&Descriptor| {
            bytes = bytes.saturating_add(descriptor.size);
            bytes <= READ_BYTES
        };
        let count = list.iter().take(READ_TOGETHER).take_while(fits).count().max(1).min(list.len());
        let (batch, rest) = list.split_at_checked(count).filter(|(batch, _)| !batch.is_empty())?;
        list = rest;
        Some(batch)
    })
}

/// Bytes of memory that the referrers of a layout or archive may take, with their annotations: about a kilobyte each.
const REFERRER_BYTES: u64 = 128 << 20;

struct Walk<'a> {
    store: &'a dyn ContentStore,
    limits: &'a Limits,
    graph: Graph,
    /// Bytes of memory that the referrers take.
    bytes: u64,
}

impl Graph {
    /// Reads every manifest behind `entries`, through nested indexes, each once.
    ///
    /// # Errors
    /// One of them cannot be read or parsed: then it is not known what it refers to, and "no referrers" would be a lie.
    pub(super) fn build(store: &dyn ContentStore, entries: &[Descriptor], limits: &Limits) -> Result<Self, StoreError> {
        let manifests = HashMap::with_capacity(entries.len().min(limits.manifests));
        let mut walk = Walk { store, limits, graph: Self { manifests, ..Self::default() }, bytes: 0 };
        let mut next: Vec<Descriptor> = entries.iter().map(Descriptor::bare).collect();
        for _ in 0..limits.depth.max(1) {
            let mut children = Vec::new();
            next = walk.worth_reading(next);
            for together in batches(&next) {
                let read = try_map_in_parallel(together, |descriptor| walk.read(descriptor))?;
                for (descriptor, manifest) in together.iter().zip(read) {
                    walk.visit(descriptor, manifest, &mut children)?;
                }
            }
            if children.is_empty() {
                walk.tag_schema(entries)?;
                walk.graph.settle();
                return Ok(walk.graph);
            }
            next = children;
        }
        let digest = next.first().map_or(Digest::sha256(b""), |descriptor| descriptor.digest);
        Err(ListingError::TooDeep { digest, limit: limits.depth }.into())
    }

    /// Brings the referrers of each subject in order, each once.
    fn settle(&mut self) {
        for list in self.referrers.values_mut() {
            list.sort_by_key(|referrer| referrer.digest);
            list.dedup_by_key(|referrer| referrer.digest);
            list.shrink_to_fit();
        }
    }

    /// A manifest that can be reached.
    pub(super) fn manifest(&self, digest: &Digest) -> Option<&Descriptor> {
        self.manifests.get(digest)
    }

    /// Whether the manifest refers to another.
    pub(super) fn is_referrer(&self, digest: &Digest) -> bool {
        self.referring.contains(digest)
    }

    /// The answer to [`ContentStore::referrers`].
    pub(super) fn referrers(&self, subject: &Digest, limits: &Limits) -> Result<Referrers, StoreError> {
        let descriptors: Vec<_> = self.referrers.get(subject).cloned().unwrap_or_default();
        if descriptors.len() > limits.referrers {
            return Err(ListingError::TooMany { limit: limits.referrers }.into());
        }
        let result = if descriptors.is_empty() { SearchResult::Absent } else { SearchResult::Found };
        let mut searches = vec![Search { method: SearchMethod::LayoutIndex, result }];
        if self.tagged.contains(subject) {
            searches.push(Search { method: SearchMethod::ReferrersTag, result });
        }
        Ok(Referrers { descriptors, searches })
    }
}

impl Walk<'_> {
    /// The manifest, unless it is not there: a layout may leave out children, and whoever needs them will miss them.
    fn read(&self, descriptor: &Descriptor) -> Result<Option<Manifest>, StoreError> {
        fetch_manifest(self.store, descriptor, self.limits)
    }

    /// What may be a manifest by its type and is not known, each once: a list may name one thing many times.
    fn worth_reading(&self, list: Vec<Descriptor>) -> Vec<Descriptor> {
        let mut seen = HashSet::new();
        let new = |descriptor: &Descriptor| {
            let typed = descriptor.media_type.is_manifest() || descriptor.media_type.as_str().is_empty();
            typed && !self.graph.manifests.contains_key(&descriptor.digest) && seen.insert(descriptor.digest)
        };
        let mut list = list;
        list.retain(new);
        list
    }

    fn visit(
        &mut self,
        descriptor: &Descriptor,
        manifest: Option<Manifest>,
        children: &mut Vec<Descriptor>,
    ) -> Result<(), StoreError> {
        let Some(manifest) = manifest.filter(|_| !self.graph.manifests.contains_key(&descriptor.digest)) else {
            return Ok(());
        };
        if self.graph.manifests.len() >= self.limits.manifests {
            return Err(ListingError::TooMany { limit: self.limits.manifests }.into());
        }
        self.graph.manifests.insert(descriptor.digest, manifest.descriptor().bare());
        if let Some(subject) = manifest.subject() {
            self.referrer(subject.digest, manifest.referrer_descriptor())?;
        }
        if children.len().saturating_add(manifest.manifests().len()) > self.limits.manifests {
            return Err(ListingError::TooMany { limit: self.limits.manifests }.into());
        }
        let new = |child: &&Descriptor| !self.graph.manifests.contains_key(&child.digest);
        children.extend(manifest.manifests().iter().filter(new).map(Descriptor::bare));
        Ok(())
    }

    fn referrer(&mut self, subject: Digest, descriptor: Descriptor) -> Result<(), StoreError> {
        self.bytes = self.bytes.saturating_add(descriptor.footprint());
        if self.bytes > REFERRER_BYTES {
            return Err(ListingError::TooMuchText { limit: REFERRER_BYTES }.into());
        }
        self.graph.referring.insert(descriptor.digest);
        self.graph.referrers.entry(subject).or_default().push(descriptor);
        Ok(())
    }

    /// A list under `sha256-<hex>` names referrers too, also such as are not there: they are missing then, not absent.
    fn tag_schema(&mut self, entries: &[Descriptor]) -> Result<(), StoreError> {
        for entry in entries {
            let Some(subject) = EntryNames::of(entry).tag.as_ref().and_then(tag_schema_subject) else { continue };
            let Some(list) = fetch_manifest(self.store, entry, self.limits)? else { continue };
            for child in list.manifests() {
                if !self.graph.manifests.contains_key(&child.digest) {
                    self.referrer(subject, child.clone())?;
                }
            }
            self.graph.tagged.insert(subject);
        }
        Ok(())
    }
}

/// The subject of a tag of the referrers tag schema, where it can be read back (sha512 is cut).
fn tag_schema_subject(tag: &Tag) -> Option<Digest> {
    let (algorithm, hex) = tag.as_str().split_once('-')?;
    let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
    (referrers_tag(&digest) == *tag).then_some(digest)
}

/// Everything that an index names, and what it holds without a name that refers to nothing else. Digest tags and tags
/// of the referrers tag schema name what belongs to something else; bulla's own documents are no content.
pub(super) fn roots<'a>(
    index: &IndexDocument,
    graph: impl FnOnce() -> Result<&'a Graph, StoreError>,
) -> Result<Vec<NamedRoot>, StoreError> {
    let ours = |entry: &&Descriptor| {
        entry.artifact_type.as_ref().is_some_and(|kind| *kind == names::BUNDLE || *kind == names::EVIDENCE)
    };
    let belongs = |tag: &Tag| DigestTag::recognise(tag).is_some() || tag_schema_subject(tag).is_some();
    let entries = index.manifests.iter().filter(|entry| !ours(entry)).map(|entry| (entry, EntryNames::of(entry)));
    let (named, nameless): (Vec<_>, Vec<_>) =
        entries.partition(|(_, names)| names.tag.is_some() || names.reference.is_some());
    let mut seen: HashSet<Digest> = named.iter().map(|(entry, _)| entry.digest).collect();
    let mut roots: Vec<_> = named
        .into_iter()
        .filter(|(_, names)| !names.tag.as_ref().is_some_and(belongs))
        .map(|(entry, names)| NamedRoot { descriptor: entry.bare(), tag: names.tag, reference: names.reference })
        .collect();
    if !nameless.is_empty() {
        let graph = graph()?;
        let own =
            nameless.into_iter().filter(|(entry, _)| !graph.is_referrer(&entry.digest) && seen.insert(entry.digest));
        roots.extend(own.map(|(entry, _)| NamedRoot { descriptor: entry.bare(), tag: None, reference: None }));
    }
    Ok(roots)
}

/// What `target` names in an index.
pub(super) fn resolve(
    index: &IndexDocument,
    tags: &OnceLock<Tags>,
    target: &Target,
    graph: impl FnOnce(&Digest) -> Result<Option<Descriptor>, StoreError>,
) -> Result<Option<Descriptor>, StoreError> {
    let tags = tags.get_or_init(|| Tags::of_index(index));
    match target {
        Target::Tag(tag) => tags.resolve(tag),
        Target::Digest(digest) => match tags.listed.get(digest) {
            Some(entry) => Ok(Some(entry.clone())),
            None => graph(digest),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::oci::MediaType;
    use crate::store::{ContentKind, RawContent};

    /// Indexes without children, told apart by a number; counts how often one is opened.
    #[derive(Default)]
    struct Indexes(AtomicUsize);

    fn index(number: usize) -> Vec<u8> {
        let text = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"n":"_"}}"#;
        text.replace('_', &number.to_string()).into_bytes()
    }

    fn descriptor(number: usize) -> Descriptor {
        Descriptor::of(MediaType::OCI_INDEX, &index(number))
    }

    impl ContentStore for Indexes {
        fn resolve(&self, _: &Target) -> Result<Option<Descriptor>, StoreError> {
            Ok(None)
        }

        fn open(&self, wanted: &Descriptor, _: ContentKind) -> Result<Option<RawContent>, StoreError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok((0..3).map(index).find(|bytes| Digest::sha256(bytes) == wanted.digest).map(RawContent::from_bytes))
        }

        fn referrers(&self, _: &Descriptor) -> Result<Referrers, StoreError> {
            Ok(Referrers::default())
        }

        fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn what_is_listed_often_is_read_once() {
        let store = Indexes::default();
        let listed: Vec<_> = (0..1_000).map(|number| descriptor(number % 3)).collect();
        let graph = Graph::build(&store, &listed, &Limits::default()).unwrap();
        assert_eq!(store.0.load(Ordering::Relaxed), 3);
        assert!((0..3).all(|number| graph.manifest(&descriptor(number).digest).is_some()));
    }

    #[test]
    fn large_manifests_are_not_held_together() {
        let of = |size| Descriptor { size, ..descriptor(0) };
        let sizes = |listed: &[Descriptor]| -> Vec<usize> { batches(listed).map(<[_]>::len).collect() };
        assert_eq!(sizes(&vec![of(700); 600]), [256, 256, 88]);
        assert_eq!(sizes(&vec![of(READ_BYTES / 2); 5]), [2, 2, 1]);
        assert_eq!(sizes(&vec![of(u64::MAX); 3]), [1, 1, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(batches(&[of(1), of(READ_BYTES), of(2)]).flatten().map(|one| one.size).sum::<u64>(), READ_BYTES + 3);
    }
}
