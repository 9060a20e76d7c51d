//! Seals with timestamps, and what they say about the clock by which they are judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bulla::archive::{
    BlobRecord, BundleInventory, BundleWriter, Compression, EMPTY_CONFIG, RootRecord, Totals, empty_config, names,
};
use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::notary::EnvelopeType;
use bulla::oci::{Descriptor, MediaType};
use bulla::ops::pack::Supplies;
use bulla::ops::progress::NoProgress;
use bulla::ops::seal::{SEAL_REPOSITORY, SealDemand, SealOutcome, SealTerms, Sealing, SubjectSeal, seal};
use bulla::ops::supply::{GapPolicy, Sources};
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, Verification, verify};
use bulla::pki::{Certificate, Crl};
use bulla::report::v1::{Report, SealWord, Source, SourceKind};
use bulla::signer::SigningOptions;
use bulla::signer::tsa::TimestampAt;
use bulla::store::RawContent;
use bulla::store::bundle::BundleStore;
use bulla::time::UnixTime;
use bulla::trust::{PolicyDocument, Trust, TrustStores};
use bulla::verification::{Freshness, RevocationReading};

use super::{Pki, now};

const HOUR: Duration = Duration::from_secs(3600);

/// A bundle of one artifact without a signature; only the seal matters here.
fn inventory() -> (BundleInventory, Descriptor, Vec<u8>) {
    let manifest = serde_json::to_vec(&serde_json::json!({
        "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": "application/vnd.example.nothing",
        "config": empty_config(), "layers": [empty_config()],
    }))
    .unwrap();
    let root = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    let blob = |descriptor: &Descriptor, manifest| BlobRecord {
        digest: descriptor.digest,
        size: descriptor.size,
        media_type: descriptor.media_type.clone(),
        manifest,
    };
    let mut inventory = BundleInventory {
        schema_version: 1,
        media_type: names::BUNDLE.into(),
        features: Vec::new(),
        created_by: "bulla/test".into(),
        created_at: UnixTime::from_seconds(1_790_000_000),
        stream: None,
        roots: vec![RootRecord {
            reference: "registry.example/nothing:v1".parse().unwrap(),
            digest: root.digest,
            size: root.size,
            media_type: root.media_type.clone(),
            platforms: Vec::new(),
        }],
        referrers: Vec::new(),
        signatures: Vec::new(),
        evidence: Vec::new(),
        searches: Vec::new(),
        omitted: Vec::new(),
        docker_manifest: None,
        blobs: vec![blob(&root, true), blob(&empty_config(), false)],
        totals: Totals::default(),
    };
    inventory.normalise();
    (inventory, root, manifest)
}

/// Seals and writes a bundle, stamped at `stamped`.
fn sealed(pki: &Pki, envelope: EnvelopeType, stamped: UnixTime, folder: &tempfile::TempDir) -> BundleStore {
    let (inventory, root, manifest) = inventory();
    let (from, until) = (now().saturating_sub(HOUR), now().saturating_add(HOUR * 200));
    let crls: Vec<Crl> = [&pki.root, &pki.issuing]
        .iter()
        .map(|authority| Crl::from_der(authority.crl(from, until, 1, &[]).unwrap()).unwrap())
        .collect();
    let (signer, authority) = (pki.p256_signer(), pki.timestamp_authority());
    let timestamp = TimestampAt { authority: &authority, time: stamped };
    let options = SigningOptions { timestamp: Some(&timestamp), ..SigningOptions::new(stamped) };
    let sources = Sources { supplied: &crls, live: None };
    let sealing = Sealing { signer: &signer, options, envelope };
    let limits = Limits::default();
    let made = seal(&inventory, &Supplies::default(), &sealing, &sources, GapPolicy::Refuse, &limits).unwrap();
    assert!(made.missing.is_empty());
    // Both chains end in the same authorities, so two CRLs serve the signer and the timestamp authority.
    assert_eq!(made.seal.members().pieces().len(), 2);
    let path = folder.path().join("sealed.tar");
    let file = std::fs::File::create(&path).unwrap();
    let mut writer = BundleWriter::sealed(file, &inventory, &made.seal, Compression::None).unwrap();
    writer.copy(&root, RawContent::from_bytes(manifest)).unwrap();
    writer.copy(&empty_config(), RawContent::from_bytes(EMPTY_CONFIG)).unwrap();
    writer.finish().unwrap();
    BundleStore::open(&path, &limits).unwrap()
}

fn judge(store: &BundleStore, pki: &Pki, at: UnixTime) -> Verification {
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{"name": "seals",
        "registryScopes": [SEAL_REPOSITORY], "signatureVerification": {"level": "strict"},
        "trustStores": ["ca:x", "tsa:x"], "trustedIdentities": ["x509.subject: CN=Signer, O=Test, ST=Here, C=NL"]}]});
    let policy = PolicyDocument::parse(&serde_json::to_vec(&policy).unwrap()).unwrap();
    let mut stores = TrustStores::default();
    for name in ["ca:x", "tsa:x"] {
        let root = Certificate::from_der(pki.root.root_certificate()).unwrap();
        stores.insert(name.parse().unwrap(), vec![root]).unwrap();
    }
    let trust = Trust { policy, files: None, stores };
    let judging = Judging {
        plugins: None,
        trust: &trust,
        at,
        freshness: Freshness::Current,
        revocation: RevocationReading::Now,
        scope: None,
        seal: SealTerms { scope: SEAL_REPOSITORY.parse().unwrap(), demand: SealDemand::Required },
        // What is demanded of artifacts is not demanded of seals.
        user_metadata: BTreeMap::from([("build".to_owned(), "7".to_owned())]),
        supplied: &[],
        live: None,
    };
    let record = &store.inventory().roots[0];
    let descriptor = Descriptor::new(record.media_type.clone(), record.digest, record.size);
    let subject = Subject {
        store,
        roots: vec![RootToVerify { descriptor, reference: Some(record.reference.clone()) }],
        omitted: BTreeSet::new(),
        listed: BTreeSet::new(),
        seal: SubjectSeal::Sealed(store.seal().unwrap().clone()),
    };
    verify(&subject, &Depth::Judge(judging), &Limits::default(), &NoProgress).unwrap()
}

#[test]
fn a_seal_with_a_timestamp_says_when_it_was_made_in_both_formats() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let stamped = now();
    for envelope in [EnvelopeType::Jws, EnvelopeType::Cose] {
        let store = sealed(&pki, envelope, stamped, &folder);
        let later = stamped.saturating_add(HOUR);
        let verification = judge(&store, &pki, later);
        assert!(verification.seal.is_trusted(), "{:?}", verification.seal);
        assert_eq!(verification.seal.made_after(later), None);
        let place = Source { kind: SourceKind::Bundle, location: "sealed.tar".into() };
        let report = Report::new(place, None, &verification, Vec::new());
        let found = report.seal.unwrap();
        assert_eq!((found.verdict, found.bundle), (SealWord::Trusted, store.manifest().digest));
        let time = found.signature.unwrap().times.authenticated_signing_time.unwrap();
        assert_eq!(time.source, "timestamp");
        assert!(time.earliest <= stamped && stamped <= time.latest);
        // The seal says nothing for the artifact, which has no signature.
        let codes = report.artifacts[0].codes.as_slice();
        assert_eq!(codes, [DiagnosticCode::PolicyNotApplicable]);
    }
}

#[test]
fn a_clock_behind_the_seal_is_told() {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let stamped = now();
    let store = sealed(&pki, EnvelopeType::Jws, stamped, &folder);
    let behind = stamped.saturating_sub(Duration::from_secs(600));
    let verification = judge(&store, &pki, behind);
    let SealOutcome::Judged { .. } = &verification.seal else { panic!("{:?}", verification.seal) };
    // The accuracy of the stamp counts for the clock.
    let made = verification.seal.made_after(behind).unwrap();
    assert_eq!(made, stamped.saturating_sub(Duration::from_secs(1)));
    assert_eq!(verification.seal.made_after(made), None);
}
