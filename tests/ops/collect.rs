//! Locating, collecting and packing.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bulla::archive::{
    BundleInventory, BundleWriter, CarriedCrl, Companions, Compression, EvidenceRecord, Omission, OutputFile,
    PlatformRecord, SignatureRecord, names,
};
use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::oci::{Descriptor, MediaType, Platform, Reference, Target};
use bulla::ops::closure::WalkOptions;
use bulla::ops::collect::{CollectError, Collection, Source, collect, locate};
use bulla::ops::pack::{Supplies, inventory, pack, pack_file};
use bulla::ops::progress::{NoProgress, Progress, Stage};
use bulla::store::{ContentKind, ContentStore, NamedRoot};
use bulla::time::UnixTime;
use serde_json::json;

use crate::memory::{Memory, Sample, sample, tag};

pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn source(store: &Arc<dyn ContentStore>, descriptor: &Descriptor, name: &str) -> Source {
    Source { store: Arc::clone(store), descriptor: descriptor.clone(), reference: reference(name) }
}

pub(crate) fn gather(sources: Vec<Source>, options: &WalkOptions) -> Result<Collection, CollectError> {
    collect(sources, options, &Limits::default(), &NoProgress)
}

fn nobody() -> Arc<dyn Progress> {
    Arc::new(NoProgress)
}

fn write(collection: &Collection, supplies: &Supplies, inventory: &BundleInventory) -> Vec<u8> {
    let writer = BundleWriter::new(Vec::new(), inventory, Compression::None).unwrap();
    pack(collection, supplies, inventory, writer, &nobody()).unwrap()
}

#[test]
fn a_source_is_asked_for_by_tag_digest_or_both() {
    let Sample { store, index, amd64, .. } = sample();
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let name = |text: &str| locate(&store, None, Some(&reference(text)), None);
    let found = name("h.io/app:v1").unwrap();
    assert_eq!((found[0].descriptor.digest, found[0].reference.to_string()), (index.digest, "h.io/app:v1".into()));
    let both = format!("h.io/app:v1@{}", index.digest);
    assert_eq!(name(&both).unwrap()[0].reference.to_string(), both);
    let other = name(&format!("h.io/app:v1@{}", amd64.digest)).unwrap_err();
    assert!(
        matches!(other, CollectError::DigestMismatch { expected, found } if expected == amd64.digest && found == index.digest)
    );
    let by_digest = format!("h.io/app@{}", amd64.digest);
    assert_eq!(name(&by_digest).unwrap()[0].reference.to_string(), by_digest);
    assert_eq!(name("h.io/app:v2").unwrap_err().code(), DiagnosticCode::NotFound);
    assert_eq!(name("h.io/app").unwrap_err().code(), DiagnosticCode::ReferenceAmbiguous);
}

#[test]
fn what_has_no_name_must_get_one() {
    let Sample { store, index, .. } = sample();
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let target = Target::Tag(tag("v1"));
    let nameless = locate(&store, Some(&target), None, None).unwrap_err();
    assert_eq!(nameless.code(), DiagnosticCode::NameMissing);
    assert!(nameless.hint().is_some());
    let named = locate(&store, Some(&target), None, Some(&reference("h.io/app:stable"))).unwrap();
    assert_eq!(named[0].reference.to_string(), "h.io/app:stable");
    let bare = locate(&store, Some(&target), None, Some(&reference("h.io/app"))).unwrap();
    assert_eq!(bare[0].reference.to_string(), format!("h.io/app@{}", index.digest));
    let wrong = reference(&format!("h.io/app@{}", Digest::sha256(b"other")));
    assert!(locate(&store, Some(&target), None, Some(&wrong)).is_err());
}

#[test]
fn with_nothing_asked_for_everything_named_is_meant() {
    let Sample { mut store, index, amd64, cosign, .. } = sample();
    let root = |descriptor: &Descriptor, name: Option<&str>, full: Option<&str>| NamedRoot {
        descriptor: descriptor.bare(),
        tag: name.map(tag),
        reference: full.map(reference),
    };
    store.tag("amd", &amd64);
    let digest_tag = format!("sha256-{}.sig", index.digest.hex());
    let schema_tag = format!("sha256-{}", index.digest.hex());
    store.names = vec![
        root(&index, Some("v1"), Some("h.io/app:v1")),
        root(&amd64, Some("amd"), Some("h.io/app:amd")),
        root(&cosign, Some(&digest_tag), None),
        root(&cosign, Some(&schema_tag), None),
        root(&cosign, None, None),
        root(&amd64, Some(&digest_tag), Some(&format!("h.io/app:{digest_tag}"))),
    ];
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let found = locate(&store, None, None, None).unwrap();
    assert_eq!(
        found.iter().map(|found| found.reference.to_string()).collect::<Vec<_>>(),
        ["h.io/app:v1".to_owned(), "h.io/app:amd".to_owned(), format!("h.io/app:{digest_tag}")],
        "a digest tag with a full name is an artifact that somebody lists"
    );
    let one_name = locate(&store, None, None, Some(&reference("h.io/x:y"))).unwrap_err();
    assert_eq!(one_name.code(), DiagnosticCode::ReferenceAmbiguous);
    // The store's own name is used where one was asked for by tag.
    let found = locate(&store, Some(&Target::Tag(tag("amd"))), None, None).unwrap();
    assert_eq!(found[0].reference.to_string(), "h.io/app:amd");
}

#[test]
fn roots_share_what_they_have_in_common() {
    let (mut first, mut second) = (Memory::default(), Memory::default());
    let (a, b) = (first.image(&[b"base", b"a"]), second.image(&[b"base", b"b"]));
    // The first store lists the base layer but does not have it: the second one does.
    first.hidden.insert(Digest::sha256(b"base"));
    let (first, second): (Arc<dyn ContentStore>, Arc<dyn ContentStore>) = (Arc::new(first), Arc::new(second));
    let sources =
        vec![source(&first, &a, "h.io/a:v1"), source(&second, &b, "h.io/b:v1"), source(&first, &a, "h.io/a:v1")];
    let collection = gather(sources, &WalkOptions::default()).unwrap();
    assert_eq!(collection.roots.len(), 2);
    // Two configurations, three layers, two manifests.
    assert_eq!((collection.extent().manifests, collection.extent().blobs), (2, 5));
    assert_eq!(collection.fetch(&Digest::sha256(b"base"), 100).unwrap(), b"base");
    assert_eq!(collection.fetch(&Digest::sha256(b"base"), 3).unwrap_err().code(), DiagnosticCode::LimitExceeded);
    assert!(collection.fetch(&Digest::sha256(b"elsewhere"), 3).is_err());
    let inventory = inventory(&collection, &Supplies::default(), NOW, "bulla/test").unwrap();
    let bytes = write(&collection, &Supplies::default(), &inventory);
    assert_eq!(entries(&bytes).len(), 2 + 2 + 2 + 5 + 1);
}

#[test]
fn sources_may_not_contradict_each_other() {
    let (mut first, mut second) = (Memory::default(), Memory::default());
    let a = first.image(&[b"base"]);
    let config = second.add(MediaType::OCI_EMPTY, b"{}");
    let lie = Descriptor::new("x/y", Digest::sha256(b"base"), 5);
    let b = second.manifest(json!({"config": config, "layers": [lie]}));
    let c = second.image(&[b"other"]);
    let (first, second): (Arc<dyn ContentStore>, Arc<dyn ContentStore>) = (Arc::new(first), Arc::new(second));
    let sizes = vec![source(&first, &a, "h.io/a:v1"), source(&second, &b, "h.io/b:v1")];
    assert_eq!(gather(sizes, &WalkOptions::default()).unwrap_err().code(), DiagnosticCode::BlobSizeMismatch);
    let names = vec![source(&first, &a, "h.io/a:v1"), source(&second, &c, "h.io/a:v1")];
    assert!(matches!(gather(names, &WalkOptions::default()), Err(CollectError::NameTwice { .. })));
    // The same image in two repositories, with different cosign signatures.
    let stores = [b"one", b"two"].map(|signature| {
        let mut store = Memory::default();
        let (image, signature) = (store.image(&[b"base"]), store.image(&[signature]));
        store.digest_tag(&image.digest, "sig", &signature);
        let store: Arc<dyn ContentStore> = Arc::new(store);
        (store, image)
    });
    let [one, two] = &stores;
    let tags = vec![source(&one.0, &one.1, "a.io/app:v1"), source(&two.0, &two.1, "b.io/app:v1")];
    assert!(matches!(gather(tags, &WalkOptions::default()), Err(CollectError::DigestTagTwice { .. })));
}

/// Name and content of every entry, read by the tar crate.
fn entries(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let name = entry.path().unwrap().display().to_string();
        assert!(found.insert(name, content).is_none());
    }
    found
}

/// Evidence for the sample's signature of the index.
pub(crate) fn supplies(sample: &Sample) -> Supplies {
    let crl: Arc<[u8]> = Arc::from(&b"a CRL"[..]);
    let carried = CarriedCrl {
        digest: Digest::sha256(&crl),
        size: 5,
        issuer: "CN=Test CA".into(),
        urls: vec!["http://crl.example/ca.crl".into()],
        this_update: NOW,
        next_update: Some(UnixTime::from_seconds(1_800_000_000)),
        number: None,
        base_number: None,
    };
    let empty = Descriptor::of(MediaType::OCI_EMPTY, b"{}");
    let manifest = json!({"schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": names::EVIDENCE,
        "config": empty, "layers": [Descriptor::of(names::CRL, &crl)], "subject": sample.signature.bare()});
    let manifest: Arc<[u8]> = serde_json::to_vec(&manifest).unwrap().into();
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    let signature = SignatureRecord {
        digest: sample.signature.digest,
        subject: sample.index.digest,
        envelope: Some(Digest::sha256(b"envelope")),
        envelope_media_type: Some("application/jose+json".into()),
        evidence: Some(descriptor.digest),
        missing: Vec::new(),
    };
    Supplies {
        evidence_manifests: vec![(descriptor, manifest)],
        evidence: vec![(EvidenceRecord::Crl(carried), crl)],
        signatures: vec![signature],
    }
}

#[test]
fn the_inventory_says_what_there_is_in_one_way_only() {
    let sample = sample();
    let supplies = supplies(&sample);
    let Sample { store, index, amd64, arm64, attestation, signature, .. } = sample;
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let sources = vec![source(&store, &index, "h.io/app:v1"), source(&store, &arm64, "h.io/app:arm")];
    let make =
        |sources| inventory(&gather(sources, &WalkOptions::default()).unwrap(), &supplies, NOW, "bulla/test").unwrap();
    let found = make(sources.clone());
    found.validate().unwrap();
    assert_eq!(found, make(sources.iter().rev().cloned().collect()));
    assert_eq!(BundleInventory::parse(&found.to_bytes().unwrap()).unwrap(), found);
    let evidence = found.referrers.iter().find(|record| {
        record.subject == signature.digest && record.artifact_type.as_ref().is_some_and(|kind| *kind == names::EVIDENCE)
    });
    assert_eq!(evidence.unwrap().digest, supplies.evidence_manifests[0].0.digest);
    assert_eq!(found.roots.len(), 2);
    let root = found.roots.iter().find(|root| root.digest == index.digest).unwrap();
    let mut platforms: Vec<_> = [&amd64, &arm64, &attestation]
        .map(|child| PlatformRecord { digest: child.digest, platform: child.platform.clone(), omitted: false })
        .into();
    platforms.sort();
    assert_eq!(root.platforms, platforms);
    assert_eq!(found.totals.evidence_current_until, Some(UnixTime::from_seconds(1_800_000_000)));
    let empty = Descriptor::of(MediaType::OCI_EMPTY, b"{}").digest;
    assert!(found.blobs.iter().any(|blob| blob.digest == empty));
}

#[test]
fn a_bundle_holds_every_byte_once_and_is_always_the_same() {
    let sample = sample();
    let supplies = supplies(&sample);
    let Sample { store, index, .. } = sample;
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let collection = gather(vec![source(&store, &index, "h.io/app:v1")], &WalkOptions::default()).unwrap();
    let inventory = inventory(&collection, &supplies, NOW, "bulla/test").unwrap();
    let bytes = write(&collection, &supplies, &inventory);
    assert_eq!(bytes, write(&collection, &supplies, &inventory));
    let entries = entries(&bytes);
    // oci-layout, index.json, the bundle manifest and its layer; 10 manifests and 15 blobs; one evidence manifest and CRL.
    assert_eq!(entries.len(), 4 + 25 + 2);
    for blob in &inventory.blobs {
        let content = &entries[&bulla::oci::blob_path(&blob.digest)];
        assert_eq!(blob.digest.algorithm().digest(content), blob.digest);
    }
}

#[test]
fn a_bundle_without_some_platforms_says_so() {
    let Sample { store, index, amd64, arm64, .. } = sample();
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let options = WalkOptions { platforms: vec![Platform::parse("linux/amd64").unwrap()], ..WalkOptions::default() };
    let one = vec![source(&store, &index, "h.io/app:v1")];
    let found = inventory(&gather(one.clone(), &options).unwrap(), &Supplies::default(), NOW, "bulla/test").unwrap();
    assert_eq!(
        found.omitted.iter().map(|omitted| (omitted.digest, omitted.reason)).collect::<Vec<_>>(),
        [(arm64.digest, Omission::Platform)]
    );
    let omitted = |digest: &Digest, found: &BundleInventory| {
        let mut platforms = found.roots.iter().flat_map(|root| &root.platforms);
        platforms.find(|platform| platform.digest == *digest).unwrap().omitted
    };
    assert!(omitted(&arm64.digest, &found) && !omitted(&amd64.digest, &found));
    // What another root brings along was not left out.
    let both = [one, vec![source(&store, &arm64, "h.io/app:arm")]].concat();
    let collection = gather(both, &options).unwrap();
    let names: Vec<_> = collection.roots.iter().map(|root| root.reference.to_string()).collect();
    assert_eq!(names, ["h.io/app:arm", "h.io/app:v1"]);
    assert!(collection.omitted.is_empty());
    let found = inventory(&collection, &Supplies::default(), NOW, "bulla/test").unwrap();
    assert!(found.omitted.is_empty() && !omitted(&arm64.digest, &found));
    found.validate().unwrap();
}

#[test]
fn missing_and_damaged_blobs_end_the_packing() {
    for (damage, expected) in [(false, DiagnosticCode::BlobMissing), (true, DiagnosticCode::BlobDigestMismatch)] {
        let mut store = Memory::default();
        let image = store.image(&[b"layer"]);
        let layer = Digest::sha256(b"layer");
        if damage {
            store.corrupt(&layer)
        } else {
            assert!(store.hidden.insert(layer))
        }
        let store: Arc<dyn ContentStore> = Arc::new(store);
        let collection = gather(vec![source(&store, &image, "h.io/app:v1")], &WalkOptions::default()).unwrap();
        let inventory = inventory(&collection, &Supplies::default(), NOW, "bulla/test").unwrap();
        let writer = BundleWriter::new(std::io::sink(), &inventory, Compression::None).unwrap();
        let error = pack(&collection, &Supplies::default(), &inventory, writer, &nobody()).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.to_string().contains(&layer.to_string()), "{error}");
    }
}

/// Small blobs are read several at a time, in batches of a number and of a sum of bytes; large ones are not.
#[test]
fn what_is_read_ahead_comes_in_its_place() {
    let mut store = Memory::default();
    let size = |number: u64| match number {
        0 => 1 << 20,
        _ if number % 50 == 1 => (1 << 20) - 1,
        _ => 8,
    };
    let layer = |number: u64| number.to_be_bytes().into_iter().cycle().take(size(number)).collect();
    let layers: Vec<Vec<u8>> = (0..1_300).map(layer).collect();
    let image = store.image(&layers.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let collection = gather(vec![source(&store, &image, "h.io/app:v1")], &WalkOptions::default()).unwrap();
    let inventory = inventory(&collection, &Supplies::default(), NOW, "bulla/test").unwrap();
    let mut one_by_one = BundleWriter::new(Vec::new(), &inventory, Compression::None).unwrap();
    for blob in &inventory.blobs {
        let kind = if blob.manifest { ContentKind::Manifest } else { ContentKind::Blob };
        // The bundle manifest's own empty configuration comes from the writer.
        let Some(content) = store.open(&blob.descriptor(), kind).unwrap() else { continue };
        one_by_one.copy(&blob.descriptor(), content).unwrap();
    }
    let expected = one_by_one.finish().unwrap();
    assert!(write(&collection, &Supplies::default(), &inventory) == expected, "through a pipe");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.tar");
    let file = OutputFile::create(&path).unwrap();
    let packed = pack_file(&collection, &Supplies::default(), &inventory, Companions::default(), file, &nobody());
    packed.unwrap().commit().unwrap();
    assert!(std::fs::read(&path).unwrap() == expected, "into a file");
}

/// Asks to stop once so many bytes of a stage are done.
struct StopAt(Stage, AtomicU64, std::sync::Mutex<Option<Stage>>);

impl Progress for StopAt {
    fn stage(&self, what: Stage, _: Option<u64>) {
        *self.2.lock().unwrap() = Some(what);
    }
    fn advance(&self, bytes: u64) {
        if *self.2.lock().unwrap() == Some(self.0) {
            let left = self.1.load(Ordering::SeqCst);
            self.1.store(left.saturating_sub(bytes), Ordering::SeqCst);
        }
    }
    fn done(&self) {}
    fn cancelled(&self) -> bool {
        self.1.load(Ordering::SeqCst) == 0
    }
}

#[test]
fn cancelled_work_ends_as_interrupted() {
    let mut store = Memory::default();
    let image = store.image(&[&vec![1; 2 << 20]]);
    let store: Arc<dyn ContentStore> = Arc::new(store);
    let stop = |stage, after| StopAt(stage, AtomicU64::new(after), std::sync::Mutex::new(None));
    let sources = vec![source(&store, &image, "h.io/app:v1")];
    let error = collect(sources.clone(), &WalkOptions::default(), &Limits::default(), &stop(Stage::Discovering, 0));
    assert_eq!(error.unwrap_err().code(), DiagnosticCode::Interrupted);
    let collection = gather(sources, &WalkOptions::default()).unwrap();
    let inventory = inventory(&collection, &Supplies::default(), NOW, "bulla/test").unwrap();
    let writer = BundleWriter::new(std::io::sink(), &inventory, Compression::None).unwrap();
    let progress: Arc<dyn Progress> = Arc::new(stop(Stage::Packing, 1 << 20));
    let error = pack(&collection, &Supplies::default(), &inventory, writer, &progress).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), DiagnosticCode::Interrupted);
}

/// What could not be judged is not exported; nothing of it is read to find that out.
#[test]
fn floods_of_signatures_and_evidence_are_refused_before_they_are_read() {
    let limits = Limits::default();
    let with = |signatures: usize, crls: u64, responses: u64, bytes: u64| {
        let mut store = Memory::default();
        let image = store.image(&[b"base"]);
        for number in 0..signatures {
            store.referrer("application/vnd.cncf.notary.signature", &image, &number.to_be_bytes());
        }
        let config = store.add(MediaType::OCI_EMPTY, b"{}");
        let layer = |kind: &str, number: u64, size: u64| json!({"mediaType": kind, "digest": Digest::sha256(format!("{kind} {number}").as_bytes()), "size": size});
        let crls = (0..crls).map(|number| layer(names::CRL, number, limits.crl_bytes));
        let responses = (0..responses).map(|number| layer(names::OCSP, number, bytes));
        store.manifest(json!({"artifactType": names::EVIDENCE, "config": config, "subject": image.bare(),
            "layers": crls.chain(responses).collect::<Vec<_>>()}));
        let store: Arc<dyn ContentStore> = Arc::new(store);
        gather(vec![source(&store, &image, "h.io/a:v1")], &WalkOptions::default()).map(drop)
    };
    let most = limits.ocsp_bytes;
    with(limits.signatures, 3, 64 - 1, most).unwrap();
    // A response that is too large is not read at all, so it costs nothing.
    with(0, 3, 100, most + 1).unwrap();
    for (signatures, crls, responses) in [(limits.signatures + 1, 0, 0), (0, 5, 0), (0, 3, 65), (0, 0, 257)] {
        let error = with(signatures, crls, responses, most).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::ClosureTooLarge, "{signatures} {crls} {responses}");
        assert!(error.hint().is_some());
    }
}
