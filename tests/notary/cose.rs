//! COSE envelopes: those of the reference, altered, and genuine ones that openssl signed over bytes composed here.

use bulla::code::{Diagnostic as _, DiagnosticCode};
use bulla::limits::Limits;
use bulla::notary::{AuthenticEnvelope, EnvelopeError, EnvelopeType, Payload, SignatureEnvelope, SigningScheme};
use coset::cbor::Value;
use coset::cbor::de::from_reader;
use coset::cbor::ser::into_writer;
use coset::iana::{self, EnumI64 as _};
use coset::{Algorithm, CoseSign1, TaggedCborSerializable as _};

use crate::pki::{CA, Holder, LEAF, Signing, Workshop};
use crate::vectors::cases;

const SCHEME: &str = "io.cncf.notary.signingScheme";
const TIME: &str = "io.cncf.notary.signingTime";
const AUTHENTIC: &str = "io.cncf.notary.authenticSigningTime";
const EXPIRY: &str = "io.cncf.notary.expiry";
const TOKEN: &str = "io.cncf.notary.timestampSignature";
const T: i64 = 1_795_291_200;

fn verify(envelope: &[u8]) -> Result<AuthenticEnvelope, EnvelopeError> {
    SignatureEnvelope::parse(&EnvelopeType::Cose.media_type().into(), envelope, &Limits::default())?.verify()
}

fn code(envelope: &[u8]) -> Option<DiagnosticCode> {
    verify(envelope).err().map(|error| error.code())
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).unwrap();
    bytes
}

fn tag(tag: u64, value: impl Into<Value>) -> Value {
    Value::Tag(tag, Box::new(value.into()))
}

fn list(values: &[&str]) -> Value {
    Value::Array(values.iter().map(|value| Value::from(*value)).collect())
}

/// Sets, or with `None` removes, entries of a map.
fn set(map: &mut Value, changes: &[(Value, Option<Value>)]) {
    let pairs = map.as_map_mut().unwrap();
    for (label, value) in changes {
        pairs.retain(|(found, _)| found != label);
        pairs.extend(value.clone().map(|value| (label.clone(), value)));
    }
}

// What openssl signed.

fn protected(algorithm: i64) -> Value {
    Value::Map(vec![
        (1.into(), algorithm.into()),
        (2.into(), list(&[SCHEME])),
        (3.into(), Payload::MEDIA_TYPE.into()),
        (SCHEME.into(), "notary.x509".into()),
        (TIME.into(), tag(1, T)),
    ])
}

fn payload() -> Vec<u8> {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    format!(r#"{{"targetArtifact":{{"mediaType":"a/b","digest":"{digest}","size":0}}}}"#).into_bytes()
}

/// The head of a byte string.
fn head(length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap();
    match length {
        0..=23 => vec![0x40 | length.to_be_bytes()[1]],
        24..=255 => vec![0x58, length.to_be_bytes()[1]],
        _ => [&[0x59][..], &length.to_be_bytes()].concat(),
    }
}

/// Sig_structure by hand (conformance 4.02).
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let context = b"\x84\x6aSignature1";
    [&context[..], &head(protected.len()), protected, &[0x40], &head(payload.len()), payload].concat()
}

fn chain_value(workshop: &Workshop, chain: &[Holder]) -> Value {
    Value::Array(chain.iter().map(|holder| Value::Bytes(workshop.der(holder))).collect())
}

fn sign_bytes(workshop: &Workshop, protected: &[u8], unprotected: Value, leaf: &Holder, signing: &Signing) -> Vec<u8> {
    let signature = workshop.sign(&sig_structure(protected, &payload()), leaf, signing);
    let parts = vec![Value::Bytes(protected.to_vec()), unprotected, Value::Bytes(payload()), Value::Bytes(signature)];
    bytes(&tag(18, Value::Array(parts)))
}

fn sign(workshop: &Workshop, protected: &Value, chain: &[Holder], signing: &Signing) -> Vec<u8> {
    let unprotected = Value::Map(vec![(33.into(), chain_value(workshop, chain))]);
    sign_bytes(workshop, &bytes(protected), unprotected, &chain[0], signing)
}

const SALT: &str = "rsa_pss_saltlen:digest";

#[test]
fn all_six_algorithms_verify_and_each_only_with_its_key() {
    // Conformance 4.02, 4.04, 4.16, 5.01.
    let Some(workshop) = Workshop::open() else { return };
    for (kind, name, algorithm, signing) in [
        ("rsa:2048", "PS256", -37, Signing::pss("sha256", SALT)),
        ("rsa:3072", "PS384", -38, Signing::pss("sha384", SALT)),
        ("rsa:4096", "PS512", -39, Signing::pss("sha512", SALT)),
        ("ec:P-256", "ES256", -7, Signing::ecdsa("sha256", 32)),
        ("ec:P-384", "ES384", -35, Signing::ecdsa("sha384", 48)),
        ("ec:P-521", "ES512", -36, Signing::ecdsa("sha512", 66)),
    ] {
        let chain = workshop.chain(kind);
        let envelope = sign(&workshop, &protected(algorithm), &chain, &signing);
        let authentic = verify(&envelope).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(authentic.algorithm().name(), name);
        assert_eq!(authentic.signature(), CoseSign1::from_tagged_slice(&envelope).unwrap().signature, "4.19");
        for other in [-37, -38, -39, -7, -35, -36].into_iter().filter(|other| *other != algorithm) {
            let found = code(&sign(&workshop, &protected(other), &chain, &signing));
            assert_eq!(found, Some(DiagnosticCode::AlgorithmMismatch), "{kind} as {other}");
        }
        if kind.starts_with("ec") {
            let der = Signing { width: None, ..signing };
            let found = code(&sign(&workshop, &protected(algorithm), &chain, &der));
            assert_eq!(found, Some(DiagnosticCode::SignatureInvalid), "4.16 {kind} DER");
        }
    }
}

#[test]
fn only_pss_with_a_salt_as_long_as_the_hash() {
    // Conformance 4.16, 14.14.
    let Some(workshop) = Workshop::open() else { return };
    let chain = workshop.chain("rsa:2048");
    for signing in [
        Signing::pss("sha256", "rsa_pss_saltlen:0"),
        Signing::pss("sha256", "rsa_pss_saltlen:max"),
        Signing { hash: "sha256", padding: Vec::new(), width: None },
    ] {
        let found = code(&sign(&workshop, &protected(-37), &chain, &signing));
        assert_eq!(found, Some(DiagnosticCode::SignatureInvalid), "{signing:?}");
    }
}

#[test]
fn a_genuine_signature_does_not_excuse_a_broken_rule() {
    use DiagnosticCode::{
        AlgorithmUnsupported, CriticalAttributeUnknown, EnvelopeMalformed, PayloadMalformed, SigningSchemeUnsupported,
    };
    let Some(workshop) = Workshop::open() else { return };
    let chain = workshop.chain("ec:P-256");
    let ecdsa = Signing::ecdsa("sha256", 32);
    let entry = |label: &str, value: Value| (Value::from(label), Some(value));
    let crit = |names: &[&str]| (Value::from(2), Some(list(names)));
    let scheme = |name: &str| entry(SCHEME, name.into());
    let authority = "notary.x509.signingAuthority";
    for (fact, changes, wanted) in [
        ("plain", vec![], None),
        ("4.06", vec![entry(EXPIRY, tag(1, T + 1)), crit(&[SCHEME, EXPIRY])], None),
        ("2.25", vec![entry(EXPIRY, tag(1, T)), crit(&[SCHEME, EXPIRY])], Some(EnvelopeMalformed)),
        ("4.06 not critical", vec![entry(EXPIRY, tag(1, T + 1))], Some(EnvelopeMalformed)),
        (
            "2.12",
            vec![scheme(authority), (TIME.into(), None), entry(AUTHENTIC, tag(1, T)), crit(&[AUTHENTIC, SCHEME])],
            None,
        ),
        (
            "4.08",
            vec![scheme(authority), entry(AUTHENTIC, tag(1, T)), crit(&[SCHEME, AUTHENTIC])],
            Some(EnvelopeMalformed),
        ),
        ("4.08", vec![entry(AUTHENTIC, tag(1, T))], Some(EnvelopeMalformed)),
        ("4.05", vec![entry(TIME, T.into())], Some(EnvelopeMalformed)),
        ("4.18 alg", vec![(1.into(), None)], Some(EnvelopeMalformed)),
        ("4.18 alg", vec![(1.into(), Some((-8).into()))], Some(AlgorithmUnsupported)),
        ("4.18 scheme", vec![scheme("x")], Some(SigningSchemeUnsupported)),
        ("4.09", vec![(3.into(), Some("a/b".into()))], Some(PayloadMalformed)),
        ("14.01", vec![entry("x", 1.into()), crit(&[SCHEME, "x"])], Some(CriticalAttributeUnknown)),
        (
            "4.17",
            vec![(2.into(), Some(Value::Array(vec![SCHEME.into(), 99.into()]))), (99.into(), Some(1.into()))],
            Some(CriticalAttributeUnknown),
        ),
        ("4.17 not critical", vec![(99.into(), Some(1.into()))], None),
    ] {
        let mut header = protected(-7);
        set(&mut header, &changes);
        assert_eq!(code(&sign(&workshop, &header, &chain, &ecdsa)), wanted, "{fact}");
    }
}

#[test]
fn the_protected_header_counts_as_received() {
    // Conformance 4.02, 4.14, 14.12: its order is the signer's own; what has a second form is refused.
    let Some(workshop) = Workshop::open() else { return };
    let chain = workshop.chain("ec:P-256");
    let made = |protected: &[u8]| {
        let unprotected = Value::Map(vec![(33.into(), chain_value(&workshop, &chain))]);
        code(&sign_bytes(&workshop, protected, unprotected, &chain[0], &Signing::ecdsa("sha256", 32)))
    };
    let mut header = protected(-7);
    header.as_map_mut().unwrap().reverse();
    assert_eq!(made(&bytes(&header)), None);
    let good = bytes(&protected(-7));
    for (what, bad) in [
        ("indefinite", [&[0xbf][..], &good[1..], &[0xff]].concat()),
        ("long head", [&[0xb8, 5][..], &good[1..]].concat()),
        ("long label", [&good[..1], &[0x18, 1], &good[2..]].concat()),
        ("label twice", [&[0xa6][..], &good[1..], &[0x01, 0x26]].concat()),
        ("bytes behind", [&good[..], &[0xf6]].concat()),
    ] {
        assert_eq!(made(&bad), Some(DiagnosticCode::EnvelopeMalformed), "4.15 {what}");
    }
}

#[test]
fn where_the_chain_stands() {
    // Conformance 4.11, 4.12.
    let Some(workshop) = Workshop::open() else { return };
    let alone = workshop.certificate("alone", "ec:P-256", "/C=US/ST=WA/O=acme/CN=alone", LEAF, None);
    let other = workshop.certificate("other", "ec:P-256", "/C=US/ST=WA/O=acme/CN=other", CA, None);
    let one = || Some(chain_value(&workshop, std::slice::from_ref(&alone)));
    let two = chain_value(&workshop, &[alone.clone(), other.clone()]);
    let bare = Value::Bytes(workshop.der(&alone));
    let empty = || Value::Map(Vec::new());
    for (fact, signed, unsigned, wanted) in [
        ("4.11 array of one", None, one(), None),
        ("4.11 bare", None, Some(bare.clone()), Some(DiagnosticCode::EnvelopeMalformed)),
        ("4.12 protected", one(), None, None),
        ("4.12 protected, bare", Some(bare), None, Some(DiagnosticCode::EnvelopeMalformed)),
        ("4.12 twice", one(), one(), Some(DiagnosticCode::EnvelopeMalformed)),
        ("4.12 two", one(), Some(two.clone()), Some(DiagnosticCode::EnvelopeMalformed)),
        ("4.10 none", None, None, Some(DiagnosticCode::EnvelopeMalformed)),
        ("5.04 a stranger", None, Some(two), Some(DiagnosticCode::ChainInvalid)),
    ] {
        let (mut header, mut unprotected) = (protected(-7), empty());
        set(&mut header, &[(33.into(), signed)]);
        set(&mut unprotected, &[(33.into(), unsigned)]);
        let envelope = sign_bytes(&workshop, &bytes(&header), unprotected, &alone, &Signing::ecdsa("sha256", 32));
        assert_eq!(code(&envelope), wanted, "{fact}");
    }
}

// What the reference signed.

/// The envelope after a change of its four parts; then the code, if it is refused.
fn after(envelope: &[u8], change: impl FnOnce(&mut Vec<Value>)) -> Option<DiagnosticCode> {
    let mut document: Value = from_reader(envelope).unwrap();
    let (_, content) = document.as_tag_mut().unwrap();
    change(content.as_array_mut().unwrap());
    code(&bytes(&document))
}

fn recode(part: &mut Value, label: impl Into<Value>, value: impl Into<Value>) {
    let mut header: Value = from_reader(part.as_bytes().unwrap().as_slice()).unwrap();
    set(&mut header, &[(label.into(), Some(value.into()))]);
    *part = Value::Bytes(bytes(&header));
}

fn flip(part: &mut Value, position: usize) {
    let bytes = part.as_bytes_mut().unwrap();
    let position = position.min(bytes.len() - 1);
    bytes[position] ^= 1;
}

fn chain(parts: &mut [Value]) -> &mut Vec<Value> {
    let pairs = parts[1].as_map_mut().unwrap();
    let (_, chain) = pairs.iter_mut().find(|(label, _)| *label == Value::from(33)).unwrap();
    chain.as_array_mut().unwrap()
}

#[test]
fn a_change_of_any_signed_part_is_found() {
    use DiagnosticCode::{AlgorithmMismatch, AlgorithmUnsupported, ChainInvalid, EnvelopeMalformed, SignatureInvalid};
    for case in cases().into_iter().filter(|case| !case.is_jws()) {
        let (name, envelope) = (case.name(), case.envelope.as_slice());
        let authentic = verify(envelope).unwrap();
        assert_eq!(authentic.attributes().scheme, SigningScheme::X509);
        let header = |label: Value, value: Value| after(envelope, |parts| recode(&mut parts[0], label, value));
        for (what, found, code) in [
            ("payload", after(envelope, |parts| flip(&mut parts[2], 40)), SignatureInvalid),
            ("payload: swapped", after(envelope, |parts| parts[2] = parts[0].clone()), SignatureInvalid),
            ("signature: first byte", after(envelope, |parts| flip(&mut parts[3], 0)), SignatureInvalid),
            ("signature: last byte", after(envelope, |parts| flip(&mut parts[3], 9999)), SignatureInvalid),
            ("signature: short", after(envelope, |parts| parts[3] = Value::Bytes(vec![0])), SignatureInvalid),
            ("signature: empty", after(envelope, |parts| parts[3] = Value::Bytes(vec![])), EnvelopeMalformed),
            ("signing time", header(TIME.into(), tag(1, 1_577_836_800)), SignatureInvalid),
            ("scheme", header(SCHEME.into(), "notary.x509.signingAuthority".into()), SignatureInvalid),
            ("expiry", header(EXPIRY.into(), tag(1, 9_999_999_999_i64)), SignatureInvalid),
            ("extended", header("x".into(), 1.into()), SignatureInvalid),
            ("content type", header(3.into(), "a/b".into()), SignatureInvalid),
            ("alg: another", header(1.into(), (-36).into()), AlgorithmMismatch),
            ("alg: none of ours", header(1.into(), (-8).into()), AlgorithmUnsupported),
            ("no intermediate", after(envelope, |parts| drop(chain(parts).remove(1))), ChainInvalid),
            ("no root", after(envelope, |parts| drop(chain(parts).remove(2))), ChainInvalid),
            ("order", after(envelope, |parts| chain(parts).swap(1, 2)), ChainInvalid),
            ("root's signature", after(envelope, |parts| flip(&mut chain(parts)[2], 9999)), ChainInvalid),
        ] {
            assert_eq!(found, Some(code), "{name}: {what}");
        }
        // Conformance 4.13: neither signed nor needed, but never of another type.
        let unsigned =
            |label: &str, value: Option<Value>| after(envelope, |parts| set(&mut parts[1], &[(label.into(), value)]));
        assert_eq!(unsigned(TOKEN, None), None, "{name}");
        assert_eq!(unsigned(TOKEN, Some("MAA=".into())), Some(EnvelopeMalformed), "{name}");
        assert_eq!(unsigned("io.cncf.notary.signingAgent", Some(1.into())), None, "{name}: 2.22");
    }
}

#[test]
fn another_reader_finds_the_same_in_what_is_accepted() {
    // `coset::CoseSign1` reads the structure on its own; bulla builds on other parts of that crate.
    for case in cases().into_iter().filter(|case| !case.is_jws()) {
        let mut accepted = 0;
        for position in (0..case.envelope.len()).step_by(11) {
            for bit in 0..8 {
                let mut bytes = case.envelope.clone();
                bytes[position] ^= 1 << bit;
                let Ok(found) =
                    SignatureEnvelope::parse(&EnvelopeType::Cose.media_type().into(), &bytes, &Limits::default())
                else {
                    continue;
                };
                accepted += 1;
                // It looks at the content type at once, bulla when it verifies.
                let Ok(other) = CoseSign1::from_tagged_slice(&bytes) else {
                    assert_ne!(found.claims().content_type, Payload::MEDIA_TYPE, "{} at {position}", case.name());
                    continue;
                };
                assert_eq!(found.signature(), other.signature, "{} at {position}", case.name());
                let der = other.unprotected.rest[0].1.as_array().unwrap()[0].as_bytes().unwrap().clone();
                assert_eq!(found.certificates().leaf().der(), der, "{} at {position}", case.name());
                let id = iana::Algorithm::from_i64(found.algorithm().cose_id()).unwrap();
                assert_eq!(other.protected.header.alg, Some(Algorithm::Assigned(id)), "{} at {position}", case.name());
            }
        }
        assert!(accepted > 50, "{}: {accepted}", case.name());
    }
}
