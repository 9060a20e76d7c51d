//! One artifact under many names costs what it costs once: whoever makes a bundle gives it as many as he likes.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType, Target};
use bulla::ops::closure::{WalkOptions, walk};
use bulla::ops::collect::{CollectError, find, locate};
use bulla::ops::evidence_export::find_carried_crls;
use bulla::ops::import::{Destination, ImportOptions, import};
use bulla::ops::inspect::{Node, inspect};
use bulla::ops::progress::{NoProgress, Progress};
use bulla::ops::seal::SubjectSeal;
use bulla::ops::timestamp::{Stamp, candidates};
use bulla::ops::verify::{Depth, RootToVerify, Subject, Verification, VerifyError, verify};
use bulla::store::{ContentKind, ContentStore, NamedRoot, RawContent, Referrers, StoreError};
use bulla::trust::TrustStores;

use crate::collect::NOW;
use crate::import::admit;
use crate::memory::{Memory, Sample, sample};
use crate::revocation::{judging, strict};

/// Counts the manifests that are read, and how often all names are asked for.
struct Counting {
    store: Memory,
    read: AtomicUsize,
    listed: AtomicUsize,
}

impl ContentStore for Counting {
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError> {
        self.store.resolve(target)
    }

    fn open(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, StoreError> {
        self.read.fetch_add(usize::from(kind == ContentKind::Manifest), Ordering::Relaxed);
        self.store.open(descriptor, kind)
    }

    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError> {
        self.store.referrers(subject)
    }

    fn names(&self) -> Result<Vec<NamedRoot>, StoreError> {
        self.listed.fetch_add(1, Ordering::Relaxed);
        self.store.names()
    }
}

const NAMES: usize = 20;

fn roots(index: &Descriptor) -> Vec<RootToVerify> {
    let name = |number: usize| format!("h.io/app:{number}").parse().unwrap();
    (0..NAMES).map(|number| RootToVerify { descriptor: index.clone(), reference: Some(name(number)) }).collect()
}

fn judge(store: &dyn ContentStore, index: &Descriptor, limits: &Limits) -> Result<Verification, VerifyError> {
    let trust = strict(TrustStores::default());
    let judging = judging(&trust, NOW, None);
    let (omitted, listed) = (BTreeSet::new(), BTreeSet::new());
    let subject = Subject { store, roots: roots(index), omitted, listed, seal: SubjectSeal::NoBundle };
    verify(&subject, &Depth::Judge(judging), limits, &NoProgress)
}

fn counting() -> (Counting, Descriptor) {
    let Sample { store, index, .. } = sample();
    (Counting { store, read: AtomicUsize::new(0), listed: AtomicUsize::new(0) }, index)
}

/// What the sample has.
const MANIFESTS: usize = 10;

#[test]
fn every_manifest_is_read_once_whatever_names_lead_to_it() {
    let (store, index) = counting();
    let found = judge(&store, &index, &Limits::default()).unwrap();
    assert_eq!(store.read.swap(0, Ordering::Relaxed), MANIFESTS);
    assert_eq!(found.artifacts.len(), NAMES);
    let first = &found.artifacts[0];
    assert!(!first.outcome.as_ref().unwrap().signatures.is_empty());
    for (number, artifact) in found.artifacts.iter().enumerate() {
        assert_eq!(artifact.root.reference.as_ref().unwrap().to_string(), format!("h.io/app:{number}"));
        assert_eq!((&artifact.outcome, &artifact.parts), (&first.outcome, &first.parts));
    }
    let admissions: Vec<_> = (0..NAMES).map(|number| admit(&index, &format!("h.io/app:{number}"))).collect();
    let options = ImportOptions { workers: NonZeroUsize::MIN, ..ImportOptions::default() };
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    let sink = Destination::Single(Arc::new(Memory::default()));
    let report = import(&store, &admissions, &sink, &options, &Limits::default(), &progress).unwrap();
    assert_eq!(store.read.swap(0, Ordering::Relaxed), MANIFESTS);
    assert_eq!(report.roots.len(), NAMES);
    assert!(report.roots.iter().all(|root| root.referrers == 7));
    find_carried_crls(&store, &roots(&index), &BTreeSet::new(), &Limits::default(), &NoProgress).unwrap();
    assert_eq!(store.read.swap(0, Ordering::Relaxed), MANIFESTS);
}

/// A layout that was not written by bulla knows tags, and full names for some of them.
#[test]
fn a_store_is_asked_for_its_names_once_however_many_there_are() {
    let (mut store, index) = counting();
    let named = |number: usize, reference: Option<&str>| NamedRoot {
        descriptor: index.clone(),
        tag: Some(format!("v{number}").parse().unwrap()),
        reference: reference.map(|text| text.parse().unwrap()),
    };
    store.store.names = (0..NAMES).map(|number| named(number, None)).collect();
    for (number, name) in [(3, "h.io/app:v3"), (4, "h.io/app:v4"), (4, "h.io/other:v4")] {
        store.store.names.push(named(number, Some(name)));
    }
    // Mentioned once more.
    store.store.names.push(named(4, None));
    let store = Arc::new(store);
    let dynamic: Arc<dyn ContentStore> = store.clone();
    let found = find(&dynamic, None, None).unwrap();
    assert_eq!(store.listed.swap(0, Ordering::Relaxed), 2, "what there is, and what it is called");
    let of = |number: usize| -> Vec<String> {
        let tag = format!("v{number}");
        let own = found.iter().filter(|root| root.tag.as_ref().is_some_and(|found| found.as_str() == tag));
        own.map(|root| root.reference.as_ref().map_or("-".to_owned(), ToString::to_string)).collect()
    };
    assert_eq!(of(0), ["-"]);
    assert_eq!(of(3), ["h.io/app:v3", "h.io/app:v3"], "by either entry");
    assert_eq!(of(4), ["h.io/app:v4", "h.io/other:v4", "h.io/app:v4", "h.io/other:v4"]);
    let error = locate(&dynamic, None, None, None).unwrap_err();
    assert!(matches!(error, CollectError::NameMissing { .. }), "{error}");
}

#[test]
fn signatures_times_names_are_bounded() {
    let (store, index) = counting();
    let judged = judge(&store, &index, &Limits::default()).unwrap();
    let of = |root: &bulla::ops::verify::VerifiedRoot| {
        let outcomes = root.outcome.iter().chain(&root.parts);
        outcomes.map(|outcome| outcome.signatures.len()).sum::<usize>()
    };
    let all: usize = judged.artifacts.iter().map(of).sum();
    assert!(all > NAMES, "{all}");
    let limits = |all_signatures| Limits { all_signatures, ..Limits::default() };
    assert!(judge(&store, &index, &limits(all)).is_ok());
    let error = judge(&store, &index, &limits(all - 1)).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::ClosureTooLarge, "{error}");
}

#[test]
fn as_many_are_stamped_as_could_be_judged() {
    let (store, index) = counting();
    let options = WalkOptions::default();
    let found = |signatures| {
        let limits = Limits { signatures, ..Limits::default() };
        candidates(&store, &index, Stamp::All, &options, &limits, &NoProgress).map_err(|error| error.code())
    };
    let (stamped, passed) = found(1_000).unwrap();
    assert!(stamped.len() + passed.len() > 0);
    assert_eq!(found(0).unwrap_err(), DiagnosticCode::ClosureTooLarge);
}

/// A tree repeats what its branches share: however it is cut into artifacts, it is no larger.
#[test]
fn what_is_shown_is_bounded_whatever_names_lead_to_it() {
    let (store, index) = counting();
    let none = BTreeSet::new();
    let shown = |manifests| {
        let limits = Limits { manifests, ..Limits::default() };
        inspect(&store, &roots(&index), &none, &limits, &NoProgress).map_err(|error| error.code())
    };
    fn nodes(node: &Node) -> usize {
        1 + node.children.iter().chain(&node.referrers).map(nodes).sum::<usize>()
    }
    let all: usize = shown(200_000).unwrap().iter().map(|root| nodes(&root.node)).sum();
    assert!(all > NAMES * MANIFESTS, "{all}");
    assert!(shown(all).is_ok());
    assert_eq!(shown(all - 1).err(), Some(DiagnosticCode::ClosureTooDeep));
}

/// What manifests take in memory is counted, not what they take on a disk: short annotations take many times their text.
#[test]
fn manifests_are_counted_as_they_lie_in_memory() {
    let mut store = Memory::default();
    let annotations: serde_json::Map<_, _> = (0..2_000).map(|number| (format!("{number:x}"), "".into())).collect();
    let index = |number: usize, store: &mut Memory| {
        let document = serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [],
            "annotations": annotations, "artifactType": number.to_string()});
        store.document(MediaType::OCI_INDEX, &document)
    };
    let children: Vec<_> = (0..8).map(|number| index(number, &mut store)).collect();
    let text: u64 = children.iter().map(|child| child.size).sum();
    let root = store.index(&children);
    let walked = |manifest_memory| {
        let limits = Limits { manifest_memory, ..Limits::default() };
        walk(&store, &root, &WalkOptions::default(), &limits, &NoProgress).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(walked(50 * text), Ok(()));
    assert_eq!(walked(10 * text), Err(DiagnosticCode::ClosureTooLarge));
}

/// Many small indexes over one child with many referrers: nothing is there twice, and every artifact has all of it.
#[test]
fn what_artifacts_share_counts_for_each() {
    let mut store = Memory::default();
    let image = store.image(&[b"layer"]);
    for number in 0..30_u8 {
        store.referrer("application/x", &image, &[number]);
    }
    let index = |number: usize, store: &mut Memory| {
        store.document(
            MediaType::OCI_INDEX,
            &serde_json::json!({"schemaVersion": 2, "mediaType": MediaType::OCI_INDEX, "manifests": [image],
                "annotations": {"number": number.to_string()}}),
        )
    };
    let indexes: Vec<_> = (0..10).map(|number| index(number, &mut store)).collect();
    let roots: Vec<_> =
        indexes.iter().map(|index| RootToVerify { descriptor: index.clone(), reference: None }).collect();
    let verify = |limits: &Limits| {
        let (omitted, listed) = (BTreeSet::new(), BTreeSet::new());
        let subject = Subject { store: &store, roots: roots.clone(), omitted, listed, seal: SubjectSeal::NoBundle };
        verify(&subject, &Depth::Integrity, limits, &NoProgress).map(|_| ()).map_err(|error| error.code())
    };
    // Ten times an index, the image and its referrers; configuration and layer, the empty one, and a layer of each.
    let (manifests, blobs) = (10 * 32, 10 * 33);
    assert_eq!(verify(&Limits { manifests, blobs, ..Limits::default() }), Ok(()));
    let too_large = Err(DiagnosticCode::ClosureTooLarge);
    assert_eq!(verify(&Limits { manifests: manifests - 1, ..Limits::default() }), too_large);
    assert_eq!(verify(&Limits { blobs: blobs - 1, ..Limits::default() }), too_large);
}
