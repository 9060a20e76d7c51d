//! The world that the demo starts from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bulla::code::DiagnosticCode;
use bulla::config::{load_policy, load_trust_stores};
use bulla::limits::Limits;
use bulla::notary::{SignatureEnvelope, SignatureManifest};
use bulla::oci::{Descriptor, Manifest, ManifestKind, MediaType};
use bulla::ops::demo::{DemoCrl, DemoWorld};
use bulla::pki::{Certificate, Crl, CrlEntry, RevocationReason};
use bulla::time::UnixTime;
use bulla::trust::StoreType;
use bulla::tsp::TimestampToken;
use bulla::verification::{CarriedEvidence, FoundSignature, Freshness, RevocationReading, Terms, Verdict, evaluate};

use super::{DAY, Judge, now, open};

#[test]
fn the_demo_world_holds_together() {
    let now = now();
    let world = DemoWorld::create(now).unwrap();
    let manifests: Vec<_> = world
        .blobs
        .iter()
        .map(|(descriptor, bytes)| {
            assert_eq!(descriptor.digest, bulla::digest::Digest::sha256(bytes));
            assert_eq!(descriptor.size, u64::try_from(bytes.len()).unwrap());
            (descriptor, bytes)
        })
        .filter(|(descriptor, _)| descriptor.media_type.is_manifest())
        .map(|(descriptor, bytes)| Manifest::parse(descriptor, bytes.clone()).unwrap())
        .collect();
    let has = |wanted: &Descriptor| world.blobs.iter().any(|(descriptor, _)| descriptor.same_content(wanted));
    for manifest in &manifests {
        assert!(manifest.blobs().chain(manifest.manifests()).all(has), "{}", manifest.descriptor().digest);
    }
    let index = manifests.iter().find(|manifest| manifest.kind() == ManifestKind::Index).unwrap();
    let platforms: Vec<_> =
        index.manifests().iter().map(|child| child.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let signature = manifests.iter().find(|manifest| manifest.subject().is_some()).unwrap();
    assert!(signature.subject().unwrap().same_content(&world.index));
    assert_eq!(signature.descriptor().digest, world.signatures[0].digest);
    let (_, envelope) = world.blobs.iter().find(|(descriptor, _)| *descriptor == signature.layers()[0]).unwrap();
    let target = &open(envelope).payload["targetArtifact"];
    assert_eq!(target["digest"], world.index.digest.to_string());
    // Every distribution point that a chain names has its CRL, good and revoked.
    let opened = open(envelope);
    let mut certificates: Vec<_> = opened.chain().iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    let token = TimestampToken::parse(&opened.token(), &Limits::default()).unwrap();
    certificates.extend(token.certificates().iter().cloned());
    let mut urls = Vec::new();
    for certificate in &certificates {
        urls.extend(certificate.revocation_sources().unwrap().http_crl_urls().iter().map(|url| (*url).to_owned()));
    }
    urls.sort();
    for crls in [&world.crls, &world.revoked_crls] {
        let mut offered: Vec<_> = crls.iter().map(|crl| crl.url.clone()).collect();
        offered.sort();
        assert_eq!(urls, offered);
    }
}

#[test]
fn the_demo_world_is_trusted_by_its_own_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (now, limits) = (now(), Limits::default());
    let world = DemoWorld::create(now).unwrap();
    world.write(directory.path()).unwrap();
    let config = directory.path().join("config");
    let policy = load_policy(&config, &limits).unwrap().document;
    let statement = policy.select(&world.reference.repository).unwrap();
    let loaded = load_trust_stores(&config, statement.stores(), &limits).unwrap();
    assert!(loaded.ignored.is_empty());
    let anchors = |kind| loaded.stores.anchors(statement.stores(), kind).unwrap();
    let (descriptor, bytes) = world.blobs.iter().find(|(found, _)| *found == world.signatures[0]).unwrap();
    let manifest = Manifest::parse(&descriptor.bare(), bytes.clone()).unwrap();
    assert_eq!(manifest.referrer_descriptor(), *descriptor);
    let signature = SignatureManifest::read(&manifest).unwrap();
    let (_, bytes) = world.blobs.iter().find(|(found, _)| found == signature.envelope()).unwrap();
    let envelope = SignatureEnvelope::parse(&signature.envelope().media_type, bytes, &limits).unwrap();
    let envelope = envelope.verify().unwrap();
    envelope.payload().matches(&world.index).unwrap();
    envelope.chain().verify_anchor(&anchors(StoreType::Ca)).unwrap();
    envelope.chain().check_validity(now, now).unwrap();
    statement.identities().evaluate(envelope.chain().leaf().subject()).unwrap();
    let token = TimestampToken::parse(envelope.timestamp().unwrap(), &limits).unwrap();
    let token = token.verify(envelope.signature(), &anchors(StoreType::Tsa), &limits).unwrap();
    envelope.chain().check_validity(token.earliest(), token.latest()).unwrap();
    // The signer is on the second list only, and everyone else on neither.
    for (crls, revoked) in [(&world.crls, 0), (&world.revoked_crls, 1)] {
        let mut found = 0;
        for chain in [envelope.chain(), token.chain()] {
            for pair in chain.certificates().windows(2) {
                let url = pair[0].revocation_sources().unwrap().http_crl_urls()[0].to_owned();
                let crl = crls.iter().find(|crl| crl.url == url).unwrap();
                let crl = Crl::from_der(crl.der.clone()).unwrap().verify(&pair[1]).unwrap();
                crl.covers(&pair[0]).unwrap();
                assert!(crl.crl().this_update() > token.latest() && crl.crl().this_update() <= now);
                if let CrlEntry::Revoked(revocation) = crl.lookup(pair[0].serial()).unwrap() {
                    assert_eq!(revocation.reason, RevocationReason::KeyCompromise);
                    assert!(revocation.date > token.latest() && revocation.date < crl.crl().this_update());
                    found += 1;
                }
            }
        }
        assert_eq!(found, revoked);
    }
}

/// Judges the world's image by these CRLs; with one character of the signed payload altered, if so wished.
fn verdict(world: &DemoWorld, crls: &[DemoCrl], at: UnixTime, freshness: Freshness, alter: bool) -> Verdict {
    let directory = tempfile::tempdir().unwrap();
    world.write(directory.path()).unwrap();
    let (config, limits) = (directory.path().join("config"), Limits::default());
    let policy = load_policy(&config, &limits).unwrap().document;
    let stores = load_trust_stores(&config, &policy.stores(), &limits).unwrap().stores;
    let mut evidence = CarriedEvidence::default();
    for crl in crls {
        evidence.insert(Crl::from_der(crl.der.clone()).unwrap());
    }
    let jose = MediaType::from("application/jose+json");
    let (_, bytes) = world.blobs.iter().find(|(found, _)| found.media_type == jose).unwrap();
    let mut bytes = bytes.clone();
    if alter {
        bytes[40] = if bytes[40] == b'A' { b'B' } else { b'A' };
    }
    let found = FoundSignature {
        digest: world.signatures[0].digest,
        subject: world.index.clone(),
        media_type: Some(jose.clone()),
        envelope: Ok(SignatureEnvelope::parse(&jose, &bytes, &limits).unwrap()),
    };
    let metadata = BTreeMap::new();
    let terms = Terms {
        plugins: None,
        stores: &stores,
        evidence: &evidence,
        at,
        freshness,
        revocation: RevocationReading::Now,
        user_metadata: &metadata,
        limits: &limits,
    };
    evaluate(&world.index, &world.reference.repository, &[found], &policy, &terms).verdict
}

#[test]
fn the_demo_world_gets_the_verdicts_that_the_demo_shows() {
    let now = now();
    let world = DemoWorld::create(now).unwrap();
    let judged = |crls: &[DemoCrl], at, freshness| verdict(&world, crls, at, freshness, false);
    for freshness in [Freshness::Current, Freshness::AtSigning, Freshness::MaxAge(DAY)] {
        let good = judged(&world.crls, now, freshness);
        assert!(matches!(good, Verdict::Trusted(_)), "{freshness:?}: {good:?}");
        let revoked = judged(&world.revoked_crls, now, freshness);
        assert!(matches!(&revoked, Verdict::Rejected(codes) if codes.contains(&DiagnosticCode::CertificateRevoked)));
    }
    assert!(matches!(judged(&[], now, Freshness::Current), Verdict::Undecided(_)));
    // The CRLs hold for a month, what they say of the time of signing holds for good.
    let later = now.saturating_add(DAY * 60);
    let stale = judged(&world.crls, later, Freshness::Current);
    assert!(matches!(&stale, Verdict::Undecided(codes) if codes.contains(&DiagnosticCode::CrlExpired)), "{stale:?}");
    assert!(matches!(judged(&world.crls, later, Freshness::AtSigning), Verdict::Trusted(_)));
    // The certificate's own end changes nothing for a timestamped signature (conformance 8.21).
    let expired = now.saturating_add(DAY * 400);
    let expired = judged(&world.crls, expired, Freshness::AtSigning);
    assert!(matches!(expired, Verdict::Trusted(_)), "{expired:?}");
    let altered = verdict(&world, &world.crls, now, Freshness::Current, true);
    assert!(matches!(altered, Verdict::Rejected(_)), "{altered:?}");
}

#[test]
fn openssl_judges_the_written_demo_world() {
    let Some(judge) = Judge::new("openssl_judges_the_written_demo_world") else { return };
    let world = DemoWorld::create(now()).unwrap();
    world.write(judge.path()).unwrap();
    let file = |name: &str| -> PathBuf { judge.path().join(name) };
    assert!(file("registry/oci-layout").is_file() && file("registry/index.json").is_file());
    assert!(file("config/trustpolicy.json").is_file());
    let envelope = world.blobs.iter().find(|(descriptor, _)| descriptor.media_type == "application/jose+json");
    let opened = open(&envelope.unwrap().1);
    let chain = opened.chain();
    judge.put_pem("leaf.pem", &chain[..1]);
    judge.put_pem("issuing.pem", &chain[1..2]);
    let root = "config/truststore/x509/ca/bulla-demo/root.pem";
    for (directory, good) in [("crls", true), ("crls-revoked", false)] {
        let files = ["root", "issuing"].map(|name| format!("{directory}/{name}.crl"));
        judge.gather_crls("all.crl.pem", &files.each_ref().map(String::as_str));
        let verify = ["verify", "-crl_check_all", "-CRLfile", "all.crl.pem", "-CAfile", root];
        let arguments = [&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat();
        if good {
            judge.accepts(&arguments);
        } else {
            assert!(judge.refuses(&arguments).contains("certificate revoked"));
        }
    }
    judge.put("signature", &opened.signature);
    judge.put("token", opened.token());
    let tsa = "config/truststore/x509/tsa/bulla-demo-tsa/root.pem";
    judge.accepts(&["ts", "-verify", "-data", "signature", "-in", "token", "-token_in", "-CAfile", tsa]);
}

#[test]
fn skopeo_copies_the_demo_image_without_changing_its_digest() {
    let found = Command::new("skopeo").arg("--version").stdout(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        crate::skip::tool(format_args!("skopeo_copies_the_demo_image_without_changing_its_digest: no skopeo"));
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let world = DemoWorld::create(now()).unwrap();
    world.write(directory.path()).unwrap();
    let skopeo = |arguments: &[&str]| {
        let output = Command::new("skopeo").args(arguments).current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let policy = "--insecure-policy";
    skopeo(&[policy, "copy", "--all", "--preserve-digests", "oci:registry:1.0", "oci:copy:1.0"]);
    let raw = skopeo(&["inspect", "--raw", "oci:copy:1.0"]);
    assert_eq!(bulla::digest::Digest::sha256(&raw), world.index.digest);
    for architecture in ["amd64", "arm64"] {
        let config = skopeo(&["--override-arch", architecture, "inspect", "--config", "oci:copy:1.0"]);
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        assert_eq!(config["architecture"], architecture);
    }
}
