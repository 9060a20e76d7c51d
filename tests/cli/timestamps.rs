//! Timestamps by an openssl authority: asked for when signing, and added later, inside and beside signatures.

use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};

use sha2::Digest as _;

use super::common::contents;
use super::signers::World;
use crate::http::File;
use crate::openssl::{Chain, Key, Use};

/// A world with a timestamp authority at `/tsa`; the policy wants its timestamps.
fn world(test: &str, key: Key) -> Option<(World, Chain)> {
    let world = World::new(test, key)?;
    let tsa = world.pki.chain("tsa", Key::Rsa2048, Use::Timestamping);
    world.publish_crls(&tsa);
    let (pki, leaf) = (Arc::clone(&world.pki), tsa.leaf.clone());
    let answer = move |query: &[u8]| ("application/timestamp-reply".to_owned(), pki.reply(&leaf, query));
    world.server.put("tsa", File::Answer(Arc::new(answer)));
    world.user.put("trust/tsa/e2e/root.pem", world.pki.pem(&tsa.root));
    world.user.put("tsa-root.pem", world.pki.pem(&tsa.root));
    world.policy(&["ca:e2e", "tsa:e2e"]);
    Some((world, tsa))
}

fn asking(world: &World, path: &str) -> Vec<String> {
    ["--timestamp-url", &format!("{}/{path}", world.server.url()), "--timestamp-root-cert", "tsa-root.pem"]
        .map(str::to_owned)
        .to_vec()
}

fn with<'a>(words: &[&'a str], more: &'a [String]) -> Vec<&'a str> {
    words.iter().copied().chain(more.iter().map(String::as_str)).collect()
}

#[test]
fn a_signature_is_stamped_when_it_is_made() {
    // Conformance 9.01 to 9.07, 3.18.
    let Some((world, tsa)) = world("a_signature_is_stamped_when_it_is_made", Key::P384) else { return };
    let authority = asking(&world, "tsa");
    world.sign(&with(&["layout:1.0"], &authority)).ends(0);
    world.verify("layout:1.0").ends(0);
    let envelope = world.blob(&world.signatures()[0]["layers"][0]);
    let token =
        BASE64_STANDARD.decode(envelope["header"]["io.cncf.notary.timestampSignature"].as_str().unwrap()).unwrap();
    let value = BASE64_URL_SAFE_NO_PAD.decode(envelope["signature"].as_str().unwrap()).unwrap();
    // openssl finds the token to be of this very signature value, by an authority under this root.
    world.pki.verify_token(&tsa, &token, &value).unwrap();
    world.pki.verify_token(&tsa, &token, b"something else").unwrap_err();
    world.sign(&with(&["layout:1.0", "--signature-format", "cose"], &authority)).ends(0);
    let report = world.verify("layout:1.0").ends(0).json();
    for signature in report["artifacts"][0]["signatures"].as_array().unwrap() {
        assert_eq!(signature["verdict"], "good", "{signature:#}");
    }
    // Conformance 12.10, 12.11: the same for files, with the hash of the signing key.
    world.user.put("file.bin", "content");
    let blob = ["blob", "sign", "file.bin", "--key-file", "signer.key", "--cert-file", "signer.crt", "-e", "1h"];
    world.user.bulla(&with(&blob, &authority)).ends(0);
    let shown = world.user.bulla(&["blob", "inspect", "file.bin.jws.sig", "-o", "json"]).ends(0).json();
    assert!(shown["signedAttributes"]["expiry"].is_string(), "{shown:#}");
    assert!(shown["unsignedAttributes"]["timestampSignature"]["timestamp"].is_string(), "{shown:#}");
    let envelope: serde_json::Value = serde_json::from_slice(&world.user.get("file.bin.jws.sig")).unwrap();
    let token =
        BASE64_STANDARD.decode(envelope["header"]["io.cncf.notary.timestampSignature"].as_str().unwrap()).unwrap();
    let value = BASE64_URL_SAFE_NO_PAD.decode(envelope["signature"].as_str().unwrap()).unwrap();
    let imprint = sha2::Sha384::digest(&value);
    assert!(token.windows(imprint.len()).any(|bytes| bytes == imprint.as_slice()));
    world.pki.verify_token(&tsa, &token, &value).unwrap();
}

#[test]
fn no_timestamp_no_signature() {
    // Conformance 9.04, 9.05, 9.07, 9.09.
    let Some((world, tsa)) = world("no_timestamp_no_signature", Key::P256) else { return };
    let before = contents(&world.user.path("layout"));
    let refused = |path: &str, codes: &[&str]| {
        let authority = asking(&world, path);
        let ended = world.sign(&with(&["layout:1.0"], &authority));
        assert_ne!(ended.status, 0, "{path}: {ended:?}");
        assert!(codes.iter().any(|code| ended.stderr.contains(&format!("error[{code}]"))), "{path}: {ended:?}");
        assert_eq!(contents(&world.user.path("layout")), before, "{path}");
        ended
    };
    let unavailable = ["timestamp-unavailable"];
    refused("nobody", &unavailable).says(&["status 404"]);
    world.server.put("plain", File::Bytes(b"hello".to_vec()));
    refused("plain", &unavailable);
    world.server.put("broken", File::Answer(Arc::new(|_: &[u8]| ("application/timestamp-reply".into(), vec![0x30]))));
    refused("broken", &unavailable).says(&["malformed"]);
    // Somebody else's answer, played again.
    let hash = "a92b61c3f0d6b3b4f9ad0a0c2a7d52a1c0f5f6d1e2d3c4b5a697887766554433";
    let old = world.pki.response_for_digest(&tsa.leaf, hash);
    world
        .server
        .put("replay", File::Answer(Arc::new(move |_: &[u8]| ("application/timestamp-reply".into(), old.clone()))));
    refused("replay", &unavailable).says(&["not of what was asked for"]);
    // A token of the right kind, of an authority that the operator did not name.
    let stranger = world.pki.chain("stranger", Key::P256, Use::Timestamping);
    world.publish_crls(&stranger);
    let (pki, leaf) = (Arc::clone(&world.pki), stranger.leaf.clone());
    let answer = move |query: &[u8]| ("application/timestamp-reply".to_owned(), pki.reply(&leaf, query));
    world.server.put("stranger", File::Answer(Arc::new(answer)));
    refused("stranger", &unavailable);
    // The right one, whose revocation cannot be asked about; and then the right one, revoked.
    world.server.put("tsa-inter.crl", File::Status(500));
    refused("tsa", &unavailable).says(&["good standing"]);
    world.pki.revoke(&tsa.inter, &tsa.leaf, "keyCompromise");
    world.publish_crls(&tsa);
    refused("tsa", &unavailable).says(&["good standing"]);
    // Conformance 9.06: both flags or none; and a root, nothing else.
    world.sign(&["layout:1.0", "--timestamp-url", "http://127.0.0.1:1"]).ends(2);
    world.user.put("tsa-root.pem", world.pki.pem(&tsa.inter));
    refused("tsa", &["usage-invalid"]);
    world.user.put("tsa-root.pem", world.pki.pem(&tsa.root).repeat(2));
    refused("tsa", &["usage-invalid"]);
}

#[test]
fn a_timestamp_is_added_to_signatures_in_a_layout() {
    let Some((world, _)) = world("a_timestamp_is_added_to_signatures_in_a_layout", Key::P521) else { return };
    world.sign(&["layout:1.0"]).ends(0);
    world.sign(&["layout:1.0", "--signature-format", "cose", "--legacy-manifest"]).ends(0);
    world.verify("layout:1.0").ends(1);
    let before = contents(&world.user.path("layout"));
    let authority = asking(&world, "tsa");
    let add =
        |more: &[&str]| world.user.bulla(&with(&[&["timestamp", "add", "layout:1.0"], more].concat(), &authority));
    add(&[]).ends(0).prints(&["the new signature is layout@sha256:"]);
    for (path, content) in before.iter().filter(|(path, _)| !path.ends_with("index.json")) {
        assert_eq!(contents(&world.user.path("layout")).get(path), Some(content));
    }
    // The old two, and two new ones of the same forms.
    let signatures = world.signatures();
    assert_eq!(signatures.len(), 4);
    assert_eq!(signatures.iter().filter(|one| one["artifactType"].is_null()).count(), 2);
    let report = world.verify("layout:1.0").ends(0).json();
    let words: Vec<_> =
        report["artifacts"][0]["signatures"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
    assert_eq!(words.iter().filter(|word| **word == "good").count(), 2, "{report:#}");
    // The old two have no timestamp still, so they would get one again; those that have one are passed over.
    let stamped =
        report["artifacts"][0]["signatures"].as_array().unwrap().iter().find(|one| one["verdict"] == "good").unwrap();
    let stamped = stamped["digest"].as_str().unwrap();
    add(&["--signature", stamped]).refuses(4, &["not-found"]).says(&["it has a timestamp"]);
    add(&["--signature", stamped, "--renew"]).ends(0);
    assert_eq!(world.signatures().len(), 5);
    let absent = format!("sha256:{}", "0".repeat(64));
    add(&["--signature", &absent]).fails(4, &["not-found"]);
}

#[test]
fn a_timestamp_is_carried_beside_the_signatures_of_a_bundle() {
    let Some((world, tsa)) = world("a_timestamp_is_carried_beside", Key::Rsa3072) else { return };
    world.sign(&["layout:1.0"]).ends(0);
    let name = format!("{}:1.0", super::signers::SCOPE);
    world.user.bulla(&["export", "oci:layout:1.0", "--as", &name, "-o", "plain.tar"]).ends(0);
    let authority = asking(&world, "tsa");
    world.user.bulla(&with(&["timestamp", "add", "plain.tar"], &authority)).refuses(2, &["usage-invalid"]);
    let add = ["timestamp", "add", "plain.tar", "-o", "stamped.tar"];
    world.user.bulla(&with(&add, &authority)).ends(0).prints(&["Timestamped the signature sha256:"]);
    world.server.forget_requests();
    let verify = |bundle: &str, more: &[&str]| {
        let trust = ["--trust-store", "trust", "--policy", "policy.json", "--format", "json"];
        world.user.bulla(&[&["verify", bundle], &trust[..], more].concat())
    };
    let plain = verify("plain.tar", &[]).ends(1).json();
    assert_eq!(plain["artifacts"][0]["codes"][0], "timestamp-absent");
    let stamped = verify("stamped.tar", &[]).ends(0).json();
    let signature = &stamped["artifacts"][0]["signatures"][0];
    assert!(signature["times"].to_string().contains("timestamp"), "{signature:#}");
    assert!(signature.to_string().contains("stamped after it was signed"), "{signature:#}");
    // Without the authority's root, and with another's in its place, it is worth nothing.
    let stranger = world.pki.chain("stranger", Key::P256, Use::Timestamping);
    world.user.put("trust/tsa/e2e/root.pem", world.pki.pem(&stranger.root));
    let untrusted = verify("stamped.tar", &[]).ends(1).json();
    assert_eq!(untrusted["artifacts"][0]["codes"][0], "timestamp-untrusted");
    world.user.put("trust/tsa/e2e/root.pem", world.pki.pem(&tsa.root));
    // What was carried is judged without the network, and survives import and export.
    assert!(world.server.seen().is_empty());
    let import = ["import", "stamped.tar", "--to", "oci:imported", "--trust-store", "trust", "--policy", "policy.json"];
    world.user.bulla(&import).ends(0);
    verify("oci:imported:1.0", &["--offline"]).ends(0);
    world.user.bulla(&["export", "stamped.tar", "-o", "again.tar", "--offline"]).ends(0);
    verify("again.tar", &[]).ends(0);
    // A revoked authority vouches for nothing, wherever its token lies.
    world.pki.revoke(&tsa.inter, &tsa.leaf, "keyCompromise");
    world.user.put("revoked.crl", world.pki.crl(&tsa.inter));
    let revoked = verify("stamped.tar", &["--crl", "revoked.crl"]).ends(1).json();
    assert!(revoked["artifacts"][0]["codes"].to_string().contains("certificate-revoked"), "{revoked:#}");
}

#[test]
fn an_expired_signer_is_kept_good_by_a_timestamp_beside_it() {
    let Some((world, _)) = world("an_expired_signer_is_kept_good", Key::P256) else { return };
    world.sign(&["layout:1.0"]).ends(0);
    let name = format!("{}:1.0", super::signers::SCOPE);
    world.user.bulla(&["export", "oci:layout:1.0", "--as", &name, "-o", "plain.tar"]).ends(0);
    let authority = asking(&world, "tsa");
    world.user.bulla(&with(&["timestamp", "add", "plain.tar", "-o", "stamped.tar"], &authority)).ends(0);
    // The signer's certificate ends in a year, the CRLs in a month: judged two years later by what held at signing.
    let later = crate::openssl::rfc3339(crate::openssl::now() + 700 * crate::openssl::DAY);
    world.policy(&["ca:e2e", "tsa:e2e"]);
    let trust = ["--trust-store", "trust", "--policy", "policy.json", "--at", &later, "--freshness", "at-signing"];
    let verify = |bundle: &str| world.user.bulla(&[&["verify", bundle], &trust[..]].concat());
    verify("plain.tar").ends(1).prints(&["timestamp-absent"]);
    let stamped = verify("stamped.tar");
    assert!(!stamped.stdout.contains("certificate-expired"), "{stamped:?}");
    assert!(!stamped.stdout.contains("timestamp-absent"), "{stamped:?}");
}
