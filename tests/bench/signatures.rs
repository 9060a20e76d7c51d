//! Many signed artifacts in one bundle: how many signatures a second are judged, beside what the same number of bare
//! ECDSA P-256 verifications costs on the same cores, without and with timestamps; and how the time of every verb grows
//! from a tenth of the artifacts to all of them.
//!
//! `cargo bench --bench signatures [-- COUNT] [--no-import]`, 10,000 artifacts if no count is given. Medians of five runs,
//! each as wall-clock time and as processor time, which other work on the machine does not distort. Growth is measured on
//! the program, a process for each work, as users run it: in each run a tenth before all and after, and the growth is the
//! median of the runs' ratios. An export reads a layout, an import writes one and waits for the disk once for each blob.
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
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bulla::config::{load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::notary::SignatureManifestForm;
use bulla::oci::{Descriptor, IndexDocument, LayoutDocument, MediaType, annotation};
use bulla::ops::progress::NoProgress;
use bulla::ops::seal::{SEAL_REPOSITORY, SealDemand, SealTerms, SubjectSeal};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, verify};
use bulla::parallel::map_in_parallel;
use bulla::pki::{Certificate, HashAlgorithm, SignatureScheme};
use bulla::signer::authority::{Authority, LeafUsage, Request};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{LocalKey, LocalSigner, SignatureArtifact, Signer as _, SigningOptions, TimestampSource, sign_jws};
use bulla::store::bundle::BundleStore;
use bulla::store::{ContentStore, NamedRoot};
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
    let world = World::create();
    let all = world.goods("all", count, Stamps::None);
    world.export(&all);
    if let Some(folder) = std::env::args().skip_while(|word| word != "--keep").nth(1) {
        std::fs::rename(world.folder.keep(), folder).unwrap();
        return;
    }
    println!("{count} signed artifacts, {cores} cores, medians of {RUNS} runs");
    report_rates("without timestamps", count, &world.rates(&all));
    let tenth = world.goods("tenth", count / 10, Stamps::None);
    println!("{count} artifacts against {}, one beside the other in each run:", count / 10);
    let with_import = !std::env::args().any(|word| word == "--no-import");
    let verbs: [(&str, Work); 4] =
        [("export", World::export), ("inspect", World::inspect), ("verify", World::verify), ("import", World::import)];
    for (verb, work) in verbs.into_iter().filter(|(verb, _)| with_import || *verb != "import") {
        let pairs: Vec<Pair> = (0..RUNS).map(|_| world.pair(work, &all, &tenth)).collect();
        report_growth(verb, &pairs);
    }
    let stamped = world.goods("stamped", count, Stamps::Each);
    world.export(&stamped);
    report_rates("with a timestamp each", count, &world.rates(&stamped));
}

/// What the program is put to.
type Work = fn(&World, &Goods) -> Cost;

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

/// What judging every signature cost, and as many bare verifications.
struct Rate {
    verify: Cost,
    bare: Cost,
}

/// All artifacts, and a tenth of them measured around that: a machine whose speed changes by the minute distorts neither
/// against the other.
struct Pair {
    all: Cost,
    tenth: Cost,
}

fn cost(work: impl FnOnce()) -> Cost {
    let (started, cpu) = (Instant::now(), processor_time());
    work();
    Cost { wall: started.elapsed(), cpu: processor_time().saturating_sub(cpu) }
}

/// `utime` and `stime` of proc(5), and those of processes that ended, in hundredths of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let ticks = behind_name.split_whitespace().skip(11).take(4);
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
fn report_rates(what: &str, count: usize, rates: &[Rate]) {
    let verify = median_cost(rates.iter().map(|rate| rate.verify));
    let bare = median_cost(rates.iter().map(|rate| rate.bare));
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
fn report_growth(verb: &str, pairs: &[Pair]) {
    let growth = |part: fn(Cost) -> Duration| {
        let pairs = pairs.iter().map(|pair| (part(pair.all).as_secs_f64(), part(pair.tenth).as_secs_f64()));
        let (all, tenth) = (median(pairs.clone().map(|pair| pair.0)), median(pairs.clone().map(|pair| pair.1)));
        let ratio = median(pairs.map(|(all, tenth)| all / tenth));
        format!("{all:>7.3} s / {tenth:>6.3} s, {ratio:>5.2} times")
    };
    println!("  {verb:<8} {}   processors {}", growth(|cost| cost.wall), growth(|cost| cost.cpu));
}

struct World {
    folder: tempfile::TempDir,
    signer: LocalSigner,
    authority: TimestampAuthority,
    trust: Trust,
    now: UnixTime,
}

/// A root and an issuing authority below it, with their CRLs.
struct Hierarchy {
    root: Authority,
    issuing: Authority,
    crls: Vec<Vec<u8>>,
}

impl Hierarchy {
    fn create(name: &str, now: UnixTime) -> Self {
        let validity = ValidityPeriod { not_before: now.saturating_sub(DAY), not_after: now.saturating_add(DAY) };
        let subject = |what: &str| format!("CN={name} {what},O=bench,ST=st,C=NL");
        let root = Authority::root(&Request { subject: &subject("root"), validity, crl_url: None }).unwrap();
        let crl_url = Some("http://crl.bulla.example/root.crl");
        let issuing = root.intermediate(&Request { subject: &subject("issuing"), validity, crl_url }).unwrap();
        let crl =
            |authority: &Authority| authority.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 1, &[]).unwrap();
        Self { crls: vec![crl(&root), crl(&issuing)], root, issuing }
    }
}

/// Signed artifacts in a layout, and the bundle that is made of it.
struct Goods {
    layout: PathBuf,
    bundle: PathBuf,
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
        let crls = folder.path().join("crls");
        std::fs::create_dir(&crls).unwrap();
        for (number, crl) in signing.crls.iter().chain(&stamping.crls).enumerate() {
            std::fs::write(crls.join(format!("{number}.crl")), crl).unwrap();
        }
        Self { folder, signer, authority, trust: Trust { policy, files: None, stores }, now }
    }

    /// The tenth, all, and the tenth again.
    fn pair(&self, work: Work, all: &Goods, tenth: &Goods) -> Pair {
        let mut around: Vec<Cost> = (0..AROUND).map(|_| work(self, tenth)).collect();
        let all = work(self, all);
        around.extend((0..AROUND).map(|_| work(self, tenth)));
        Pair { all, tenth: median_cost(around.into_iter()) }
    }

    fn rates(&self, goods: &Goods) -> Vec<Rate> {
        let verify = || cost(|| self.judge(&goods.bundle, goods.count));
        (0..RUNS).map(|_| Rate { verify: verify(), bare: cost(|| self.bare_verifications(goods.count)) }).collect()
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
        Goods { layout, bundle: self.folder.path().join(format!("{name}.tar")), count }
    }

    /// Runs the program and holds it to success.
    fn bulla(&self, arguments: &[&dyn AsRef<OsStr>]) -> Cost {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bulla"));
        program.args(arguments.iter().map(|argument| argument.as_ref())).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut ended = None;
        let cost = cost(|| ended = Some(program.output().unwrap()));
        let ended = ended.unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        cost
    }

    fn export(&self, goods: &Goods) -> Cost {
        let _ = std::fs::remove_file(&goods.bundle);
        let crls = self.folder.path().join("crls");
        self.bulla(&[&"export", &"--offline", &"--crl", &crls, &goods.layout, &"-o", &goods.bundle])
    }

    fn inspect(&self, goods: &Goods) -> Cost {
        self.bulla(&[&"inspect", &goods.bundle])
    }

    fn verify(&self, goods: &Goods) -> Cost {
        let (policy, stores) = self.configuration();
        self.bulla(&[&"verify", &goods.bundle, &"--policy", &policy, &"--trust-store", &stores])
    }

    fn import(&self, goods: &Goods) -> Cost {
        let (policy, stores) = self.configuration();
        let layout = self.folder.path().join("imported");
        let to = format!("oci:{}", layout.display());
        let cost =
            self.bulla(&[&"import", &goods.bundle, &"--policy", &policy, &"--trust-store", &stores, &"--to", &to]);
        std::fs::remove_dir_all(&layout).unwrap();
        cost
    }

    fn configuration(&self) -> (PathBuf, PathBuf) {
        (self.folder.path().join("trustpolicy.json"), self.folder.path().join("truststore"))
    }

    fn roots(store: &BundleStore) -> Vec<RootToVerify> {
        let root = |named: NamedRoot| RootToVerify { descriptor: named.descriptor, reference: named.reference };
        store.names().unwrap().into_iter().map(root).collect()
    }

    fn judge(&self, bundle: &Path, count: usize) {
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
