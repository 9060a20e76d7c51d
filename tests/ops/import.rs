//! Importing: content first, names last, twice is once.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, Repository, Tag};
use bulla::ops::import::{
    Admission, AdmissionGround, Allow, Destination, ImportError, ImportOptions, ImportReport, KeptName, KeptReason,
    Mapping, Tally, import,
};
use bulla::ops::progress::{NoProgress, Progress, Stage};
use bulla::store::{ContentSink, KeptTag, StoreError};

use crate::memory::{Memory, Sample, sample};

pub(crate) fn admit(descriptor: &Descriptor, name: &str) -> Admission {
    Admission::allowed(descriptor.clone(), name.parse().unwrap(), Allow::Unsigned)
}

fn into(
    store: &Memory,
    admissions: &[Admission],
    sink: &Arc<Memory>,
    options: &ImportOptions,
) -> Result<ImportReport, ImportError> {
    let sink: Arc<dyn ContentSink> = sink.clone();
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    import(store, admissions, &Destination::Single(sink), options, &Limits::default(), &progress)
}

#[test]
fn everything_arrives_and_names_come_last() {
    let Sample { store, index, amd64, signature, cosign, .. } = &sample();
    let sink = Arc::new(Memory::default());
    let allowed = admit(amd64, "h.io/app:amd");
    let report = into(store, &[admit(index, "h.io/app:v1"), allowed], &sink, &ImportOptions::default()).unwrap();
    assert_eq!((report.copied.manifests, report.copied.blobs), (10, 15));
    assert_eq!(report.present, Tally::default());
    assert_eq!(report.roots.len(), 2);
    assert_eq!(report.roots[0].destination.to_string(), "h.io/app:amd");
    assert_eq!(report.roots[0].ground, AdmissionGround::Allowed(Allow::Unsigned));
    assert_eq!(report.roots[1].referrers, 7);
    // Referrers after their subjects.
    let log = sink.log.lock().unwrap();
    let place = |descriptor: &Descriptor| log.iter().position(|digest| *digest == descriptor.digest).unwrap();
    assert!(place(amd64) < place(index) && place(index) < place(signature));
    let published = sink.published.lock().unwrap();
    let kinds: Vec<_> = published.iter().map(|entry| (entry.subject.is_none(), entry.tag.is_some())).collect();
    let mut sorted = kinds.clone();
    sorted.sort();
    assert_eq!(kinds, sorted, "referrers, then digest tags, then artifacts");
    let tags = sink.tagged();
    assert_eq!(tags["v1"], index.digest);
    assert_eq!(tags[&format!("sha256-{}.sig", index.digest.hex())], cosign.digest);
}

/// Nobody judges what lies under a digest tag; who brings another does not take away what is there.
#[test]
fn digest_tags_of_the_destination_stay() {
    let Sample { store, index, arm64, cosign, cosign_sbom, .. } = &sample();
    let [signatures, sboms] = [(index, "sig"), (arm64, "sbom")]
        .map(|(subject, kind)| format!("sha256-{}.{kind}", subject.digest.hex()).parse::<Tag>().unwrap());
    let theirs = Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"theirs");
    let mut sink = Memory::default();
    sink.tag(signatures.as_str(), &theirs);
    // The same is no other, and an artifact's name moves.
    sink.tag(sboms.as_str(), cosign_sbom);
    sink.tag("v1", &theirs);
    let sink = Arc::new(sink);
    let expected = [KeptName {
        repository: None,
        tag: KeptTag { tag: signatures.clone(), kept: theirs.digest, brought: cosign.digest },
        reason: KeptReason::NotJudged,
    }];
    for _ in 0..2 {
        let report = into(store, &[admit(index, "h.io/app:v1")], &sink, &ImportOptions::default()).unwrap();
        assert_eq!(report.kept, expected);
        let tags = sink.tagged();
        assert_eq!((tags["v1"], tags[signatures.as_str()]), (index.digest, theirs.digest));
        assert_eq!(tags[sboms.as_str()], cosign_sbom.digest);
        assert!(sink.holds(&cosign.digest), "its content is there all the same");
    }
}

#[test]
fn a_second_import_copies_nothing() {
    let Sample { store, index, .. } = &sample();
    let sink = Arc::new(Memory::default());
    let admissions = [admit(index, "h.io/app:v1")];
    let first = into(store, &admissions, &sink, &ImportOptions::default()).unwrap();
    let second = into(store, &admissions, &sink, &ImportOptions::default()).unwrap();
    assert_eq!((second.copied, second.present), (Tally::default(), first.copied));
    assert_eq!(second.roots, first.roots);
}

#[test]
fn whenever_it_fails_no_name_is_there_and_a_second_run_completes_it() {
    for workers in [1, 3] {
        let options = ImportOptions { workers: NonZeroUsize::new(workers).unwrap(), ..ImportOptions::default() };
        for puts in 0..25 {
            let Sample { store, index, .. } = &sample();
            let admissions = [admit(index, "h.io/app:v1")];
            let mut sink = Memory::default();
            sink.puts_left = Some(AtomicUsize::new(puts));
            let shared = Arc::new(sink);
            let error = into(store, &admissions, &shared, &options).unwrap_err();
            assert_eq!(error.code(), DiagnosticCode::StorageFull);
            assert!(error.hint().is_some());
            sink = Arc::into_inner(shared).unwrap();
            assert!(sink.tagged().is_empty() && sink.published.lock().unwrap().is_empty());
            assert_eq!(sink.log.lock().unwrap().len(), puts);
            sink.puts_left = None;
            let shared = Arc::new(sink);
            let report = into(store, &admissions, &shared, &options).unwrap();
            assert_eq!(report.copied.manifests + report.copied.blobs, 25 - u64::try_from(puts).unwrap());
            assert_eq!(shared.tagged()["v1"], index.digest);
        }
    }
}

#[test]
fn what_is_missing_or_damaged_is_not_imported() {
    for (damage, expected) in [(false, DiagnosticCode::BlobMissing), (true, DiagnosticCode::BlobDigestMismatch)] {
        let Sample { mut store, index, .. } = sample();
        let layer = Digest::sha256(b"shared");
        if damage {
            store.corrupt(&layer)
        } else {
            assert!(store.hidden.insert(layer))
        }
        let sink = Arc::new(Memory::default());
        let error = into(&store, &[admit(&index, "h.io/app:v1")], &sink, &ImportOptions::default()).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(sink.tagged().is_empty() && !sink.holds(&layer) && !sink.holds(&index.digest));
    }
}

#[test]
fn each_repository_gets_its_own() {
    let mut store = Memory::default();
    let (a, b) = (store.image(&[b"shared", b"a"]), store.image(&[b"shared", b"b"]));
    let sinks: Mutex<std::collections::BTreeMap<String, Arc<Memory>>> = Mutex::default();
    let open = |repository: &Repository| -> Result<Arc<dyn ContentSink>, StoreError> {
        let sink = Arc::clone(sinks.lock().unwrap().entry(repository.to_string()).or_default());
        Ok(sink)
    };
    let mut mapping = Mapping::below("registry.local/mirror").unwrap();
    mapping.add_rule("b.io/team=registry.local/ours").unwrap();
    let options = ImportOptions { mapping, ..ImportOptions::default() };
    let progress: Arc<dyn Progress> = Arc::new(NoProgress);
    let admissions = [admit(&a, "a.io/app:v1"), admit(&b, "b.io/team/app:v1")];
    let destination = Destination::PerRepository(&open);
    let report = import(&store, &admissions, &destination, &options, &Limits::default(), &progress).unwrap();
    let names: Vec<_> = report.roots.iter().map(|root| root.destination.to_string()).collect();
    assert_eq!(names, ["registry.local/mirror/app:v1", "registry.local/ours/app:v1"]);
    let sinks = sinks.lock().unwrap();
    assert_eq!(sinks.keys().collect::<Vec<_>>(), ["registry.local/mirror/app", "registry.local/ours/app"]);
    assert_eq!(sinks["registry.local/mirror/app"].tagged()["v1"], a.digest);
    assert!(!sinks["registry.local/mirror/app"].holds(&b.digest));
    assert!(sinks["registry.local/ours/app"].holds(&Digest::sha256(b"shared")));
}

#[test]
fn two_artifacts_never_get_one_name() {
    let mut store = Memory::default();
    let (a, b) = (store.image(&[b"a"]), store.image(&[b"b"]));
    let options = ImportOptions { mapping: Mapping::below("registry.local").unwrap(), ..ImportOptions::default() };
    let sink = Arc::new(Memory::default());
    let clash = into(&store, &[admit(&a, "a.io/app:v1"), admit(&b, "b.io/app:v1")], &sink, &options).unwrap_err();
    assert!(matches!(clash, ImportError::NameTwice { .. }));
    assert_eq!(clash.code(), DiagnosticCode::UsageInvalid);
    assert!(sink.log.lock().unwrap().is_empty());
    // The same artifact twice is no clash.
    assert!(into(&store, &[admit(&a, "a.io/app:v1"), admit(&a, "b.io/app:v1")], &sink, &options).is_ok());
    assert_eq!(into(&store, &[], &sink, &options).unwrap_err().code(), DiagnosticCode::ArtifactNotTrusted);
}

#[test]
fn children_that_were_left_out_at_export_are_no_obstacle() {
    let Sample { mut store, index, arm64, .. } = sample();
    store.hidden.insert(arm64.digest);
    let mut options = ImportOptions::default();
    let sink = Arc::new(Memory::default());
    assert!(into(&store, &[admit(&index, "h.io/app:v1")], &sink, &options).is_err());
    options.walk.known_omitted = BTreeSet::from([arm64.digest]);
    // A registry may refuse an index whose children are not all there; a layout does not.
    let mut lenient = Memory::default();
    lenient.lenient = true;
    let sink = Arc::new(lenient);
    into(&store, &[admit(&index, "h.io/app:v1")], &sink, &options).unwrap();
    assert_eq!(sink.tagged()["v1"], index.digest);
    assert!(!sink.holds(&arm64.digest));
}

/// Stops at the first byte that is imported.
struct StopImporting(Mutex<Stage>, AtomicUsize);

impl Progress for StopImporting {
    fn stage(&self, what: Stage, _: Option<u64>) {
        *self.0.lock().unwrap() = what;
    }
    fn advance(&self, _: u64) {
        if *self.0.lock().unwrap() == Stage::Importing {
            self.1.store(1, Ordering::SeqCst);
        }
    }
    fn done(&self) {}
    fn cancelled(&self) -> bool {
        self.1.load(Ordering::SeqCst) > 0
    }
}

#[test]
fn a_cancelled_import_gives_no_name() {
    let Sample { store, index, .. } = &sample();
    let sink = Arc::new(Memory::default());
    let progress: Arc<dyn Progress> = Arc::new(StopImporting(Mutex::new(Stage::Discovering), AtomicUsize::new(0)));
    let destination = Destination::Single(sink.clone());
    let admissions = [admit(index, "h.io/app:v1")];
    let result = import(store, &admissions, &destination, &ImportOptions::default(), &Limits::default(), &progress);
    assert_eq!(result.unwrap_err().code(), DiagnosticCode::Interrupted);
    assert!(sink.tagged().is_empty());
    assert!(into(store, &admissions, &sink, &ImportOptions::default()).is_ok());
}
