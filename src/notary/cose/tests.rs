use super::*;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::notary::Payload;
use coset::cbor::ser::into_writer;
use coset::cbor::value::Integer;

const SCHEME: &str = attribute::SIGNING_SCHEME;
const TIME: &str = attribute::SIGNING_TIME;
const AUTHENTIC: &str = attribute::AUTHENTIC_SIGNING_TIME;
const EXPIRY: &str = attribute::EXPIRY;
const T: i64 = 1_700_000_000;

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).unwrap();
    bytes
}

fn tag(tag: u64, value: impl Into<Value>) -> Value {
    Value::Tag(tag, Box::new(value.into()))
}

fn array<const N: usize>(values: [Value; N]) -> Value {
    Value::Array(values.into())
}

fn crit(names: &[&str]) -> Value {
    Value::Array(names.iter().map(|name| Value::from(*name)).collect())
}

/// A map that can be changed.
#[derive(Clone)]
struct Map(Vec<(Value, Value)>);

impl Map {
    fn with(mut self, label: impl Into<Value>, value: impl Into<Value>) -> Self {
        let (label, value) = (label.into(), value.into());
        self.0.retain(|(found, _)| *found != label);
        self.0.push((label, value));
        self
    }

    fn without(mut self, label: impl Into<Value>) -> Self {
        let label = label.into();
        self.0.retain(|(found, _)| *found != label);
        self
    }

    fn value(&self) -> Value {
        Value::Map(self.0.clone())
    }
}

fn protected() -> Map {
    Map(Vec::new())
        .with(1, -7)
        .with(2, crit(&[SCHEME]))
        .with(3, Payload::MEDIA_TYPE)
        .with(SCHEME, "notary.x509")
        .with(TIME, tag(1, T))
}

/// A certificate that is none: parsing ends there when everything before it was accepted.
fn unprotected() -> Map {
    Map(Vec::new()).with(33, array([Value::Bytes(vec![0])]))
}

fn parts(protected: &Map, unprotected: &Map) -> [Value; 4] {
    [
        Value::Bytes(bytes(&protected.value())),
        unprotected.value(),
        Value::Bytes(b"{}".into()),
        Value::Bytes(vec![7; 64]),
    ]
}

fn envelope(protected: &Map, unprotected: &Map) -> Vec<u8> {
    bytes(&tag(18, array(parts(protected, unprotected))))
}

fn error(envelope: &[u8]) -> EnvelopeError {
    parse(envelope, &Limits::default(), &CertificatePool::default()).unwrap_err()
}

fn code(envelope: &[u8]) -> DiagnosticCode {
    error(envelope).code()
}

/// What the header means, or why it is refused by itself or by the rules between attributes.
fn attributes(protected: &Map) -> Result<SignedAttributes, EnvelopeError> {
    let (_, attributes) = read_protected(bucket(PROTECTED, protected.value())?)?;
    attributes.inspect()?;
    Ok(attributes)
}

#[test]
fn what_the_specification_allows() {
    let authority = protected()
        .without(TIME)
        .with(AUTHENTIC, tag(1, T))
        .with(SCHEME, "notary.x509.signingAuthority")
        .with(2, crit(&[AUTHENTIC, SCHEME]));
    let expiring = protected().with(EXPIRY, tag(1, T + 1));
    for (fact, header) in [
        ("4.03", protected()),
        ("4.05 before 1970", protected().with(TIME, tag(1, -1))),
        ("4.06 authority", authority.clone()),
        ("4.06 expiry", expiring.clone().with(2, crit(&[SCHEME, EXPIRY]))),
        ("14.12 crit order", expiring.with(2, crit(&[EXPIRY, SCHEME]))),
        ("2.15 not critical", protected().with("com.example.x", Value::Null)),
        ("4.17 not critical", protected().with(4, Value::Bytes(vec![1])).with(-70_000, "x")),
    ] {
        assert!(attributes(&header).is_ok(), "{fact}");
        assert_eq!(code(&envelope(&header, &unprotected())), DiagnosticCode::CertificateMalformed, "{fact}");
    }
    let found = attributes(&authority).unwrap();
    assert_eq!(found.authentic_signing_time, Some(UnixTime::from_seconds(T)));
    assert_eq!((found.signing_time, found.expiry), (None, None));
    assert_eq!(found.critical, [AUTHENTIC, SCHEME]);
}

#[test]
fn protected_headers_that_break_a_rule() {
    use DiagnosticCode::{
        AlgorithmUnsupported, CriticalAttributeUnknown, EnvelopeMalformed, PayloadMalformed, PluginRequired,
        SigningSchemeUnsupported,
    };
    let ours = Value::from(SCHEME);
    let critical =
        |label: Value, value: Value| protected().with(2, array([ours.clone(), label.clone()])).with(label, value);
    let listed = |label: Value| protected().with(2, array([ours.clone(), label]));
    let plugin = Value::from(attribute::VERIFICATION_PLUGIN);
    for (fact, header, code) in [
        ("4.18 alg absent", protected().without(1), EnvelopeMalformed),
        ("4.18 EdDSA", protected().with(1, -8), AlgorithmUnsupported),
        ("4.04 PKCS#1", protected().with(1, -257), AlgorithmUnsupported),
        ("4.04 HMAC", protected().with(1, 5), AlgorithmUnsupported),
        ("4.04 by name", protected().with(1, "ES256"), AlgorithmUnsupported),
        ("4.04 unregistered", protected().with(1, u64::MAX), AlgorithmUnsupported),
        ("4.03 alg under a text label", protected().without(1).with("alg", -7), EnvelopeMalformed),
        ("4.06 crit absent", protected().without(2), EnvelopeMalformed),
        ("4.06 crit empty", protected().with(2, array([])), EnvelopeMalformed),
        ("4.15 crit no array", protected().with(2, SCHEME), EnvelopeMalformed),
        ("4.15 crit entry", protected().with(2, array([ours.clone(), Value::Null])), EnvelopeMalformed),
        ("4.06 scheme not in crit", protected().with(2, crit(&["x"])).with("x", 1), EnvelopeMalformed),
        ("4.06 expiry not in crit", protected().with(EXPIRY, tag(1, T + 1)), EnvelopeMalformed),
        ("4.06 expiry absent", listed(EXPIRY.into()), EnvelopeMalformed),
        ("4.06 absent text", listed("com.example.absent".into()), EnvelopeMalformed),
        ("4.06 absent integer", listed(100.into()), EnvelopeMalformed),
        ("4.06 alg in crit", listed(1.into()), EnvelopeMalformed),
        ("4.06 crit in crit", listed(2.into()), EnvelopeMalformed),
        ("4.06 content type in crit", listed(3.into()), EnvelopeMalformed),
        ("4.06 twice", listed(ours.clone()), EnvelopeMalformed),
        ("4.08 signingTime in crit", listed(TIME.into()), EnvelopeMalformed),
        ("4.06 kid in crit", critical(4.into(), Value::Bytes(vec![1])), CriticalAttributeUnknown),
        ("4.17 integer", critical(100.into(), 1.into()), CriticalAttributeUnknown),
        ("4.17 private integer", critical((-70_000).into(), 1.into()), CriticalAttributeUnknown),
        ("4.17 name of an integer", critical("label 4".into(), 1.into()), CriticalAttributeUnknown),
        ("14.01 text", critical("com.example.x".into(), 1.into()), CriticalAttributeUnknown),
        ("2.19", critical(plugin.clone(), "p".into()), PluginRequired),
        ("2.17 no text", critical(plugin, Value::Bytes(b"p".into())), EnvelopeMalformed),
        ("4.09 absent", protected().without(3), EnvelopeMalformed),
        ("4.09 number", protected().with(3, 50), EnvelopeMalformed),
        ("4.09 bytes", protected().with(3, Value::Bytes(Payload::MEDIA_TYPE.into())), EnvelopeMalformed),
        ("4.09 another", protected().with(3, "application/json"), PayloadMalformed),
        ("4.18 scheme absent", protected().without(SCHEME), EnvelopeMalformed),
        ("4.18 scheme no text", protected().with(SCHEME, 1), EnvelopeMalformed),
        ("2.10", protected().with(SCHEME, "notary.x509.other"), SigningSchemeUnsupported),
        ("4.18 time absent", protected().without(TIME), EnvelopeMalformed),
        ("4.05 tag 0", protected().with(TIME, tag(0, "2023-11-14T22:13:20Z")), EnvelopeMalformed),
        ("4.05 no tag", protected().with(TIME, T), EnvelopeMalformed),
        ("4.05 tag 2 deep", protected().with(TIME, tag(1, tag(1, T))), EnvelopeMalformed),
        ("4.05 fraction", protected().with(TIME, tag(1, 1_700_000_000.5)), EnvelopeMalformed),
        ("4.05 whole float", protected().with(TIME, tag(1, 1_700_000_000.0)), EnvelopeMalformed),
        ("4.05 beyond 64 bits", protected().with(TIME, tag(1, u64::MAX)), EnvelopeMalformed),
        ("4.05 text", protected().with(TIME, tag(1, "1700000000")), EnvelopeMalformed),
        ("4.05 null", protected().with(TIME, Value::Null), EnvelopeMalformed),
        ("3.15 Go's zero", protected().with(TIME, tag(1, -62_135_596_800_i64)), EnvelopeMalformed),
        ("4.08 both times", protected().with(AUTHENTIC, tag(1, T)), EnvelopeMalformed),
        (
            "4.08 both times, authority",
            protected()
                .with(AUTHENTIC, tag(1, T))
                .with(SCHEME, "notary.x509.signingAuthority")
                .with(2, crit(&[SCHEME, AUTHENTIC])),
            EnvelopeMalformed,
        ),
        (
            "4.06 authority's time not in crit",
            protected().without(TIME).with(AUTHENTIC, tag(1, T)).with(SCHEME, "notary.x509.signingAuthority"),
            EnvelopeMalformed,
        ),
        ("2.25", protected().with(EXPIRY, tag(1, T)).with(2, crit(&[SCHEME, EXPIRY])), EnvelopeMalformed),
        ("4.15 label", Map([protected().0, vec![(Value::Bool(true), 1.into())]].concat()), EnvelopeMalformed),
        ("4.15 label of 65 bits", protected().with(u64::MAX, 1), EnvelopeMalformed),
        ("two labels of one name", protected().with(100, 1).with("label 100", 1), EnvelopeMalformed),
    ] {
        let error = attributes(&header).expect_err(fact);
        assert_eq!(error.code(), code, "{fact}: {error}");
    }
}

#[test]
fn extended_attributes_are_shown_as_json() {
    // Conformance 2.15, 4.17.
    let header = protected().with("com.example.a", array([1.into(), Value::Bytes(vec![0xab])])).with(15, tag(61, 1));
    let found = attributes(&header).unwrap().extended;
    assert_eq!(found.get("com.example.a").unwrap().value, serde_json::json!([1, { "bytes": "ab" }]));
    assert_eq!(found.get("label 15").unwrap().value, serde_json::json!({ "tag": 61, "value": 1 }));
    assert!(found.len() == 2 && !found.values().any(|attribute| attribute.critical));
}

#[test]
fn envelopes_that_break_the_format() {
    let [header, unsigned, payload, signature] = parts(&protected(), &unprotected());
    let good = envelope(&protected(), &unprotected());
    assert_eq!(code(&good), DiagnosticCode::CertificateMalformed);
    let part = |position: usize, value: Value| {
        let mut parts = parts(&protected(), &unprotected());
        parts[position] = value;
        bytes(&tag(18, array(parts)))
    };
    let four = || array(parts(&protected(), &unprotected()));
    let with = |label: Value, value: Value| envelope(&protected(), &unprotected().with(label, value));
    let chain = |value: Value| envelope(&protected(), &unprotected().with(33, value));
    let moved = protected().with(33, array([Value::Bytes(vec![0])]));
    for (fact, envelope) in [
        ("4.01 untagged", bytes(&four())),
        ("4.01 COSE_Sign", bytes(&tag(98, four()))),
        ("4.01 tag twice", bytes(&tag(18, tag(18, four())))),
        ("4.01 self-described", bytes(&tag(55_799, tag(18, four())))),
        ("4.01 tag in long form", [&[0xd8, 18][..], &good[1..]].concat()),
        ("4.01 no array", bytes(&tag(18, header.clone()))),
        ("4.01 three parts", bytes(&tag(18, array([header.clone(), unsigned.clone(), payload.clone()])))),
        (
            "4.01 five parts",
            bytes(&tag(18, array([header.clone(), unsigned.clone(), payload, signature.clone(), signature]))),
        ),
        ("4.15 bytes behind", [good.clone(), vec![0]].concat()),
        ("4.15 indefinite array", [&[0xd2, 0x9f][..], &good[2..], &[0xff]].concat()),
        ("4.01 protected is a map", part(0, protected().value())),
        ("4.01 protected is empty", part(0, Value::Bytes(Vec::new()))),
        ("4.01 protected is no map", part(0, Value::Bytes(vec![0x80]))),
        (
            "4.15 bytes behind the protected header",
            part(0, Value::Bytes([bytes(&protected().value()), vec![0]].concat())),
        ),
        (
            "4.15 protected label twice",
            part(0, Value::Bytes(bytes(&Value::Map([protected().0, vec![(1.into(), (-7).into())]].concat())))),
        ),
        ("4.15 unprotected label twice", part(1, Value::Map([unprotected().0.clone(), unprotected().0].concat()))),
        ("4.01 unprotected in bytes", part(1, Value::Bytes(bytes(&unsigned)))),
        ("4.15 payload nil", part(2, Value::Null)),
        ("2.07 payload empty", part(2, Value::Bytes(Vec::new()))),
        ("4.01 payload text", part(2, "{}".into())),
        ("4.15 signature empty", part(3, Value::Bytes(Vec::new()))),
        ("4.01 signature text", part(3, "AAAA".into())),
        ("4.15 crit unprotected", with(2.into(), crit(&[SCHEME]))),
        ("RFC 9052 §3: alg in both", with(1.into(), (-7).into())),
        ("RFC 9052 §3: time in both", with(TIME.into(), tag(1, T))),
        ("4.10 no chain", envelope(&protected(), &unprotected().without(33))),
        ("4.10 empty chain", chain(array([]))),
        ("4.11 one certificate without array", chain(Value::Bytes(vec![0]))),
        ("4.11 text", chain(array(["MAA=".into()]))),
        ("4.12 two chains", envelope(&moved, &unprotected().with(33, array([Value::Bytes(vec![1])])))),
        ("4.12 the same chain twice", envelope(&moved, &unprotected())),
        ("limit", chain(Value::Array(vec![Value::Bytes(vec![0]); 65]))),
        ("4.13 token is text", with(attribute::TIMESTAMP_SIGNATURE.into(), "MAA=".into())),
        ("4.13 token is null", with(attribute::TIMESTAMP_SIGNATURE.into(), Value::Null)),
        ("4.15 label", with(Value::Null, 1.into())),
    ] {
        let error = error(&envelope);
        assert_eq!(error.code(), DiagnosticCode::EnvelopeMalformed, "{fact}: {error}");
    }
    // Conformance 4.12: the chain may stand in the protected header alone.
    assert_eq!(code(&envelope(&moved, &unprotected().without(33))), DiagnosticCode::CertificateMalformed);
    // And what is not signed may be odd, as long as it is not the chain or the token (2.22, 4.13).
    for (label, value) in [(attribute::SIGNING_AGENT, Value::from(1)), ("com.example.x", tag(4, "x"))] {
        assert_eq!(code(&with(label.into(), value)), DiagnosticCode::CertificateMalformed, "{label}");
    }
}

#[test]
fn an_empty_token_is_no_token() {
    // Conformance 4.13, 8.20.
    assert_eq!(read_timestamp(None).unwrap(), None);
    assert_eq!(read_timestamp(Some(Value::Bytes(Vec::new()))).unwrap(), None);
    assert_eq!(read_timestamp(Some(Value::Bytes(vec![0x30, 0]))).unwrap(), Some(vec![0x30, 0]));
}

#[test]
fn the_signed_bytes_are_those_received() {
    // Conformance 4.02, 14.12: a header that sorts its labels otherwise is hashed as it came.
    let found = sig_structure(&[0xa2, 3, 0, 1, 0x26], b"{}");
    assert_eq!(found, [&[0x84, 0x6a][..], b"Signature1", &[0x45, 0xa2, 3, 0, 1, 0x26, 0x40, 0x42], b"{}"].concat());
}

#[test]
fn hostile_bytes_cost_little_and_never_panic() {
    let good = envelope(&protected(), &unprotected());
    for end in 0..good.len() {
        assert_eq!(code(&good[..end]), DiagnosticCode::EnvelopeMalformed, "cut at {end}");
    }
    let integers = [Integer::from(0), Integer::from(i64::MIN), Integer::from(u64::MAX)];
    for position in 0..good.len() {
        for byte in [0x00, 0x1b, 0x40, 0x5f, 0x7b, 0x9b, 0xbb, 0xc1, 0xd8, 0xf7, 0xff] {
            let mut bad = good.clone();
            bad[position] = byte;
            let text = error(&bad).to_string();
            assert!(text.len() < 500, "{position}: {text}");
        }
    }
    for label in integers {
        let _ = error(&envelope(&protected().with(Value::Integer(label), 1), &unprotected()));
    }
    let hostile = format!("\u{1b}[2J{}", "x".repeat(10_000));
    for header in [protected().with(1, hostile.as_str()), protected().with(SCHEME, hostile.as_str())] {
        let text = error(&envelope(&header, &unprotected())).to_string();
        assert!(text.len() < 500 && !text.contains('\u{1b}'), "{text}");
    }
}
