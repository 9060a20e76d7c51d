//! Area `cose`: section 4, and section 2 in COSE.

use serde_json::json;

use super::cbor::{Cbor, array, epoch};
use super::envelope::{
    AGENT, AUTHENTIC, AUTHORITY, COSE, Cose, EXPIRY, PLUGIN, SCHEME, SIGNED, SIGNED_TEXT, STAMP, Signer, TIME, payload,
};
use super::sign::der;
use super::{Book, accepted, entry, refused};
use crate::case::Expect;

const MALFORMED: &str = "envelope-malformed";

fn add(book: &mut Book, facts: &str, title: &str, envelope: Vec<u8>, expect: Expect) {
    let inputs = json!({ "envelope": "envelope.cose", "mediaType": COSE });
    book.add("cose", entry(facts, title, "envelope", inputs, expect).attach("envelope.cose", envelope));
}

pub(super) fn make(book: &mut Book) {
    protected(book);
    critical(book);
    times(book);
    form(book);
    unprotected(book);
}

fn protected(book: &mut Book) {
    let plain = Cose::plain;
    let mut reversed = plain();
    reversed.protected.reverse();
    for (facts, title, envelope, expect) in [
        (
            "4.01 4.02 4.03 4.10 4.14 14.12 2.10 2.11",
            "the ordinary envelope",
            plain(),
            accepted().shows(
                json!({ "scheme": "notary.x509", "signingTime": SIGNED_TEXT, "algorithm": "ES256", "certificates": 3 }),
            ),
        ),
        ("4.14 14.12", "labels in another order", reversed, accepted()),
        ("4.15 4.17", "a key identifier", plain().with(4, Cbor::Bytes(vec![1])), accepted()),
        ("4.15 4.17", "a key identifier that is a text", plain().with(4, "1"), refused(MALFORMED)),
        ("4.15 4.17", "an initialisation vector that is a number", plain().with(5, 1), refused(MALFORMED)),
        (
            "4.15 4.17",
            "two initialisation vectors",
            plain().with(5, Cbor::Bytes(vec![1])).unsigned(6, Cbor::Bytes(vec![1])),
            refused(MALFORMED),
        ),
        ("4.15 4.17", "a countersignature that is protected", plain().with(7, array([])), refused(MALFORMED)),
        (
            "4.15",
            "a time in an unknown attribute that is a text",
            plain().with("com.example.time", Cbor::Tag(1, Box::new(SIGNED_TEXT.into()))),
            refused(MALFORMED),
        ),
        ("4.18", "no algorithm", plain().without(1), refused(MALFORMED)),
        ("4.18 4.04", "the algorithm EdDSA", plain().with(1, -8), refused("algorithm-unsupported")),
        ("4.04", "the algorithm RS256", plain().with(1, -257), refused("algorithm-unsupported")),
        ("4.04", "the algorithm as a text", plain().with(1, "ES256"), refused("algorithm-unsupported")),
        ("4.04 3.07", "the algorithm of another key", plain().with(1, -35), refused("algorithm-mismatch")),
        ("4.18 2.10", "no signing scheme", plain().without(SCHEME), refused(MALFORMED)),
        (
            "4.18 2.10",
            "a scheme that nobody defined",
            plain().with(SCHEME, "notary.x509.other"),
            refused("signing-scheme-unsupported"),
        ),
        (
            "4.03 2.10",
            "a scheme that is a byte string",
            plain().with(SCHEME, b"notary.x509".to_vec()),
            refused(MALFORMED),
        ),
        ("4.09 2.14", "no content type", plain().without(3), refused(MALFORMED)),
        ("4.09 2.14", "another content type", plain().with(3, "application/json"), refused("payload-malformed")),
        (
            "4.09",
            "a content type with a parameter",
            plain().with(3, "application/vnd.cncf.notary.payload.v1+json; charset=utf-8"),
            refused("payload-malformed"),
        ),
        ("4.09", "a content type as a number", plain().with(3, 50), refused(MALFORMED)),
        (
            "2.15",
            "an extended attribute that is not critical",
            plain().with("com.example.x", array([1.into(), "y".into()])),
            accepted().shows(json!({ "extended": { "com.example.x": [1, "y"] } })),
        ),
        (
            "4.17",
            "an integer label that is not critical",
            plain().with(99, 1),
            accepted().shows(json!({ "extended": { "label 99": 1 } })),
        ),
        (
            "2.17 2.19",
            "a verification plugin is asked for",
            plain().with(PLUGIN, "p").critical([PLUGIN.into()]),
            refused("plugin-required"),
        ),
        ("2.17", "a verification plugin that is not critical", plain().with(PLUGIN, "p"), refused(MALFORMED)),
        ("2.07", "an empty payload", plain().payload(""), refused(MALFORMED)),
        ("2.07 2.01", "a payload that is no JSON", plain().payload("hello"), refused("payload-malformed")),
    ] {
        add(book, facts, title, envelope.bytes(), expect);
    }
}

fn critical(book: &mut Book) {
    let plain = Cose::plain;
    for (facts, title, envelope, expect) in [
        ("4.06", "crit is absent", plain().without(2), refused(MALFORMED)),
        ("4.06 4.15", "crit is empty", plain().with(2, array([])), refused(MALFORMED)),
        ("4.06 4.15", "crit is a text", plain().with(2, SCHEME), refused(MALFORMED)),
        (
            "4.06",
            "crit lacks the signing scheme",
            plain().with("com.example.x", 1).with(2, array(["com.example.x".into()])),
            refused(MALFORMED),
        ),
        ("4.06", "crit names the content type", plain().critical([3.into()]), refused(MALFORMED)),
        (
            "4.06 4.17",
            "crit names a key identifier that is there",
            plain().with(4, b"k".to_vec()).critical([4.into()]),
            refused("critical-attribute-unknown"),
        ),
        ("4.06", "crit names the algorithm", plain().critical([1.into()]), refused(MALFORMED)),
        ("4.06", "crit names something absent", plain().critical(["com.example.absent".into()]), refused(MALFORMED)),
        ("4.08", "crit names the signing time", plain().critical([TIME.into()]), refused(MALFORMED)),
        ("4.06", "crit names something twice", plain().critical([SCHEME.into()]), refused(MALFORMED)),
        ("4.15", "crit holds a byte string", plain().critical([Cbor::Bytes(vec![1])]), refused(MALFORMED)),
        (
            "2.15 14.01",
            "an unknown critical attribute",
            plain().with("com.example.x", 1).critical(["com.example.x".into()]),
            refused("critical-attribute-unknown"),
        ),
        (
            "4.17 14.01",
            "a critical integer label",
            plain().with(99, 1).critical([99.into()]),
            refused("critical-attribute-unknown"),
        ),
        (
            "4.07 14.12",
            "crit in another order than the reference writes",
            plain().with(EXPIRY, epoch(SIGNED + 86_400)).with(2, array([EXPIRY.into(), SCHEME.into()])),
            accepted().shows(json!({ "expiry": "2026-06-02T00:00:00Z" })),
        ),
        ("4.06 2.13", "an expiry that is not critical", plain().with(EXPIRY, epoch(SIGNED + 1)), refused(MALFORMED)),
        (
            "4.06 2.12",
            "authenticSigningTime is not critical",
            Cose::authority().with(2, array([SCHEME.into()])),
            refused(MALFORMED),
        ),
        ("4.15", "crit in the unprotected header", plain().unsigned(2, array([SCHEME.into()])), refused(MALFORMED)),
    ] {
        add(book, facts, title, envelope.bytes(), expect);
    }
}

fn times(book: &mut Book) {
    let plain = Cose::plain;
    let tagged = |tag: u64, value: Cbor| Cbor::Tag(tag, Box::new(value));
    let expiring = |at: i64| Cose::plain().with(EXPIRY, epoch(at)).critical([EXPIRY.into()]);
    for (facts, title, envelope, expect) in [
        ("4.05", "a time without a tag", plain().with(TIME, SIGNED), refused(MALFORMED)),
        ("4.05", "a time as text under tag 0", plain().with(TIME, tagged(0, SIGNED_TEXT.into())), refused(MALFORMED)),
        ("4.05", "a time as text", plain().with(TIME, SIGNED_TEXT), refused(MALFORMED)),
        (
            "4.05 2.24",
            "a time in floating point",
            plain().with(TIME, tagged(1, Cbor::Float(1_780_272_000.5))),
            refused(MALFORMED),
        ),
        (
            "4.05",
            "a whole time in floating point",
            plain().with(TIME, tagged(1, Cbor::Float(1_780_272_000.0))),
            refused(MALFORMED),
        ),
        ("4.05", "a time as a text under tag 1", plain().with(TIME, tagged(1, SIGNED_TEXT.into())), refused(MALFORMED)),
        (
            "4.05",
            "a time before 1970",
            plain().with(TIME, epoch(-1)),
            accepted().shows(json!({ "signingTime": "1969-12-31T23:59:59Z" })),
        ),
        ("4.18 2.11", "no signing time", plain().without(TIME), refused(MALFORMED)),
        (
            "4.08 2.12",
            "the other scheme's time beside the own",
            plain().with(AUTHENTIC, epoch(SIGNED)),
            refused(MALFORMED),
        ),
        ("2.13 4.03", "an expiry", expiring(SIGNED + 1), accepted().shows(json!({ "expiry": "2026-06-01T00:00:01Z" }))),
        ("2.25", "an expiry at the signing time", expiring(SIGNED), refused(MALFORMED)),
        (
            "2.12 4.03",
            "a signing authority",
            Cose::authority(),
            accepted().shows(json!({ "scheme": AUTHORITY, "authenticSigningTime": SIGNED_TEXT, "signingTime": null })),
        ),
        (
            "4.08 2.11",
            "a signing authority with a signing time",
            Cose::authority().with(TIME, epoch(SIGNED)),
            refused(MALFORMED),
        ),
        (
            "2.12",
            "a signing authority without its time",
            Cose::authority().without(AUTHENTIC).with(2, array([SCHEME.into()])),
            refused(MALFORMED),
        ),
    ] {
        add(book, facts, title, envelope.bytes(), expect);
    }
}

fn form(book: &mut Book) {
    let cose = Cose::plain();
    let good = cose.bytes();
    let [protected, unprotected, carried, signature] = cose.parts();
    let tagged = |tag: u64, parts: Vec<Cbor>| Cbor::Tag(tag, Box::new(Cbor::Array(parts))).encode();
    let four = || vec![protected.clone(), unprotected.clone(), carried.clone(), signature.clone()];
    let part = |place: usize, value: Cbor| {
        let mut parts = four();
        parts[place] = value;
        tagged(18, parts)
    };
    let twice = |bucket: &[(Cbor, Cbor)]| Cbor::Map([bucket, &bucket[..1]].concat());
    let indefinite = [&[0xd2, 0x9f][..], &good[2..], &[0xff]].concat();
    let long_head = [&[0xd8, 18][..], &good[1..]].concat();
    for (facts, title, bytes) in [
        ("4.01", "no tag", Cbor::Array(four()).encode()),
        ("4.01", "the tag of COSE_Sign", tagged(98, four())),
        ("4.01", "the tag twice", Cbor::Tag(18, Box::new(Cbor::Tag(18, Box::new(Cbor::Array(four()))))).encode()),
        ("4.01 4.15", "the tag in a longer form", long_head),
        ("4.01", "three parts", tagged(18, four()[..3].to_vec())),
        ("4.01", "five parts", tagged(18, [four(), vec![Cbor::Null]].concat())),
        ("4.01", "the protected header as a map", part(0, Cbor::Map(cose.protected.clone()))),
        ("4.01", "an empty protected header", part(0, Cbor::Bytes(Vec::new()))),
        ("4.01", "the unprotected header in bytes", part(1, Cbor::Bytes(unprotected.encode()))),
        ("4.01", "the payload as a text", part(2, Cbor::Text(payload()))),
        ("4.15", "a detached payload", part(2, Cbor::Null)),
        ("4.15", "an empty signature", part(3, Cbor::Bytes(Vec::new()))),
        ("4.15", "a protected label twice", part(0, Cbor::Bytes(twice(&cose.protected).encode()))),
        ("4.15", "an unprotected label twice", part(1, twice(&cose.unprotected))),
        ("4.15", "an array of indefinite length", indefinite),
        (
            "4.15",
            "a label that is a boolean",
            part(1, Cbor::Map(vec![cose.unprotected[0].clone(), (Cbor::Bool(true), 1.into())])),
        ),
        ("4.01", "bytes behind the envelope", [&good[..], &[0]].concat()),
        ("8.07", "an envelope that breaks off", good[..good.len() - 1].to_vec()),
        ("8.07", "an empty file", Vec::new()),
        ("4.01", "a JWS", b"{}".to_vec()),
    ] {
        add(book, facts, title, bytes, refused(MALFORMED));
    }
    let mut flipped = good;
    *flipped.last_mut().unwrap() ^= 1;
    let carried = Cose { carried: Some(Cbor::Bytes(b"{}".to_vec())), ..Cose::plain() };
    let der_form = p256::ecdsa::Signature::from_slice(&match &signature {
        Cbor::Bytes(raw) => raw.clone(),
        _ => unreachable!(),
    });
    let der_form = der_form.unwrap().to_der().as_bytes().to_vec();
    for (facts, title, bytes) in [
        ("4.02 8.07", "a signature with a bit flipped", flipped),
        ("4.02", "external data were signed along", Cose { aad: vec![1], ..Cose::plain() }.bytes()),
        ("4.02", "signed as a COSE_Sign", Cose { context: "Signature", ..Cose::plain() }.bytes()),
        ("8.07", "a payload that was exchanged", carried.bytes()),
        ("4.16", "a signature in DER", part(3, Cbor::Bytes(der_form))),
        ("14.12 4.02", "a protected header that was encoded anew", part(0, Cbor::Bytes(reordered(&cose)))),
    ] {
        add(book, facts, title, bytes, refused("signature-invalid"));
    }
}

fn reordered(cose: &Cose) -> Vec<u8> {
    let mut labels = cose.protected.clone();
    labels.reverse();
    Cbor::Map(labels).encode()
}

fn unprotected(book: &mut Book) {
    let plain = Cose::plain;
    let x5chain = || plain().unprotected[0].1.clone();
    let alone = Signer::of("leaf", "ES256", &["alone"]);
    let bare = Cose::new(alone.clone()).unsigned(33, der("alone"));
    let both = plain().with(33, x5chain());
    let mut header = plain().with(33, x5chain());
    header.unprotected.clear();
    for (facts, title, envelope, expect) in [
        (
            "4.10 2.22",
            "a signing agent",
            plain().unsigned(AGENT, "agent/1"),
            accepted().shows(json!({ "signingAgent": "agent/1" })),
        ),
        (
            "4.13 2.22",
            "a signing agent that is a number",
            plain().unsigned(AGENT, 1),
            accepted().shows(json!({ "signingAgent": null })),
        ),
        (
            "4.10 2.21",
            "a timestamp token",
            plain().unsigned(STAMP, vec![0x30, 0]),
            accepted().shows(json!({ "timestamp": 2 })),
        ),
        ("4.13", "a timestamp token that is a text", plain().unsigned(STAMP, "MAA="), refused(MALFORMED)),
        (
            "8.20",
            "an empty timestamp token is none",
            plain().unsigned(STAMP, Vec::new()),
            accepted().shows(json!({ "timestamp": null })),
        ),
        ("4.11 14.12", "one certificate in an array", Cose::new(alone), accepted().shows(json!({ "certificates": 1 }))),
        ("4.11 14.12", "one certificate without an array", bare, refused(MALFORMED)),
        ("4.12", "the chain in the protected header", header, accepted().shows(json!({ "certificates": 3 }))),
        ("4.12", "the chain in both headers", both, refused(MALFORMED)),
        ("4.10 2.20 8.08", "no chain", plain().without_unsigned(33), refused(MALFORMED)),
        ("4.10 2.20", "an empty chain", plain().unsigned(33, array([])), refused(MALFORMED)),
        ("4.10", "a chain in base64", plain().unsigned(33, array(["MAA=".into()])), refused(MALFORMED)),
        (
            "4.10 8.08",
            "a chain of no certificates",
            plain().unsigned(33, array([Cbor::Bytes(vec![0x30, 0])])),
            refused("certificate-malformed"),
        ),
        (
            "2.20 5.04",
            "a chain without root",
            plain().unsigned(33, array([Cbor::Bytes(der("leaf")), Cbor::Bytes(der("inter"))])),
            refused("chain-invalid"),
        ),
        ("4.10", "an unknown unprotected label", plain().unsigned("com.example.x", Cbor::Null), accepted()),
        ("4.03", "the signing time in both headers", plain().unsigned(TIME, epoch(SIGNED)), refused(MALFORMED)),
    ] {
        add(book, facts, title, envelope.bytes(), expect);
    }
}
