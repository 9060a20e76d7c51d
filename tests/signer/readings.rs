//! A timestamped signature whose signer, or timestamp authority, was revoked later (conformance 8.32, 9.30, 14.08).

use std::collections::BTreeMap;
use std::time::Duration;

use bulla::code::DiagnosticCode;
use bulla::digest::Digest;
use bulla::limits::Limits;
use bulla::notary::SignatureEnvelope;
use bulla::oci::{Descriptor, MediaType};
use bulla::pki::{Certificate, Crl};
use bulla::signer::authority::{Authority, CrlReason, LeafUsage, Request, Revocation};
use bulla::signer::tsa::{TimestampAt, TimestampAuthority};
use bulla::signer::{LocalKey, LocalSigner, SigningOptions, sign_jws};
use bulla::time::{UnixTime, ValidityPeriod};
use bulla::trust::{PolicyDocument, TrustStores};
use bulla::verification::{CarriedEvidence, FoundSignature, Freshness, RevocationReading, Terms, Verdict, evaluate};

const SIGNED: UnixTime = UnixTime::from_seconds(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3_600);

struct World {
    root: Authority,
    stamping: Authority,
    leaf: Vec<u8>,
    stamper: Vec<u8>,
    image: Descriptor,
    found: FoundSignature,
}

fn world() -> World {
    let validity =
        ValidityPeriod { not_before: SIGNED.saturating_sub(HOUR * 99), not_after: SIGNED.saturating_add(HOUR * 999) };
    let request = |subject, crl_url| Request { subject, validity, crl_url };
    let root = Authority::root(&request("CN=root,O=o,ST=st,C=NL", None)).unwrap();
    let stamping = Authority::root(&request("CN=time,O=o,ST=st,C=NL", None)).unwrap();
    let stamper = request("CN=stamper,O=o,ST=st,C=NL", Some("http://crl.example/time.crl"));
    let stamper = TimestampAuthority::new(&stamping, &stamper, None).unwrap();
    let key = LocalKey::generate_p256().unwrap();
    let leaf = request("CN=leaf,O=o,ST=st,C=NL", Some("http://crl.example/root.crl"));
    let chain = root.leaf(&leaf, LeafUsage::CodeSigning, &key.public_key_der().unwrap()).unwrap();
    let leaf = chain[0].clone();
    let signer = LocalSigner::new(key, chain).unwrap();
    let image = Descriptor::of(MediaType::OCI_MANIFEST, b"{}");
    let timestamp = TimestampAt { authority: &stamper, time: SIGNED };
    let options = SigningOptions { timestamp: Some(&timestamp), ..SigningOptions::new(SIGNED) };
    let envelope = sign_jws(&image, &signer, &options).unwrap();
    let media_type = envelope.descriptor.media_type.clone();
    let found = FoundSignature {
        digest: Digest::sha256(b"signature"),
        subject: image.clone(),
        envelope: Ok(SignatureEnvelope::parse(&media_type, &envelope.bytes, &Limits::default()).unwrap()),
        media_type: Some(media_type),
    };
    let stamper = stamper.chain().unwrap().remove(0);
    World { root, stamping, leaf, stamper, image, found }
}

/// Judges with CRLs of three hours after the signature that list the leaf and the stamper so.
fn judge(
    world: &World,
    leaf: Option<(UnixTime, CrlReason)>,
    stamper: Option<(UnixTime, CrlReason)>,
    reading: RevocationReading,
) -> (Verdict, Vec<DiagnosticCode>) {
    let issued = SIGNED.saturating_add(HOUR * 3);
    let mut evidence = CarriedEvidence::default();
    for (authority, certificate, listed) in
        [(&world.root, &world.leaf, leaf), (&world.stamping, &world.stamper, stamper)]
    {
        let line = |(date, reason)| Revocation { certificate: certificate.clone(), date, reason };
        let lines: Vec<Revocation> = listed.map(line).into_iter().collect();
        let der = authority.crl(issued, issued.saturating_add(HOUR), 1, &lines).unwrap();
        evidence.insert(Crl::from_der(der).unwrap());
    }
    let policy = serde_json::json!({"version": "1.0", "trustPolicies": [{"name": "all", "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"}, "trustStores": ["ca:x", "tsa:y"], "trustedIdentities": ["*"]}]});
    let policy = PolicyDocument::parse(&serde_json::to_vec(&policy).unwrap()).unwrap();
    let mut stores = TrustStores::default();
    for (name, authority) in [("ca:x", &world.root), ("tsa:y", &world.stamping)] {
        let root = Certificate::from_der(authority.root_certificate()).unwrap();
        stores.insert(name.parse().unwrap(), vec![root]).unwrap();
    }
    let metadata = BTreeMap::new();
    let terms = Terms {
        plugins: None,
        stores: &stores,
        evidence: &evidence,
        at: issued.saturating_add(Duration::from_secs(60)),
        freshness: Freshness::Current,
        revocation: reading,
        user_metadata: &metadata,
        limits: &Limits::default(),
    };
    let outcome =
        evaluate(&world.image, &"h.io/app".parse().unwrap(), std::slice::from_ref(&world.found), &policy, &terms);
    let noted = outcome.signatures.iter().flat_map(|signature| &signature.checks).filter_map(|judged| {
        match judged.check.finding {
            bulla::verification::Finding::Excused(_, code) => Some(code),
            _ => None,
        }
    });
    let noted = noted.collect();
    (outcome.verdict, noted)
}

#[test]
fn a_later_revocation_leaves_an_authenticated_signature_good_only_on_request() {
    let world = world();
    let (before, after) = (SIGNED.saturating_sub(HOUR), SIGNED.saturating_add(HOUR * 2));
    let now = RevocationReading::Now;
    let then = RevocationReading::PointInTime;
    let later = Some((after, CrlReason::Superseded));
    for (leaf, stamper, reading, trusted, noted) in [
        (None, None, now, true, 0),
        (later, None, now, false, 0),
        (later, None, then, true, 1),
        (Some((before, CrlReason::Superseded)), None, then, false, 0),
        (Some((after, CrlReason::KeyCompromise)), None, then, false, 0),
        (None, later, now, false, 0),
        (None, later, then, false, 0),
        (later, later, then, false, 0),
    ] {
        let (verdict, codes) = judge(&world, leaf, stamper, reading);
        assert_eq!(matches!(verdict, Verdict::Trusted(_)), trusted, "{leaf:?} {stamper:?} {reading}: {verdict:?}");
        assert_eq!(codes, vec![DiagnosticCode::RevokedAfterSigning; noted]);
        if !trusted {
            assert!(
                matches!(&verdict, Verdict::Rejected(codes) if codes.contains(&DiagnosticCode::CertificateRevoked))
            );
        }
    }
}
