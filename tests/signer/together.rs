//! What is judged together is judged as it would be alone: what signatures share is found once and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bulla::limits::Limits;
use bulla::notary::SignatureManifestForm;
use bulla::oci::{Descriptor, MediaType};
use bulla::ops::progress::NoProgress;
use bulla::ops::seal::{SEAL_REPOSITORY, SealDemand, SealTerms, SubjectSeal};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, VerifiedRoot, verify};
use bulla::pki::{Certificate, Crl};
use bulla::signer::authority::{Authority, CrlReason, LeafUsage, Request, Revocation};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{LocalKey, LocalSigner, SignatureArtifact, Signer as _, SigningOptions, sign_jws};
use bulla::store::memory::MemoryStore;
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::trust::{PolicyDocument, Trust, TrustStores};
use bulla::verification::{Freshness, RevocationReading, Verdict};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3_600);
const URL: Option<&str> = Some("http://crl.example/x.crl");

fn request<'a>(subject: &'a str, crl_url: Option<&'a str>) -> Request<'a> {
    let validity = ValidityPeriod { not_before: NOW.saturating_sub(HOUR * 99), not_after: NOW.saturating_add(HOUR) };
    Request { subject, validity, crl_url }
}

struct World {
    store: MemoryStore,
    roots: Vec<RootToVerify>,
    crls: Vec<Crl>,
    trust: Trust,
}

fn signer(authority: &Authority, name: &str) -> LocalSigner {
    let key = LocalKey::generate_p256().unwrap();
    let subject = format!("CN={name},O=o,ST=st,C=NL");
    let chain =
        authority.leaf(&request(&subject, URL), LeafUsage::CodeSigning, &key.public_key_der().unwrap()).unwrap();
    LocalSigner::new(key, chain).unwrap()
}

/// What becomes of each artifact, in turn.
#[derive(Clone, Copy)]
enum Kind {
    Good,
    Altered,
    Revoked,
    Unsigned,
    OfAnother,
    Stamped,
    Stranger,
}

const KINDS: [Kind; 7] =
    [Kind::Good, Kind::Altered, Kind::Revoked, Kind::Unsigned, Kind::OfAnother, Kind::Stamped, Kind::Stranger];

impl World {
    fn create(count: usize) -> Self {
        Self::of(count, &KINDS)
    }

    fn of(count: usize, kinds: &[Kind]) -> Self {
        let names = ["CN=root,O=o,ST=st,C=NL", "CN=time,O=o,ST=st,C=NL"];
        let [root, time] = names.map(|name| Authority::root(&request(name, None)).unwrap());
        // Of the same name, with another key.
        let impostor = Authority::root(&request(names[0], None)).unwrap();
        let good = signer(&root, "good");
        let revoked = signer(&root, "revoked");
        let stranger = signer(&impostor, "good");
        let stamper = TimestampAuthority::new(&time, &request("CN=stamper,O=o,ST=st,C=NL", URL), None).unwrap();
        let stamp = TimestampAt { authority: &stamper, time: NOW.saturating_sub(HOUR) };
        let (store, mut roots, mut last) = (MemoryStore::new(), Vec::new(), None);
        for number in 0..count {
            let kind = kinds[number % kinds.len()];
            let image = image(&store, number);
            let options = SigningOptions::new(NOW.saturating_sub(HOUR));
            let stamped = SigningOptions { timestamp: Some(&stamp), ..options.clone() };
            let signed = last.replace(image.clone()).filter(|_| matches!(kind, Kind::OfAnother));
            let (signer, options) = match kind {
                Kind::Revoked => (&revoked, &options),
                Kind::Stranger => (&stranger, &options),
                Kind::Stamped => (&good, &stamped),
                _ => (&good, &options),
            };
            let mut envelope = sign_jws(signed.as_ref().unwrap_or(&image), signer, options).unwrap();
            if matches!(kind, Kind::Altered) {
                let text = String::from_utf8(envelope.bytes.clone()).unwrap();
                let start = text.find("\"payload\":\"").unwrap() + 30;
                envelope.bytes[start] ^= 1;
                envelope.descriptor = Descriptor::of(envelope.descriptor.media_type.clone(), &envelope.bytes);
            }
            if !matches!(kind, Kind::Unsigned) {
                let artifact = SignatureArtifact::build(SignatureManifestForm::ArtifactType, &image, envelope).unwrap();
                store.insert_blob("application/jose+json", artifact.envelope.bytes);
                store.insert_manifest(MediaType::OCI_MANIFEST, artifact.manifest);
            }
            let reference = Some(format!("h.io/app{number}:v1").parse().unwrap());
            roots.push(RootToVerify { descriptor: image, reference });
        }
        let certificate = revoked.certificates()[0].clone();
        let line = Revocation { certificate, date: NOW.saturating_sub(HOUR * 3), reason: CrlReason::Superseded };
        let crl = |authority: &Authority, age: u32, lines: &[Revocation]| {
            let issued = NOW.saturating_sub(HOUR * age);
            Crl::from_der(authority.crl(issued, NOW.saturating_add(HOUR), 1, lines).unwrap()).unwrap()
        };
        let crls = vec![crl(&root, 2, &[line]), crl(&time, 2, &[]), crl(&impostor, 1, &[]), crl(&impostor, 3, &[])];
        Self { store, roots, crls, trust: trust(&root, &time) }
    }

    fn judge(&self, roots: &[RootToVerify], limits: &Limits) -> Vec<VerifiedRoot> {
        // Read anew, so that nothing is known of them.
        let supplied: Vec<Crl> = self.crls.iter().map(|crl| Crl::from_der(crl.der()).unwrap()).collect();
        let subject = Subject {
            store: &self.store,
            roots: roots.to_vec(),
            omitted: BTreeSet::new(),
            listed: BTreeSet::new(),
            seal: SubjectSeal::NoBundle,
        };
        let judging = Judging {
            plugins: None,
            trust: &self.trust,
            at: NOW,
            freshness: Freshness::Current,
            revocation: RevocationReading::Now,
            scope: None,
            user_metadata: BTreeMap::new(),
            supplied: &supplied,
            live: None,
            seal: SealTerms { scope: SEAL_REPOSITORY.parse().unwrap(), demand: SealDemand::IfPresent },
        };
        verify(&subject, &Depth::Judge(judging), limits, &NoProgress).unwrap().artifacts
    }
}

fn image(store: &MemoryStore, number: usize) -> Descriptor {
    let config = store.insert_blob(MediaType::OCI_EMPTY, *b"{}");
    let layer = store.insert_blob("text/plain", number.to_string().into_bytes());
    let manifest = serde_json::json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": "application/vnd.example", "config": config, "layers": [layer] });
    store.insert_manifest(MediaType::OCI_MANIFEST, manifest.to_string().into_bytes())
}

fn trust(root: &Authority, time: &Authority) -> Trust {
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict", "verifyTimestamp": "always"}, "trustStores": ["ca:x", "tsa:y"],
        "trustedIdentities": ["*"]}]});
    let policy = PolicyDocument::parse(policy.to_string().as_bytes()).unwrap();
    let mut stores = TrustStores::default();
    for (name, authority) in [("ca:x", root), ("tsa:y", time)] {
        let certificate = Certificate::from_der(authority.root_certificate()).unwrap();
        stores.insert(name.parse().unwrap(), vec![certificate]).unwrap();
    }
    Trust { policy, files: None, stores }
}

#[test]
fn together_and_alone_everything_is_judged_alike() {
    let (world, limits) = (World::create(7 * 6), Limits::default());
    let together = world.judge(&world.roots, &limits);
    let mut trusted = 0;
    for (root, found) in world.roots.iter().zip(&together) {
        // Alone: on one thread, with nothing known.
        let alone = world.judge(std::slice::from_ref(root), &limits);
        assert_eq!(alone[0].outcome, found.outcome);
        assert_eq!(alone[0].parts, found.parts);
        let verdict = found.outcome.as_ref().map(|outcome| &outcome.verdict);
        trusted += usize::from(matches!(verdict, Some(Verdict::Trusted(_))));
    }
    assert_eq!(trusted, 6, "only those with a timestamp: the policy asks for one");
    let again = world.judge(&world.roots, &limits);
    assert!(together.iter().zip(&again).all(|(first, second)| first.outcome == second.outcome));
}

/// Who comes too late for the account depends on the bundle, not on the threads.
#[test]
fn an_empty_account_is_empty_for_the_same_artifacts_every_time() {
    let world = World::create(7 * 6);
    let limits = Limits { all_evidence_tries: 2, ..Limits::default() };
    let codes = || -> Vec<_> {
        let judged = world.judge(&world.roots, &limits);
        judged.iter().map(|root| root.outcome.as_ref().map(|outcome| outcome.verdict.codes().to_vec())).collect()
    };
    let first = codes();
    assert!(first.iter().flatten().flatten().any(|code| code.as_str() == "evidence-flood"));
    assert!((0..5).all(|_| codes() == first));
}

fn limited(all_evidence_tries: usize) -> Limits {
    Limits { all_evidence_tries, ..Limits::default() }
}

fn trusted(judged: &[VerifiedRoot]) -> usize {
    let verdicts = judged.iter().filter_map(|root| root.outcome.as_ref()).map(|outcome| &outcome.verdict);
    verdicts.filter(|verdict| matches!(verdict, Verdict::Trusted(_))).count()
}

/// What every one of them shares: three CRLs of the signer's name, one of the authority's, and the authority's certificate.
const SHARED: usize = 5;

/// A timestamp is paid for from the account that revocation data is paid from. What was not tried is neither good nor bad.
#[test]
fn timestamps_are_accounted_for() {
    let world = World::of(12, &[Kind::Stamped]);
    assert_eq!(trusted(&world.judge(&world.roots, &limited(SHARED + 12))), 12);
    let late = world.judge(&world.roots, &limited(SHARED + 5));
    let verdicts: Vec<_> = late.iter().map(|root| root.outcome.as_ref().unwrap().verdict.clone()).collect();
    assert!((1..12).contains(&trusted(&late)), "{verdicts:?}");
    for verdict in verdicts {
        match verdict {
            Verdict::Trusted(_) => {}
            Verdict::Undecided(codes) => {
                assert!(codes.iter().any(|code| code.as_str() == "evidence-flood"), "{codes:?}")
            }
            other => panic!("{other:?}"),
        }
    }
    let none = world.judge(&world.roots, &limited(0));
    assert!(none.iter().all(|root| matches!(root.outcome.as_ref().unwrap().verdict, Verdict::Undecided(_))));
}

/// Whoever makes a bundle gives an artifact as many names as he likes: its signatures are judged once for all names that a
/// statement covers.
#[test]
fn names_cost_nothing() {
    let world = World::of(1, &[Kind::Stamped]);
    let name = |number: usize| {
        let reference = Some(format!("h.io/app{number}:v1").parse().unwrap());
        RootToVerify { reference, ..world.roots[0].clone() }
    };
    let roots: Vec<_> = (0..20).map(name).collect();
    let judged = world.judge(&roots, &limited(SHARED + 1));
    assert_eq!(trusted(&judged), 20);
    for (root, found) in roots.iter().zip(&judged) {
        let alone = world.judge(std::slice::from_ref(root), &Limits::default());
        assert_eq!((&alone[0].outcome, &alone[0].parts), (&found.outcome, &found.parts));
        assert_eq!(found.root.reference, root.reference);
    }
}
