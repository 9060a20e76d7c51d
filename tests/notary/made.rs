//! Envelopes that openssl signed: genuine signatures over what must, or must not, be accepted.

use bulla::code::{Diagnostic as _, DiagnosticCode};
use bulla::limits::Limits;
use bulla::notary::{AuthenticEnvelope, EnvelopeError, Payload, SignatureEnvelope};
use bulla::trust::{SubjectError, TrustedIdentities};
use serde_json::{Value, json};

use crate::pki::{CA, Holder, LEAF, Signing, Workshop};

const SCHEME: &str = "io.cncf.notary.signingScheme";

fn protected(algorithm: &str) -> Value {
    json!({
        "alg": algorithm, "crit": [SCHEME], "cty": Payload::MEDIA_TYPE, SCHEME: "notary.x509",
        "io.cncf.notary.signingTime": "2026-11-21T21:00:00+01:00",
    })
}

fn payload() -> Value {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    json!({ "targetArtifact": { "size": 0, "mediaType": "a/b", "digest": digest, "annotations": { "k": "v" } } })
}

fn verify(envelope: &[u8]) -> Result<AuthenticEnvelope, EnvelopeError> {
    let limits = Limits::default();
    SignatureEnvelope::parse(&"application/jose+json".into(), envelope, &limits)?.verify()
}

fn code(envelope: &[u8]) -> Option<DiagnosticCode> {
    verify(envelope).err().map(|error| error.code())
}

const SALT: &str = "rsa_pss_saltlen:digest";

#[test]
fn all_six_algorithms_verify_and_each_only_with_its_key() {
    // Conformance 3.07, 3.08, 3.19, 3.20, 5.01.
    let Some(workshop) = Workshop::open() else { return };
    for (kind, algorithm, signing) in [
        ("rsa:2048", "PS256", Signing::pss("sha256", SALT)),
        ("rsa:3072", "PS384", Signing::pss("sha384", SALT)),
        ("rsa:4096", "PS512", Signing::pss("sha512", SALT)),
        ("ec:P-256", "ES256", Signing::ecdsa("sha256", 32)),
        ("ec:P-384", "ES384", Signing::ecdsa("sha384", 48)),
        ("ec:P-521", "ES512", Signing::ecdsa("sha512", 66)),
    ] {
        let chain = workshop.chain(kind);
        let sign = |name: &str, signing: &Signing| workshop.envelope(&protected(name), &payload(), &chain, signing);
        let authentic = verify(&sign(algorithm, &signing)).unwrap_or_else(|error| panic!("{algorithm}: {error}"));
        assert_eq!(authentic.algorithm().name(), algorithm);
        assert_eq!(authentic.payload().target().annotations.get("k").map(String::as_str), Some("v"));
        for other in
            ["PS256", "PS384", "PS512", "ES256", "ES384", "ES512"].into_iter().filter(|name| *name != algorithm)
        {
            let found = code(&sign(other, &signing));
            assert_eq!(found, Some(DiagnosticCode::AlgorithmMismatch), "{kind} as {other}");
        }
        let wrong_hash =
            Signing { hash: if signing.hash == "sha256" { "sha384" } else { "sha256" }, ..signing.clone() };
        assert_eq!(code(&sign(algorithm, &wrong_hash)), Some(DiagnosticCode::SignatureInvalid), "{kind} hash");
        let der = Signing { width: None, ..signing };
        if kind.starts_with("ec") {
            assert_eq!(code(&sign(algorithm, &der)), Some(DiagnosticCode::SignatureInvalid), "3.20 {kind} DER");
        }
    }
}

#[test]
fn only_pss_with_a_salt_as_long_as_the_hash() {
    // Conformance 3.19, 14.14; the reference takes any salt.
    let Some(workshop) = Workshop::open() else { return };
    let chain = workshop.chain("rsa:2048");
    let pkcs1 = Signing { hash: "sha256", padding: Vec::new(), width: None };
    for (what, signing) in [
        ("no salt", Signing::pss("sha256", "rsa_pss_saltlen:0")),
        ("long salt", Signing::pss("sha256", "rsa_pss_saltlen:max")),
        ("PKCS#1", pkcs1),
    ] {
        let envelope = workshop.envelope(&protected("PS256"), &payload(), &chain, &signing);
        assert_eq!(code(&envelope), Some(DiagnosticCode::SignatureInvalid), "{what}");
    }
}

/// Signs with members of the protected header replaced; null removes.
fn signed_with(workshop: &Workshop, chain: &[Holder], changes: &Value, payload: &Value) -> Option<DiagnosticCode> {
    let mut header = protected("ES256");
    for (member, value) in changes.as_object().unwrap() {
        header[member] = value.clone();
    }
    header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    code(&workshop.envelope(&header, payload, chain, &Signing::ecdsa("sha256", 32)))
}

#[test]
fn a_genuine_signature_does_not_excuse_a_broken_rule() {
    use DiagnosticCode::{
        CriticalAttributeUnknown, EnvelopeMalformed, PayloadMalformed, PluginRequired, SigningSchemeUnsupported,
    };
    let Some(workshop) = Workshop::open() else { return };
    let chain = workshop.chain("ec:P-256");
    let expiry = "io.cncf.notary.expiry";
    let authentic = "io.cncf.notary.authenticSigningTime";
    let time = "io.cncf.notary.signingTime";
    let plugin = "io.cncf.notary.verificationPlugin";
    for (fact, changes, wanted) in [
        ("plain", json!({}), None),
        ("3.13 UTC", json!({ time: "2026-11-21T20:00:00Z" }), None),
        ("3.13", json!({ time: "2026-11-21" }), Some(EnvelopeMalformed)),
        ("3.14 absent", json!({ time: null }), Some(EnvelopeMalformed)),
        ("3.14 both", json!({ authentic: "2026-11-21T20:00:00Z" }), Some(EnvelopeMalformed)),
        ("2.13", json!({ expiry: "2026-11-21T20:00:01Z", "crit": [SCHEME, expiry] }), None),
        ("2.13 not critical", json!({ expiry: "2026-11-21T20:00:01Z" }), Some(EnvelopeMalformed)),
        ("2.25", json!({ expiry: "2026-11-21T20:00:00Z", "crit": [SCHEME, expiry] }), Some(EnvelopeMalformed)),
        ("3.15", json!({ expiry: "0001-01-01T00:00:00Z" }), None),
        (
            "2.12",
            json!({ SCHEME: "notary.x509.signingAuthority", time: null, authentic: "2026-11-21T20:00:00Z",
                "crit": [authentic, SCHEME] }),
            None,
        ),
        ("2.10", json!({ SCHEME: "notary.signingAuthority.x509" }), Some(SigningSchemeUnsupported)),
        ("3.10", json!({ "crit": [] }), Some(EnvelopeMalformed)),
        ("3.11 alg", json!({ "crit": [SCHEME, "alg"] }), Some(EnvelopeMalformed)),
        ("3.11 twice", json!({ "crit": [SCHEME, SCHEME] }), Some(EnvelopeMalformed)),
        ("2.15 not critical", json!({ "com.example.x": 1 }), None),
        ("14.01", json!({ "com.example.x": 1, "crit": [SCHEME, "com.example.x"] }), Some(CriticalAttributeUnknown)),
        ("RFC 7797", json!({ "b64": false, "crit": [SCHEME, "b64"] }), Some(CriticalAttributeUnknown)),
        ("2.19", json!({ plugin: "p", "crit": [SCHEME, plugin] }), Some(PluginRequired)),
        ("2.17", json!({ plugin: "p" }), Some(EnvelopeMalformed)),
        ("2.01", json!({ "cty": "application/json" }), Some(PayloadMalformed)),
    ] {
        assert_eq!(signed_with(&workshop, &chain, &changes, &payload()), wanted, "{fact}");
    }
    for (fact, payload) in [("2.01", json!({})), ("2.07", json!([])), ("2.02", json!({ "targetArtifact": {} }))] {
        assert_eq!(signed_with(&workshop, &chain, &json!({}), &payload), Some(PayloadMalformed), "{fact}");
    }
}

#[test]
fn a_genuine_signature_does_not_excuse_the_chain() {
    // Conformance 5.04 to 5.16, 5.18, 14.34.
    let Some(workshop) = Workshop::open() else { return };
    let [leaf, root] = workshop.chain("ec:P-256");
    let subject = "/C=US/ST=WA/O=acme/CN=x";
    let make =
        |name: &str, extensions: &str, issuer| workshop.certificate(name, "ec:P-256", subject, extensions, issuer);
    let alone = make("alone", LEAF, None);
    let ca = make("ca", CA, Some(&root));
    let server = make("server", &format!("{LEAF}\nextendedKeyUsage=serverAuth"), Some(&root));
    let other = make("other", CA, None);
    let p224 = workshop.certificate("p224", "ec:secp224r1", subject, LEAF, Some(&root));
    for (fact, chain, accepted) in [
        ("5.04", vec![leaf.clone(), root.clone()], true),
        ("5.07", vec![alone], true),
        ("5.07 self-signed CA", vec![other.clone()], false),
        ("5.11", vec![ca, root.clone()], false),
        ("5.13", vec![server, root.clone()], false),
        ("5.04 stranger", vec![leaf.clone(), other], false),
        ("5.04 no root", vec![leaf], false),
    ] {
        let found = signed_with(&workshop, &chain, &json!({}), &payload());
        assert_eq!(found.is_none(), accepted, "{fact}: {found:?}");
    }
    let small = signed_with(&workshop, &[p224, root], &json!({}), &payload());
    assert_eq!(small, Some(DiagnosticCode::AlgorithmUnsupported), "5.02");
}

#[test]
fn identities_are_compared_with_the_leaf() {
    // Conformance 7.34, 7.35.
    let Some(workshop) = Workshop::open() else { return };
    let evaluate = |subject: &str, identity: &str| {
        let leaf = workshop.certificate("identity", "ec:P-256", subject, LEAF, None);
        let envelope = workshop.envelope(&protected("ES256"), &payload(), &[leaf], &Signing::ecdsa("sha256", 32));
        let authentic = verify(&envelope).unwrap();
        TrustedIdentities::parse(&[identity.to_owned()]).unwrap().evaluate(authentic.chain().leaf().subject())
    };
    let subject = "/C=US/ST=WA/L=Seattle/O=Acme, Inc./OU=Müller/CN=x";
    for identity in [
        "*",
        r"x509.subject: C=US, ST=WA, O=Acme\, Inc.",
        r"x509.subject:CN=x,OU=M\C3\BCller,O=Acme\2C Inc.,L=Seattle,S=WA,C=US",
    ] {
        evaluate(subject, identity).unwrap_or_else(|error| panic!("{identity}: {error}"));
    }
    let other = evaluate(subject, r"x509.subject: C=US, ST=WA, O=acme\, inc.").unwrap_err();
    assert!(matches!(&other, SubjectError::NotTrusted { .. }) && other.code() == DiagnosticCode::IdentityUntrusted);
    assert_eq!(evaluate(subject, "kms:x"), Err(SubjectError::NoneListed), "7.28");
    let identity = "x509.subject:C=US,ST=WA,O=a";
    for (fact, subject) in [
        ("two units", "/C=US/ST=WA/O=a/OU=b/OU=c"),
        ("an e-mail address", "/C=US/ST=WA/O=a/emailAddress=a@b"),
        ("a domain component", "/DC=a/C=US/ST=WA/O=a"),
        ("no state", "/C=US/O=a"),
        ("encoded", "/C=US/ST=WA/O=a/CN=x=#y"),
    ] {
        assert!(evaluate(subject, identity).is_err(), "7.35 {fact}");
        assert!(evaluate(subject, "*").is_ok(), "7.35 {fact}");
    }
    assert!(evaluate("/C=US/ST=WA/O=a/CN=one/CN=two", "x509.subject:C=US,ST=WA,O=a,CN=two").is_ok(), "7.35 last CN");
}
