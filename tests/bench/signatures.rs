//! Many signed artifacts in one bundle: how many signatures a second are judged, beside what the same number of bare
//! ECDSA P-256 verifications cost on the same cores.
//!
//! `cargo bench --bench signatures [-- COUNT]`, 10,000 artifacts if no count is given. Medians of five runs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends where it fails"
)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulla::archive::{BundleWriter, Compression};
use bulla::config::{load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::notary::SignatureManifestForm;
use bulla::oci::{Descriptor, MediaType, Reference};
use bulla::ops::closure::WalkOptions;
use bulla::ops::collect::{Source, collect};
use bulla::ops::integrity::map_in_parallel;
use bulla::ops::pack::{inventory, pack};
use bulla::ops::progress::{NoProgress, Progress};
use bulla::ops::supply::{GapPolicy, Sources, supply};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, verify};
use bulla::pki::{Certificate, Crl, HashAlgorithm, SignatureScheme};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::{LocalKey, LocalSigner, SignatureArtifact, Signer as _, SigningOptions, sign_jws};
use bulla::store::bundle::BundleStore;
use bulla::store::memory::MemoryStore;
use bulla::store::{ContentStore, NamedRoot};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::trust::Trust;
use bulla::verification::{Freshness, RevocationReading, Verdict};

const RUNS: usize = 5;

struct World {
    folder: tempfile::TempDir,
    signer: LocalSigner,
    trust: Trust,
    now: UnixTime,
}

fn main() {
    let count = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(10_000);
    let world = World::create();
    let started = Instant::now();
    let bundle = world.bundle(count);
    println!("{count} signed artifacts, exported in {:.1} s", started.elapsed().as_secs_f64());
    let judged = median(|| world.judge(&bundle, count));
    let limit = median(|| world.bare_verifications(count));
    let rate = |time: Duration| f64::from(u32::try_from(count).expect("a count")) / time.as_secs_f64();
    println!("judged     {:>8.0} signatures a second ({:.2} s)", rate(judged), judged.as_secs_f64());
    println!("bare ECDSA {:>8.0} verifications a second ({:.2} s)", rate(limit), limit.as_secs_f64());
    println!("ratio      {:>8.2} of the bare verifications' rate", limit.as_secs_f64() / judged.as_secs_f64());
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

impl World {
    fn create() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap());
        let day = Duration::from_secs(86_400);
        let validity = ValidityPeriod { not_before: now.saturating_sub(day), not_after: now.saturating_add(day) };
        let request = |subject, crl_url| Request { subject, validity, crl_url };
        let root = Authority::root(&request("CN=root,O=bench,ST=st,C=NL", None)).unwrap();
        let issuing = request("CN=issuing,O=bench,ST=st,C=NL", Some("http://crl.bulla.example/root.crl"));
        let issuing = root.intermediate(&issuing).unwrap();
        let key = LocalKey::generate_p256().unwrap();
        let leaf = request("CN=signer,O=bench,ST=st,C=NL", Some("http://crl.bulla.example/issuing.crl"));
        let chain = issuing.leaf(&leaf, LeafUsage::CodeSigning, &key.public_key_der().unwrap()).unwrap();
        let signer = LocalSigner::new(key, chain).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("truststore/x509/ca/bench");
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(store.join("root.crt"), root.root_certificate()).unwrap();
        let policy = br#"{"version":"1.0","trustPolicies":[{"name":"bench","registryScopes":["*"],
            "signatureVerification":{"level":"strict"},"trustStores":["ca:bench"],"trustedIdentities":["*"]}]}"#;
        std::fs::write(folder.path().join("trustpolicy.json"), policy).unwrap();
        for (name, authority) in [("root", &root), ("issuing", &issuing)] {
            let crl = authority.crl(now.saturating_sub(day), now.saturating_add(day), 1, &[]).unwrap();
            std::fs::write(folder.path().join(format!("{name}.crl")), crl).unwrap();
        }
        let limits = Limits::default();
        let policy = load_policy(folder.path(), &limits).unwrap().document;
        let stores = load_trust_stores(folder.path(), &policy.stores(), &limits).unwrap().stores;
        Self { folder, signer, trust: Trust { policy, files: None, stores }, now }
    }

    /// A bundle of `count` small artifacts, each with its own signature.
    fn bundle(&self, count: usize) -> std::path::PathBuf {
        let limits = Limits::default();
        let memory = MemoryStore::new();
        let config = memory.insert_blob(MediaType::OCI_EMPTY, *b"{}");
        let mut roots = Vec::new();
        for number in 0..count {
            let layer = memory.insert_blob("text/plain", format!("artifact {number}").into_bytes());
            let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
                "artifactType": "application/vnd.example", "config": config, "layers": [layer] });
            let root = memory.insert_manifest(MediaType::OCI_MANIFEST, manifest.to_string().into_bytes());
            let envelope = sign_jws(&root, &self.signer, &SigningOptions::new(self.now)).unwrap();
            let signature = SignatureArtifact::build(SignatureManifestForm::ArtifactType, &root, envelope).unwrap();
            memory.insert_blob("application/jose+json", signature.envelope.bytes);
            memory.insert_manifest(MediaType::OCI_MANIFEST, signature.manifest);
            roots.push((root, format!("bench.example/app{number}:v1").parse::<Reference>().unwrap()));
        }
        let store: Arc<dyn ContentStore> = Arc::new(memory);
        let source = |(descriptor, reference)| Source { store: Arc::clone(&store), descriptor, reference };
        let sources = roots.into_iter().map(source).collect();
        let collection = collect(sources, &WalkOptions::default(), &limits, &NoProgress).unwrap();
        let crl = |name| Crl::from_der(std::fs::read(self.folder.path().join(name)).unwrap()).unwrap();
        let crls = [crl("root.crl"), crl("issuing.crl")];
        let sources = Sources { supplied: &crls, live: None };
        let supplies = supply(&collection, &sources, GapPolicy::Refuse, &limits).unwrap();
        let inventory = inventory(&collection, &supplies, self.now, "bench").unwrap();
        let path = self.folder.path().join("bundle.tar");
        let file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        let writer = BundleWriter::new(file, &inventory, Compression::None).unwrap();
        let progress: Arc<dyn Progress> = Arc::new(NoProgress);
        pack(&collection, &supplies, &inventory, writer, &progress).unwrap();
        path
    }

    fn judge(&self, bundle: &std::path::Path, count: usize) {
        let limits = Limits::default();
        let store = BundleStore::open(bundle, &limits).unwrap();
        let root = |named: NamedRoot| RootToVerify { descriptor: named.descriptor, reference: named.reference };
        let subject = Subject {
            store: &store,
            roots: store.names().unwrap().into_iter().map(root).collect(),
            omitted: BTreeSet::new(),
            listed: BTreeSet::new(),
        };
        let judging = Judging {
            trust: &self.trust,
            at: self.now,
            freshness: Freshness::Current,
            revocation: RevocationReading::Now,
            scope: None,
            user_metadata: Default::default(),
            supplied: &[],
            live: None,
        };
        let verified = verify(&subject, &Depth::Judge(judging), &limits, &NoProgress).unwrap();
        let trusted = verified
            .artifacts
            .iter()
            .filter(|root| matches!(root.outcome.as_ref().map(|outcome| &outcome.verdict), Some(Verdict::Trusted(_))));
        assert_eq!(trusted.count(), count, "all are trusted");
    }

    /// As many verifications of one signature under the signer's key, on all cores.
    fn bare_verifications(&self, count: usize) {
        let leaf = Certificate::from_der(&self.signer.certificates()[0]).unwrap();
        let message = b"what is signed";
        let signature = self.signer.sign(message).unwrap();
        let scheme = SignatureScheme::EcdsaRaw(HashAlgorithm::Sha256);
        let tasks: Vec<Descriptor> = vec![Descriptor::of("a/b", message); count];
        let verified = map_in_parallel(&tasks, |_| leaf.public_key().verify(scheme, message, &signature).is_ok());
        assert!(verified.into_iter().all(|good| good));
    }
}
