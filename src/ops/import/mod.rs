//! Bringing what was admitted to its destination: content first, names last.

mod error;
mod mapping;
mod order;
mod stream;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::digest::Digest;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest, Reference, Repository, annotation};
use crate::ops::closure::{self, Referrer, WalkOptions, walk_each};
use crate::ops::collect::naming_part;
use crate::ops::integrity::Ledger;
use crate::ops::progress::{Progress, Stage, or_cancelled, proceed};
use crate::store::stream::{BundleHead, BundleTail};
use crate::store::{ContentSink, ContentStore, KeptTag, NameRule, Publication, StoreError};
use crate::verification::TrustedArtifact;

pub use error::ImportError;
pub use mapping::{Mapping, MappingError};
use transfer::{Counter, Job, Transfer};

/// An artifact that may be imported, and why. There are two ways to one: the proof of a judgement, or the operator's
/// word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    descriptor: Descriptor,
    reference: Reference,
    ground: AdmissionGround,
}

impl Admission {
    /// Admits what was judged trusted, under the name that it was judged with.
    pub fn trusted(artifact: TrustedArtifact, reference: Reference) -> Self {
        Self { descriptor: artifact.into_descriptor(), reference, ground: AdmissionGround::Trusted }
    }

    /// Admits what was not, on the operator's word.
    pub const fn allowed(descriptor: Descriptor, reference: Reference, allow: Allow) -> Self {
        Self { descriptor, reference, ground: AdmissionGround::Allowed(allow) }
    }

    /// The artifact.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The name under which it was judged.
    pub const fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Why it may be imported.
    pub const fn ground(&self) -> AdmissionGround {
        self.ground
    }
}

/// Why an artifact may be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdmissionGround {
    /// It was judged trusted.
    Trusted,
    /// It was not, and the operator let it in.
    Allowed(Allow),
}

/// What the operator lets in on his own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allow {
    /// Artifacts without a signature.
    Unsigned,
    /// Artifacts whose signatures were rejected.
    Rejected,
    /// Artifacts for which the trust policy says skip.
    Skipped,
}

impl Allow {
    /// The operator's word, which is also the receipt's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Rejected => "rejected",
            Self::Skipped => "skipped",
        }
    }
}

/// Opens the place of a repository.
pub type OpenSink<'a> = dyn Fn(&Repository) -> Result<Arc<dyn ContentSink>, StoreError> + 'a;

/// Where everything goes.
pub enum Destination<'a> {
    /// One place for all, which knows artifacts by their full names: a layout.
    Single(Arc<dyn ContentSink>),
    /// A place for each repository: a registry.
    PerRepository(&'a OpenSink<'a>),
}

impl std::fmt::Debug for Destination<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            Self::PerRepository(_) => "PerRepository",
        })
    }
}

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Which name each artifact gets.
    pub mapping: Mapping,
    /// What of each artifact: the platforms to take, and what its store is known to lack.
    pub walk: WalkOptions,
    /// How many blobs are copied at a time.
    pub workers: NonZeroUsize,
    /// What of the source must be sound before anything gets a name, beside what is imported. What is imported is
    /// checked in any case.
    pub ledger: Option<Arc<Ledger>>,
}

impl Default for ImportOptions {
    /// Names stay, all platforms, and four at a time: enough to hide a registry's answering times, few enough for a
    /// slow disk.
    fn default() -> Self {
        let workers = NonZeroUsize::MIN.saturating_add(3);
        Self { mapping: Mapping::keep(), walk: WalkOptions::default(), workers, ledger: None }
    }
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// What was written.
    pub copied: Tally,
    /// What the destination had already.
    pub present: Tally,
    /// What has a name there now, by that name.
    pub roots: Vec<ImportedRoot>,
    /// Digest tags that something else had there, and kept: what lies under such a tag is judged by nobody here.
    pub kept: Vec<KeptName>,
}

/// A tag of the destination that an import left with what had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptName {
    /// The repository; `None` at a destination that is one place for all.
    pub repository: Option<Repository>,
    /// The tag, with what has it and what was brought for it.
    pub tag: KeptTag,
    /// Why.
    pub reason: KeptReason,
}

impl std::fmt::Display for KeptName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.repository {
            Some(repository) => write!(f, "{repository}:{}", self.tag.tag),
            None => write!(f, "{}", self.tag.tag),
        }
    }
}

/// Why a tag was left with what had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeptReason {
    /// What was brought for it is a cosign signature, attestation or SBOM, which nobody judged.
    NotJudged,
}

impl KeptReason {
    /// The receipt's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJudged => "not-judged",
        }
    }
}

/// Counts of content. A blob that goes to two repositories counts twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Manifests and indexes.
    pub manifests: u64,
    /// Other blobs.
    pub blobs: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// An artifact at its destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRoot {
    /// The name under which it was judged.
    pub reference: Reference,
    /// The name that it has now.
    pub destination: Reference,
    /// The artifact.
    pub descriptor: Descriptor,
    /// Why it was let in.
    pub ground: AdmissionGround,
    /// How many referrers came with it.
    pub referrers: u64,
}

/// Imports what was admitted.
///
/// For each artifact, everything that belongs to it is put: blobs, then manifests, each after what it names. Only when
/// all of all artifacts is there are names given: referrers and digest tags first, artifacts last. So whatever moment
/// the work ends at, nobody finds an incomplete artifact under a name, and doing it again completes it.
///
/// An artifact's name moves to it, for it was judged or somebody answers for it. A cosign digest tag (`sha256-<hex>.sig`,
/// `.att`, `.sbom`) that the destination has for something else stays there: what came under it was judged by nobody.
///
/// # Errors
/// Two artifacts would get one name, an artifact is incomplete, a store or sink failed, or the work was told to stop.
pub fn import(
    store: &dyn ContentStore,
    admissions: &[Admission],
    destination: &Destination<'_>,
    options: &ImportOptions,
    limits: &Limits,
    progress: &Arc<dyn Progress>,
) -> Result<ImportReport, ImportError> {
    or_cancelled(run(Cargo::Store(store), admissions, destination, options, limits, progress), progress.as_ref())
}

/// Imports what was admitted from a bundle that comes through a pipe, in one go. Names are given when all of it was
/// right, to the last byte behind the end of the archive.
///
/// # Errors
/// As [`import`]; and the pipe breaks off, or gives something else than it should.
pub fn import_stream(
    head: &BundleHead,
    tail: &mut BundleTail,
    admissions: &[Admission],
    destination: &Destination<'_>,
    options: &ImportOptions,
    limits: &Limits,
    progress: &Arc<dyn Progress>,
) -> Result<ImportReport, ImportError> {
    or_cancelled(run(Cargo::Stream(head, tail), admissions, destination, options, limits, progress), progress.as_ref())
}

/// Where content comes from.
enum Cargo<'a> {
    /// Any of it at any time
    Store(&'a dyn ContentStore),
    /// Blobs one after the other
    Stream(&'a BundleHead, &'a mut BundleTail),
}

fn run(
    cargo: Cargo<'_>,
    admissions: &[Admission],
    destination: &Destination<'_>,
    options: &ImportOptions,
    limits: &Limits,
    progress: &Arc<dyn Progress>,
) -> Result<ImportReport, ImportError> {
    let mut parcels = plan(admissions, destination, &options.mapping)?;
    let store = match &cargo {
        Cargo::Store(store) => *store,
        Cargo::Stream(head, _) => *head,
    };
    progress.stage(Stage::Discovering, None);
    for parcel in &mut parcels {
        parcel.fill(store, &options.walk, limits, progress.as_ref())?;
    }
    let total = parcels.iter().fold(0_u64, |sum, parcel| sum.saturating_add(parcel.bytes()));
    progress.stage(Stage::Importing, Some(total));
    let ledger = options.ledger.as_deref();
    let transfer = Transfer {
        store,
        progress,
        workers: options.workers,
        ledger,
        copied: Counter::default(),
        present: Counter::default(),
    };
    match cargo {
        Cargo::Store(_) => parcels.iter().try_for_each(|parcel| parcel.send(&transfer))?,
        Cargo::Stream(head, tail) => stream::send(&parcels, head, tail, &transfer)?,
    }
    if let Some(ledger) = ledger {
        ledger.settle(store, progress.as_ref())?;
    }
    progress.stage(Stage::Publishing, None);
    let (mut roots, mut kept) = (Vec::new(), Vec::new());
    for parcel in parcels {
        proceed(progress.as_ref())?;
        let tags = parcel.sink.publish(&parcel.publications())?;
        let named = |tag| KeptName { repository: parcel.repository.clone(), tag, reason: KeptReason::NotJudged };
        kept.extend(tags.into_iter().map(named));
        roots.extend(parcel.roots);
    }
    roots.sort_by(|a, b| a.destination.cmp(&b.destination));
    Ok(ImportReport { copied: transfer.copied.tally(), present: transfer.present.tally(), roots, kept })
}

/// What goes to one sink.
struct Parcel {
    sink: Arc<dyn ContentSink>,
    repository: Option<Repository>,
    roots: Vec<ImportedRoot>,
    manifests: BTreeMap<Digest, Arc<Manifest>>,
    /// Each blob and the manifest that names it.
    blobs: BTreeMap<Digest, (Descriptor, Digest)>,
    referrers: Vec<Referrer>,
}

/// Gives every artifact its name and sorts them by sink. Nothing is written if any name is wrong.
fn plan(
    admissions: &[Admission],
    destination: &Destination<'_>,
    mapping: &Mapping,
) -> Result<Vec<Parcel>, ImportError> {
    let mut by_place: BTreeMap<Option<Repository>, Vec<ImportedRoot>> = BTreeMap::new();
    for root in name_roots(admissions, mapping)? {
        let place = match destination {
            Destination::Single(_) => None,
            Destination::PerRepository(_) => Some(root.destination.repository.clone()),
        };
        by_place.entry(place).or_default().push(root);
    }
    let parcel = |(place, roots): (Option<Repository>, Vec<ImportedRoot>)| {
        let sink = match (destination, &place) {
            (Destination::Single(sink), _) => Arc::clone(sink),
            (Destination::PerRepository(open), Some(repository)) => open(repository)?,
            (Destination::PerRepository(_), None) => return Err(ImportError::NothingAdmitted),
        };
        let (manifests, blobs, referrers) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Ok(Parcel { sink, repository: place, roots, manifests, blobs, referrers })
    };
    by_place.into_iter().map(parcel).collect()
}

/// Maps every name, each of which may stand for one artifact only.
fn name_roots(admissions: &[Admission], mapping: &Mapping) -> Result<Vec<ImportedRoot>, ImportError> {
    if admissions.is_empty() {
        return Err(ImportError::NothingAdmitted);
    }
    let mut roots = Vec::new();
    let mut named: BTreeMap<Reference, Digest> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for admission in admissions {
        let destination = mapping.apply(admission.reference())?;
        let digest = admission.descriptor().digest;
        if let Some(first) = named.insert(naming_part(&destination), digest).filter(|first| *first != digest) {
            return Err(ImportError::NameTwice { reference: Box::new(destination), first, second: digest });
        }
        if seen.insert((admission.reference().clone(), destination.clone())) {
            roots.push(ImportedRoot {
                reference: admission.reference().clone(),
                destination,
                descriptor: admission.descriptor().bare(),
                ground: admission.ground(),
                referrers: 0,
            });
        }
    }
    Ok(roots)
}

impl Parcel {
    /// Finds everything that belongs to its artifacts.
    fn fill(
        &mut self,
        store: &dyn ContentStore,
        options: &WalkOptions,
        limits: &Limits,
        progress: &dyn Progress,
    ) -> Result<(), ImportError> {
        let walked = walk_each(store, &self.roots, |root| &root.descriptor, options, limits, progress).map_err(
            |(root, error)| ImportError::Closure { reference: root.reference.clone(), error: Box::new(error) },
        )?;
        for (root, found) in self.roots.iter_mut().zip(walked.each()) {
            root.referrers = u64::try_from(found.referrers.len()).unwrap_or(u64::MAX);
            root.descriptor = found.root.clone();
        }
        for found in walked.into_distinct() {
            for (digest, blob) in &found.blobs {
                let parent = found.parents.get(digest).copied().unwrap_or(found.root.digest);
                self.blobs.entry(*digest).or_insert_with(|| (blob.clone(), parent));
            }
            self.manifests.extend(found.manifests);
            self.referrers.extend(found.referrers);
        }
        self.referrers.sort_by(|a, b| closure::referrer_key(a).cmp(&closure::referrer_key(b)));
        self.referrers.dedup();
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let manifests = self.manifests.values().map(|manifest| manifest.descriptor().size);
        let blobs = self.blobs.values().map(|(blob, _)| blob.size);
        manifests.chain(blobs).fold(0, u64::saturating_add)
    }

    /// Puts everything, large blobs first so that none is left for the end.
    fn send(&self, transfer: &Transfer<'_>) -> Result<(), ImportError> {
        let mut blobs: Vec<_> = self.blobs.values().collect();
        blobs.sort_by_key(|(descriptor, _)| std::cmp::Reverse(descriptor.size));
        let jobs = blobs.into_iter().map(|(descriptor, parent)| Job::Blob { descriptor, parent: *parent });
        transfer.run(self.sink.as_ref(), &jobs.collect::<Vec<_>>())?;
        self.send_manifests(transfer)
    }

    fn send_manifests(&self, transfer: &Transfer<'_>) -> Result<(), ImportError> {
        for wave in order::waves(&self.manifests) {
            transfer.run(self.sink.as_ref(), &wave.into_iter().map(Job::Manifest).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// What becomes visible, in this order: referrers, digest tags, artifacts.
    fn publications(&self) -> Vec<Publication> {
        // What is found by its digest tag alone refers to nothing, and must not be listed as if it did.
        let subject = |referrer: &Referrer| self.manifests.get(&referrer.descriptor.digest)?.subject();
        let referrer = |referrer: &Referrer| Publication {
            descriptor: without_names(&referrer.descriptor),
            tag: referrer.tag.clone(),
            reference: None,
            subject: subject(referrer).map(|subject| subject.digest),
            rule: NameRule::Stays,
        };
        let root = |root: &ImportedRoot| Publication {
            descriptor: root.descriptor.clone(),
            tag: root.destination.tag.clone(),
            reference: Some(root.destination.clone()),
            subject: None,
            rule: NameRule::Moves,
        };
        let untagged = self.referrers.iter().filter(|referrer| referrer.tag.is_none());
        let tagged = self.referrers.iter().filter(|referrer| referrer.tag.is_some());
        untagged.chain(tagged).map(referrer).chain(self.roots.iter().map(root)).collect()
    }
}

/// A referrer's annotations are its author's, and a layout keeps names among annotations: nobody may name himself.
fn without_names(descriptor: &Descriptor) -> Descriptor {
    let mut descriptor = descriptor.clone();
    for name in [annotation::REF_NAME, annotation::CONTAINERD_NAME] {
        descriptor.annotations.remove(name);
    }
    descriptor
}
