use super::*;
use crate::code::{Diagnostic, DiagnosticCode};

const PROTECTED: &str = r#"{"alg":"ES256","crit":["io.cncf.notary.signingScheme"],
    "cty":"application/vnd.cncf.notary.payload.v1+json","io.cncf.notary.signingScheme":"notary.x509",
    "io.cncf.notary.signingTime":"2023-03-14T16:10:02+08:00"}"#;

fn attributes(protected: &str) -> Result<SignedAttributes, EnvelopeError> {
    read_protected(protected.as_bytes()).map(|(_, attributes)| attributes)
}

/// The protected header with one member replaced or added.
fn changed(member: &str, value: &str) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(PROTECTED).unwrap();
    members.insert(member.to_owned(), serde_json::from_str(value).unwrap());
    serde_json::to_string(&members).unwrap()
}

fn lacking(member: &str) -> String {
    let mut members: Map<String, Value> = serde_json::from_str(PROTECTED).unwrap();
    members.remove(member).unwrap();
    serde_json::to_string(&members).unwrap()
}

/// An envelope whose certificate is not one: parsing ends there when everything before it was accepted.
fn envelope(protected: &str) -> Map<String, Value> {
    let text = format!(
        r#"{{"payload":"e30","protected":"{}","header":{{"x5c":["AAAA"]}},"signature":"AAAA"}}"#,
        URL_SAFE_NO_PAD.encode(protected)
    );
    serde_json::from_str(&text).unwrap()
}

fn code(envelope: &str) -> DiagnosticCode {
    parse(envelope.as_bytes(), &Limits::default(), &CertificatePool::default()).unwrap_err().code()
}

#[test]
fn times_are_read_as_the_reference_writes_them() {
    let time: UnixTime = "2023-03-14T08:10:02Z".parse().unwrap();
    assert_eq!(attributes(PROTECTED).unwrap().signing_time, Some(time), "3.13 local offset");
    for (fact, value, wanted) in [
        ("3.13 null", "null", None),
        ("3.15 Go's zero", r#""0001-01-01T00:00:00Z""#, None),
        ("2.24 fraction", r#""2023-03-14T08:10:02.5Z""#, Some(UnixTime::new(time.seconds(), 500_000_000))),
    ] {
        let found = attributes(&changed(attribute::EXPIRY, value)).unwrap();
        assert_eq!(found.expiry, wanted, "{fact}");
        assert!(found.extended.is_empty(), "{fact}");
    }
}

#[test]
fn extended_attributes_keep_their_type_and_mark() {
    // Conformance 2.15, 3.21.
    let mut members: Map<String, Value> = serde_json::from_str(&changed("com.example.a", "[1,null]")).unwrap();
    members.insert("com.example.b".into(), Value::from(2));
    members.insert(CRIT.into(), serde_json::json!([attribute::SIGNING_SCHEME, "com.example.b"]));
    let found = attributes(&serde_json::to_string(&members).unwrap()).unwrap();
    assert_eq!(found.extended.get("com.example.a").unwrap().value, serde_json::json!([1, null]));
    assert!(!found.extended.get("com.example.a").unwrap().critical);
    assert!(found.extended.get("com.example.b").unwrap().critical);
}

#[test]
fn protected_headers_that_break_the_format() {
    use DiagnosticCode::{AlgorithmUnsupported, EnvelopeMalformed, SigningSchemeUnsupported};
    for (fact, text, code) in [
        ("3.05 alg", lacking("alg"), EnvelopeMalformed),
        ("3.09 cty", lacking("cty"), EnvelopeMalformed),
        ("3.10 crit", lacking("crit"), EnvelopeMalformed),
        ("2.10 scheme", lacking(attribute::SIGNING_SCHEME), EnvelopeMalformed),
        ("3.14 Go's zero", changed(attribute::SIGNING_TIME, r#""0001-01-01T00:00:00Z""#), EnvelopeMalformed),
        ("3.14 Go's zero", changed(attribute::AUTHENTIC_SIGNING_TIME, r#""0001-01-01T00:00:00Z""#), EnvelopeMalformed),
        ("3.07 none", changed("alg", r#""none""#), AlgorithmUnsupported),
        ("3.07 HMAC", changed("alg", r#""HS256""#), AlgorithmUnsupported),
        ("3.07 PKCS#1", changed("alg", r#""RS256""#), AlgorithmUnsupported),
        ("3.07 case", changed("alg", r#""es256""#), AlgorithmUnsupported),
        ("3.09 type", changed("cty", "1"), EnvelopeMalformed),
        ("2.10", changed(attribute::SIGNING_SCHEME, r#""notary.x509.other""#), SigningSchemeUnsupported),
        ("3.10 type", changed("crit", r#""alg""#), EnvelopeMalformed),
        ("3.10 entry", changed("crit", "[1]"), EnvelopeMalformed),
        ("3.13 lower case", changed(attribute::SIGNING_TIME, r#""2023-03-14t08:10:02z""#), EnvelopeMalformed),
        ("3.13 number", changed(attribute::SIGNING_TIME, "1700000000"), EnvelopeMalformed),
        ("3.02 case", changed("Alg", r#""ES256""#), EnvelopeMalformed),
        ("3.02 case", changed("io.cncf.notary.Expiry", "null"), EnvelopeMalformed),
        ("3.02 twice", PROTECTED.replace("{\"alg\"", "{\"alg\":\"PS256\",\"alg\""), EnvelopeMalformed),
        ("no object", "[]".into(), EnvelopeMalformed),
        ("trailing", format!("{PROTECTED} 1"), EnvelopeMalformed),
    ] {
        let error = attributes(&text).expect_err(fact);
        assert_eq!(error.code(), code, "{fact}: {error}");
    }
}

#[test]
fn envelopes_that_break_the_format() {
    let good = serde_json::to_string(&envelope(PROTECTED)).unwrap();
    let with = |member: &str, value: &str| {
        let mut members = envelope(PROTECTED);
        members.insert(member.to_owned(), serde_json::from_str(value).unwrap());
        serde_json::to_string(&members).unwrap()
    };
    for (fact, text) in [
        ("3.01 other member", with("signatures", "[]")),
        ("3.01 case", good.replace("\"signature\"", "\"Signature\"")),
        ("3.01 array", r#"["e30","e30",{},"AAAA"]"#.to_owned()),
        ("3.01 compact", "e30.e30.AAAA".to_owned()),
        ("3.02 twice", good.replace("{\"header\"", "{\"payload\":\"e30\",\"header\"")),
        ("3.02 trailing", format!("{good}{{}}")),
        ("3.03 padding", with("payload", r#""e30=""#)),
        ("3.03 line break", with("payload", r#""e3\n0""#)),
        ("3.03 alphabet", with("signature", r#""AA+/""#)),
        ("3.03 stray bits", with("payload", r#""e31""#)),
        ("2.07 empty payload", with("payload", r#""""#)),
        ("3.16 no x5c", with("header", "{}")),
        ("3.16 null x5c", with("header", r#"{"x5c":null}"#)),
        ("3.17 empty", with("header", r#"{"x5c":[]}"#)),
        ("3.17 base64url", with("header", r#"{"x5c":["AA-_"]}"#)),
        ("3.17 no padding", with("header", r#"{"x5c":["AA"]}"#)),
        ("3.16 array", with("header", r#"[["AAAA"],null,null]"#)),
        ("limit", with("header", &format!(r#"{{"x5c":[{}"AAAA"]}}"#, "\"AAAA\",".repeat(64)))),
    ] {
        assert_eq!(code(&text), DiagnosticCode::EnvelopeMalformed, "{fact}: {text}");
    }
}

#[test]
fn messages_are_short_and_printable_whatever_the_document_says() {
    let mut hostile = envelope(PROTECTED);
    hostile.insert(format!("\u{1b}[2J{}", "x".repeat(10_000)), Value::Null);
    let error =
        parse(serde_json::to_string(&hostile).unwrap().as_bytes(), &Limits::default(), &CertificatePool::default())
            .unwrap_err();
    let text = error.to_string();
    assert!(text.len() < 500 && !text.contains('\u{1b}') && text.contains("unknown field"), "{text}");
}

#[test]
fn timestamps_are_base64_with_padding() {
    // Conformance 3.18, 8.20.
    assert_eq!(read_timestamp(None).unwrap(), None);
    assert_eq!(read_timestamp(Some("")).unwrap(), None);
    assert_eq!(read_timestamp(Some("MAA=")).unwrap(), Some(vec![0x30, 0x00]));
    for bad in ["MAA", "MA\nA=", "MAB=", "-_-_"] {
        assert!(read_timestamp(Some(bad)).is_err(), "{bad:?}");
    }
}
