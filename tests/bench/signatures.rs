//! Many signed artifacts in one bundle: how many signatures a second are judged, beside what the same number of bare
//! ECDSA P-256 verifications costs on the same cores, without and with timestamps; and how the time of every verb grows
//! from a tenth of the artifacts to all of them.
//!
//! `cargo bench --bench signatures [-- COUNT] [--no-import]`, 10,000 artifacts if no count is given. Medians of five runs,
//! each as wall-clock time and as processor time, which other work on the machine does not distort. In each run a tenth is
//! measured before all and after, and the growth is the median of the runs' ratios. An export reads a layout, an import
//! writes one and waits for the disk once for each blob.
//!
//! `… -- COUNT --keep DIR` measures nothing and leaves the bundle with all that verifying it takes in a folder, for who wants
//! to run the program on it: `bulla verify DIR/all.tar --policy DIR/trustpolicy.json --trust-store DIR/truststore`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and ends where it fails"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulla::archive::{BundleWriter, Compression};
use bulla::config::{load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::notary::SignatureManifestForm;
use bulla::oci::{Descriptor, IndexDocument, LayoutDocument, MediaType, annotation};
use bulla::ops::closure::WalkOptions;
use bulla::ops::collect::{Source, collect};
use bulla::ops::import::{Admission, Destination, ImportOptions, import};
use bulla::ops::inspect::inspect;
use bulla::ops::pack::{inventory, pack};
use bulla::ops::progress::{NoProgress, Progress};
use bulla::ops::seal::{SEAL_REPOSITORY, SealDemand, SealTerms, SubjectSeal};
use bulla::ops::supply::{GapPolicy, Sources, supply};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, Verification, verify};
use bulla::parallel::map_in_parallel;
use bulla::pki::{Certificate, Crl, HashAlgorithm, SignatureScheme};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{LocalKey, LocalSigner, SignatureArtifact, Signer as _, SigningOptions, TimestampSource, sign_jws};
use bulla::store::bundle::BundleStore;
use bulla::store::layout::{LayoutSink, LayoutStore};
use bulla::store::{ContentSink, ContentStore, NamedRoot};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::trust::Trust;
use bulla::verification::{Freshness, RevocationReading, Verdict};

const RUNS: usize = 5;
/// How often the tenth is measured before all, and again after.
const AROUND: usize = 2;
const DAY: Duration = Duration::from_secs(86_400);

fn main() {
    let count = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(10_000);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if let Some(folder) = std::env::args().skip_while(|word| word != "--keep").nth(1) {
        let world = World::create();
        world.export(&world.goods("all", count, Stamps::None), &world.folder.path().join("all.tar"));
        let made = world.folder.keep();
        std::fs::rename(made, folder).unwrap();
        return;
    }
    let with_import = !std::env::args().any(|word| word == "--no-import");
    let world = World { with_import, ..World::create() };
    println!("{count} signed artifacts, {cores} cores, medians of {RUNS} runs");
    let (all, tenth) = (world.goods("all", count, Stamps::None), world.goods("tenth", count / 10, Stamps::None));
    let rounds: Vec<Round> = (0..RUNS).map(|_| world.round(&all, &tenth)).collect();
    report("without timestamps", count, &rounds.iter().map(|round| &round.all).collect::<Vec<_>>());
    println!("{count} artifacts against {}, one beside the other in each run:", count / 10);
    for (verb, pick) in VERBS {
        if verb != "import" || with_import {
            report_growth(verb, &rounds, pick);
        }
    }
    let stamped = world.goods("stamped", count, Stamps::Each);
    let rounds: Vec<Times> = (0..RUNS).map(|_| world.judged(&stamped)).collect();
    report("with a timestamp each", count, &rounds.iter().collect::<Vec<_>>());
}

/// Wall-clock time, and the time that all cores of this process worked.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    wall: Duration,
    cpu: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stamps {
    None,
    Each,
}

/// What each verb cost.
#[derive(Default)]
struct Times {
    export: Cost,
    inspect: Cost,
    verify: Cost,
    import: Cost,
    /// As many bare verifications, measured between the others.
    bare: Cost,
}

type Pick = fn(&Times) -> Cost;

const VERBS: [(&str, Pick); 4] = [
    ("export", |times| times.export),
    ("inspect", |times| times.inspect),
    ("verify", |times| times.verify),
    ("import", |times| times.import),
];

/// All artifacts, and a tenth of them measured around that: a machine whose speed changes by the minute distorts neither
/// against the other.
struct Round {
    all: Times,
    tenth: Vec<Times>,
}

fn cost(work: impl FnOnce()) -> Cost {
    let (started, cpu) = (Instant::now(), processor_time());
    work();
    Cost { wall: started.elapsed(), cpu: processor_time().saturating_sub(cpu) }
}

/// `utime` and `stime` of proc(5), in hundredths of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>())
}

fn median<T: PartialOrd + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).expect("times compare"));
    values[values.len() / 2]
}

fn median_cost(costs: impl Iterator<Item = Cost> + Clone) -> Cost {
    Cost { wall: median(costs.clone().map(|cost| cost.wall)), cpu: median(costs.map(|cost| cost.cpu)) }
}

/// Rates of judging beside those of bare verifications.
fn report(what: &str, count: usize, times: &[&Times]) {
    let cost = |pick: Pick| median_cost(times.iter().map(|times| pick(times)));
    let (verify, bare) = (cost(|times| times.verify), cost(|times| times.bare));
    let rate = |time: Duration| f64::from(u32::try_from(count).expect("a count")) / time.as_secs_f64();
    println!("{what}:");
    for (name, cost) in [("verify", verify), ("bare", bare)] {
        println!("  {name:<8} {:>7.0} a second, {:>7.0} a second of a core", rate(cost.wall), rate(cost.cpu));
    }
    let ratio = |verify: Duration, bare: Duration| bare.as_secs_f64() / verify.as_secs_f64();
    let (wall, cpu) = (ratio(verify.wall, bare.wall), ratio(verify.cpu, bare.cpu));
    println!("  ratio    {wall:>7.2} of the rate of bare P-256 verifications; {cpu:.2} by processor time");
}

/// How a verb's time grows: the median of the runs' ratios.
fn report_growth(verb: &str, rounds: &[Round], pick: Pick) {
    let growth = |part: fn(Cost) -> Duration| {
        let pairs = rounds.iter().map(|round| {
            let all = part(pick(&round.all)).as_secs_f64();
            (all, median(round.tenth.iter().map(|times| part(pick(times)).as_secs_f64())))
        });
        let pairs: Vec<(f64, f64)> = pairs.collect();
        let (all, tenth) = (median(pairs.iter().map(|pair| pair.0)), median(pairs.iter().map(|pair| pair.1)));
        let ratio = median(pairs.iter().map(|(all, tenth)| all / tenth));
        format!("{all:>7.3} s / {tenth:>6.3} s, {ratio:>5.2} times")
    };
    println!("  {verb:<8} {}   processors {}", growth(|cost| cost.wall), growth(|cost| cost.cpu));
}

struct World {
    folder: tempfile::TempDir,
    signer: LocalSigner,
    authority: TimestampAuthority,
    trust: Trust,
    crls: Vec<Crl>,
    now: UnixTime,
    with_import: bool,
}

/// A root and an issuing authority below it, with their CRLs.
struct Hierarchy {
    root: Authority,
    issuing: Authority,
    crls: Vec<Crl>,
}

impl Hierarchy {
    fn create(name: &str, now: UnixTime) -> Self {
        let validity = ValidityPeriod { not_before: now.saturating_sub(DAY), not_after: now.saturating_add(DAY) };
        let subject = |what: &str| format!("CN={name} {what},O=bench,ST=st,C=NL");
        let root = Authority::root(&Request { subject: &subject("root"), validity, crl_url: None }).unwrap();
        let crl_url = Some("http://crl.bulla.example/root.crl");
        let issuing = root.intermediate(&Request { subject: &subject("issuing"), validity, crl_url }).unwrap();
        let crl = |authority: &Authority| {
            let der = authority.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 1, &[]).unwrap();
            Crl::from_der(der).unwrap()
        };
        Self { crls: vec![crl(&root), crl(&issuing)], root, issuing }
    }
}

/// Signed artifacts in a layout.
struct Goods {
    layout: PathBuf,
    count: usize,
}

impl World {
    fn create() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap());
        let validity = ValidityPeriod { not_before: now.saturating_sub(DAY), not_after: now.saturating_add(DAY) };
        let (signing, stamping) = (Hierarchy::create("signing", now), Hierarchy::create("stamping", now));
        let key = LocalKey::generate_p256().unwrap();
        let crl_url = Some("http://crl.bulla.example/issuing.crl");
        let leaf = Request { subject: "CN=signer,O=bench,ST=st,C=NL", validity, crl_url };
        let public_key = key.public_key_der().unwrap();
        let chain = signing.issuing.leaf(&leaf, LeafUsage::CodeSigning, &public_key).unwrap();
        let signer = LocalSigner::new(key, chain).unwrap();
        let leaf = Request { subject: "CN=stamper,O=bench,ST=st,C=NL", validity, crl_url };
        let authority = TimestampAuthority::new(&stamping.issuing, &leaf, Some(Duration::from_secs(1))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (place, hierarchy) in [("ca/bench", &signing), ("tsa/bench", &stamping)] {
            let store = folder.path().join("truststore/x509").join(place);
            std::fs::create_dir_all(&store).unwrap();
            std::fs::write(store.join("root.crt"), hierarchy.root.root_certificate()).unwrap();
        }
        let statement = |name: &str, stores: &str| {
            format!(
                r#"{{"name":"{name}","registryScopes":["{name}.bench.example/*"],"trustStores":[{stores}],
                "signatureVerification":{{"level":"strict"}},"trustedIdentities":["*"]}}"#
            )
        };
        let (plain, stamped) = (statement("plain", r#""ca:bench""#), statement("stamped", r#""ca:bench","tsa:bench""#));
        let policy = format!(r#"{{"version":"1.0","trustPolicies":[{plain},{stamped}]}}"#);
        std::fs::write(folder.path().join("trustpolicy.json"), policy).unwrap();
        let limits = Limits::default();
        let policy = load_policy(folder.path(), &limits).unwrap().document;
        let stores = load_trust_stores(folder.path(), &policy.stores(), &limits).unwrap().stores;
        let crls = signing.crls.into_iter().chain(stamping.crls).collect();
        Self { folder, signer, authority, trust: Trust { policy, files: None, stores }, crls, now, with_import: true }
    }

    /// Verb by verb: the tenth, all, and the tenth again.
    fn round(&self, all: &Goods, tenth: &Goods) -> Round {
        let (bundle, small) = (self.folder.path().join("all.tar"), self.folder.path().join("tenth.tar"));
        let mut round = Round { all: Times::default(), tenth: Vec::new() };
        round.tenth.resize_with(2 * AROUND, Times::default);
        let mut verb = |part: fn(&mut Times) -> &mut Cost, work: &dyn Fn(&Goods, &Path)| {
            let (before, after) = round.tenth.split_at_mut(AROUND);
            before.iter_mut().for_each(|times| *part(times) = cost(|| work(tenth, &small)));
            *part(&mut round.all) = cost(|| work(all, &bundle));
            after.iter_mut().for_each(|times| *part(times) = cost(|| work(tenth, &small)));
        };
        verb(|times| &mut times.export, &|goods, bundle| self.export(goods, bundle));
        verb(|times| &mut times.inspect, &|goods, bundle| self.inspect(bundle, goods.count));
        verb(|times| &mut times.verify, &|goods, bundle| drop(self.judge(bundle, goods.count)));
        if self.with_import {
            verb(|times| &mut times.import, &|goods, bundle| self.import(bundle, goods.count));
        }
        verb(|times| &mut times.bare, &|goods, _| self.bare_verifications(goods.count));
        round
    }

    /// Judging alone, and bare verifications.
    fn judged(&self, goods: &Goods) -> Times {
        let (bundle, count) = (self.folder.path().join("all.tar"), goods.count);
        self.export(goods, &bundle);
        let verify = cost(|| drop(self.judge(&bundle, count)));
        Times { verify, bare: cost(|| self.bare_verifications(count)), ..Times::default() }
    }

    /// Small artifacts, each with its own signature, in a layout.
    fn goods(&self, name: &str, count: usize, stamps: Stamps) -> Goods {
        let layout = self.folder.path().join(name);
        let blobs = layout.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        let put = |media_type: &str, bytes: Vec<u8>| {
            let descriptor = Descriptor::of(media_type, &bytes);
            std::fs::write(blobs.join(descriptor.digest.hex()), bytes).unwrap();
            descriptor
        };
        let config = put(MediaType::OCI_EMPTY, b"{}".to_vec());
        let time = self.now.saturating_sub(Duration::from_secs(60));
        let stamper = TimestampAt { authority: &self.authority, time };
        let (host, timestamp): (_, Option<&dyn TimestampSource>) = match stamps {
            Stamps::None => ("plain", None),
            Stamps::Each => ("stamped", Some(&stamper)),
        };
        let options = SigningOptions { timestamp, ..SigningOptions::new(self.now) };
        let mut entries = Vec::new();
        for number in 0..count {
            let layer = put("text/plain", format!("artifact {number}").into_bytes());
            let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
                "artifactType": "application/vnd.example", "config": config, "layers": [layer] });
            let mut root = put(MediaType::OCI_MANIFEST, manifest.to_string().into_bytes());
            let envelope = sign_jws(&root, &self.signer, &options).unwrap();
            let signature = SignatureArtifact::build(SignatureManifestForm::ArtifactType, &root, envelope).unwrap();
            put("application/jose+json", signature.envelope.bytes);
            root.annotations.insert(annotation::REF_NAME.into(), format!("{host}.bench.example/app{number}:v1"));
            entries.extend([root, put(MediaType::OCI_MANIFEST, signature.manifest)]);
        }
        std::fs::write(layout.join(IndexDocument::NAME), IndexDocument::new(entries).to_bytes().unwrap()).unwrap();
        std::fs::write(layout.join(LayoutDocument::NAME), LayoutDocument::BYTES).unwrap();
        Goods { layout, count }
    }

    fn export(&self, goods: &Goods, path: &Path) {
        let limits = Limits::default();
        let store: Arc<dyn ContentStore> = Arc::new(LayoutStore::open(&goods.layout, &limits).unwrap());
        let source = |named: NamedRoot| {
            Some(Source { store: Arc::clone(&store), descriptor: named.descriptor, reference: named.reference? })
        };
        let sources: Vec<_> = store.names().unwrap().into_iter().filter_map(source).collect();
        assert_eq!(sources.len(), goods.count);
        let collection = collect(sources, &WalkOptions::default(), &limits, &NoProgress).unwrap();
        let sources = Sources { supplied: &self.crls, live: None };
        let supplies = supply(&collection, &sources, GapPolicy::Refuse, &limits).unwrap();
        let inventory = inventory(&collection, &supplies, self.now, "bench").unwrap();
        let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        let writer = BundleWriter::new(file, &inventory, Compression::None).unwrap();
        let progress: Arc<dyn Progress> = Arc::new(NoProgress);
        pack(&collection, &supplies, &inventory, writer, &progress).unwrap();
    }

    fn roots(store: &BundleStore) -> Vec<RootToVerify> {
        let root = |named: NamedRoot| RootToVerify { descriptor: named.descriptor, reference: named.reference };
        store.names().unwrap().into_iter().map(root).collect()
    }

    fn inspect(&self, bundle: &Path, count: usize) {
        let limits = Limits::default();
        let store = BundleStore::open(bundle, &limits).unwrap();
        let found = inspect(&store, &Self::roots(&store), &BTreeSet::new(), &limits, &NoProgress).unwrap();
        assert_eq!(found.len(), count);
    }

    fn judge(&self, bundle: &Path, count: usize) -> Verification {
        let limits = Limits::default();
        let store = BundleStore::open(bundle, &limits).unwrap();
        let roots = Self::roots(&store);
        let subject = Subject {
            store: &store,
            roots,
            omitted: BTreeSet::new(),
            listed: BTreeSet::new(),
            seal: SubjectSeal::NoBundle,
        };
        let judging = Judging {
            plugins: None,
            trust: &self.trust,
            at: self.now,
            freshness: Freshness::Current,
            revocation: RevocationReading::Now,
            scope: None,
            seal: SealTerms { scope: SEAL_REPOSITORY.parse().unwrap(), demand: SealDemand::IfPresent },
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
        verified
    }

    /// As the program does it: judged, and what is trusted goes into a new layout.
    fn import(&self, bundle: &Path, count: usize) {
        let limits = Limits::default();
        let admissions: Vec<Admission> = self
            .judge(bundle, count)
            .artifacts
            .into_iter()
            .map(|root| match root.outcome.map(|outcome| outcome.verdict) {
                Some(Verdict::Trusted(artifact)) => Admission::trusted(*artifact, root.root.reference.unwrap()),
                other => panic!("{other:?}"),
            })
            .collect();
        let store = BundleStore::open(bundle, &limits).unwrap();
        let layout: PathBuf = self.folder.path().join("layout");
        let sink: Arc<dyn ContentSink> = Arc::new(LayoutSink::open_or_create(&layout).unwrap());
        let progress: Arc<dyn Progress> = Arc::new(NoProgress);
        let report =
            import(&store, &admissions, &Destination::Single(sink), &ImportOptions::default(), &limits, &progress);
        assert_eq!(report.unwrap().roots.len(), count);
        std::fs::remove_dir_all(&layout).unwrap();
    }

    /// As many verifications of one signature under the signer's key, on all cores.
    fn bare_verifications(&self, count: usize) {
        let leaf = Certificate::from_der(&self.signer.certificates()[0]).unwrap();
        let message = b"what is signed";
        let signature = self.signer.sign(message).unwrap().signature;
        let scheme = SignatureScheme::EcdsaRaw(HashAlgorithm::Sha256);
        let tasks = vec![(); count];
        let verified = map_in_parallel(&tasks, |()| leaf.public_key().verify(scheme, message, &signature).is_ok());
        assert!(verified.into_iter().all(|good| good));
    }
}
