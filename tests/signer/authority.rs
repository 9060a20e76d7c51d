//! Certificates, CRLs and tokens of the authorities for examples, judged by openssl.

use std::time::Duration;

use bulla::limits::Limits;
use bulla::pki::{Certificate, CertificateChain, Crl, CrlEntry, HashAlgorithm, Profile};
use bulla::signer::Signer;
use bulla::signer::authority::{CrlReason, Revocation};
use bulla::tsp::TimestampToken;

use super::{DAY, Judge, Pki, now};

fn conforms(chain: &[Vec<u8>], profile: Profile) {
    let chain = chain.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    CertificateChain::new(chain, &Limits::default()).unwrap().inspect(profile).unwrap();
}

#[test]
fn openssl_accepts_the_chains_of_the_authority() {
    let Some(judge) = Judge::new("openssl_accepts_the_chains_of_the_authority") else { return };
    let pki = Pki::new();
    let signer = pki.p256_signer();
    let tsa = pki.timestamp_authority().chain().unwrap();
    for (chain, purpose) in [(signer.certificates(), "any"), (&tsa, "timestampsign")] {
        judge.put_pem("leaf.pem", &chain[..1]);
        judge.put_pem("issuing.pem", &chain[1..2]);
        judge.put_pem("root.pem", &chain[2..]);
        let verify = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "root.pem"];
        judge.accepts(&[&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat());
        judge.refuses(&[&verify[..], &["leaf.pem"]].concat());
    }
    // Conformance 5.08, 5.10: both critical, keyCertSign; the issuing authority may have no authority below it.
    let issuing = judge.accepts(&["x509", "-in", "issuing.pem", "-noout", "-text"]);
    for wanted in [
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "URI:http://crl.test/root.crl",
    ] {
        assert!(issuing.contains(wanted), "{wanted}: {issuing}");
    }
    // Conformance 5.14: critical and nothing else.
    let stamping = judge.accepts(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    assert!(stamping.contains("X509v3 Extended Key Usage: critical\n                Time Stamping\n"), "{stamping}");
    // Conformance 5.11 to 5.13.
    judge.put_pem("leaf.pem", &signer.certificates()[..1]);
    let leaf = judge.accepts(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    for wanted in [
        "CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                Code Signing\n",
        "URI:http://crl.test/issuing.crl",
        "Subject: C = NL, ST = Here, O = Test, CN = Signer",
    ] {
        assert!(leaf.contains(wanted), "{wanted}: {leaf}");
    }
    conforms(signer.certificates(), Profile::CodeSigning);
    conforms(&tsa, Profile::Timestamping);
}

#[test]
fn openssl_accepts_the_crls_and_finds_the_revoked_certificate() {
    let Some(judge) = Judge::new("openssl_accepts_the_crls_and_finds_the_revoked_certificate") else { return };
    let (pki, now) = (Pki::new(), now());
    let signer = pki.p256_signer();
    let leaf = signer.certificates()[0].clone();
    let crl =
        |revoked: &[Revocation]| pki.issuing.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 7, revoked).unwrap();
    let revocation =
        Revocation { certificate: leaf.clone(), date: now.saturating_sub(DAY), reason: CrlReason::KeyCompromise };
    let root_crl = pki.root.crl(now.saturating_sub(DAY), now.saturating_add(DAY), 1, &[]).unwrap();
    judge.put_pem("leaf.pem", &signer.certificates()[..1]);
    judge.put_pem("issuing.pem", &signer.certificates()[1..2]);
    judge.put_pem("root.pem", &signer.certificates()[2..]);
    judge.put("root.crl", root_crl);
    let issuer = Certificate::from_der(&signer.certificates()[1]).unwrap();
    let serial = Certificate::from_der(&leaf).unwrap().serial().clone();
    for revoked in [false, true] {
        let der = if revoked { crl(std::slice::from_ref(&revocation)) } else { crl(&[]) };
        judge.put("issuing.crl", &der);
        let text = judge.accepts(&[
            "crl",
            "-inform",
            "DER",
            "-in",
            "issuing.crl",
            "-CAfile",
            "issuing.pem",
            "-text",
            "-noout",
            "-verify",
        ]);
        assert!(text.contains("verify OK"), "{text}");
        assert!(text.contains("Version 2"), "{text}");
        assert!(text.contains("X509v3 CRL Number: \n                7"), "{text}");
        assert!(text.contains("X509v3 Authority Key Identifier"), "{text}");
        judge.gather_crls("all.crl.pem", &["root.crl", "issuing.crl"]);
        let verify = ["verify", "-crl_check_all", "-CRLfile", "all.crl.pem", "-CAfile", "root.pem"];
        let arguments = [&verify[..], &["-untrusted", "issuing.pem", "leaf.pem"]].concat();
        let found = Crl::from_der(der).unwrap().verify(&issuer).unwrap().lookup(&serial).unwrap();
        if revoked {
            assert!(text.contains("Key Compromise"), "{text}");
            assert!(judge.refuses(&arguments).contains("certificate revoked"));
            assert!(!matches!(found, CrlEntry::NotListed), "{found:?}");
        } else {
            judge.accepts(&arguments);
            assert!(matches!(found, CrlEntry::NotListed), "{found:?}");
        }
    }
}

#[test]
fn openssl_accepts_the_timestamp_tokens() {
    let Some(judge) = Judge::new("openssl_accepts_the_timestamp_tokens") else { return };
    let (pki, now) = (Pki::new(), now());
    let tsa = pki.timestamp_authority();
    let chain = tsa.chain().unwrap();
    judge.put_pem("root.pem", &chain[2..]);
    for (hash, name) in
        [(HashAlgorithm::Sha256, "-sha256"), (HashAlgorithm::Sha384, "-sha384"), (HashAlgorithm::Sha512, "-sha512")]
    {
        let message = b"a primitive signature";
        judge.put("data", message);
        judge.put("other", b"another one");
        let token = tsa.token(hash, &hash.digest(message), now).unwrap();
        judge.put("token", &token);
        let verify = |data: &str| {
            ["ts", "-verify", "-data", data, "-in", "token", "-token_in", "-CAfile", "root.pem"].map(str::to_owned)
        };
        let data = verify("data");
        let other = verify("other");
        assert!(judge.accepts(&data.each_ref().map(String::as_str)).contains("Verification: OK"), "{name}");
        judge.refuses(&other.each_ref().map(String::as_str));
        let text = judge.accepts(&["ts", "-reply", "-in", "token", "-token_in", "-text"]);
        assert!(text.contains("Accuracy: 0x01 seconds"), "{text}");
        // Our own reader agrees, at genTime and with the accuracy.
        let token = TimestampToken::parse(&token, &Limits::default()).unwrap();
        let root = Certificate::from_der(&chain[2]).unwrap();
        let verified = token.verify(message, &[root], &Limits::default()).unwrap();
        assert_eq!(verified.gen_time(), now);
        assert_eq!(verified.latest(), now.saturating_add(Duration::from_secs(1)));
    }
    // Conformance 9.11, 9.13, 9.15, 9.16: what openssl reads in the structure.
    let text = judge.accepts(&["cms", "-cmsout", "-print", "-inform", "DER", "-in", "token"]);
    for wanted in [
        "version: 3",
        "version: 1",
        "id-smime-ct-TSTInfo",
        "messageDigest",
        "signingTime",
        "id-smime-aa-signingCertificateV2",
        "ecdsa-with-SHA256",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(tsa.token(HashAlgorithm::Sha256, b"short", now).is_err());
}
