//! Envelopes at random: properly signed, and odd in a few places. They are no cases; bulla and another program are asked what
//! they make of the same ones.

use serde_json::{Value, json};

use super::cbor::{Cbor, array, epoch};
use super::envelope::{AGENT, SIGNED_TEXT, STAMP};
use super::envelope::{
    AUTHENTIC, AUTHORITY, Cose, EXPIRY, Jws, PAYLOAD_TYPE, PLUGIN, PLUGIN_VERSION, SCHEME, SIGNED, TIME,
};
use crate::random::Random;

/// Times, and what is nearly one.
const TIMES: [&str; 14] = [
    SIGNED_TEXT,
    "2026-06-01t00:00:00z",
    "2026-06-01T00:00:00+00:00",
    "2026-06-01T00:00:00.5Z",
    "2026-06-01 00:00:00Z",
    "2027-06-01T00:00:00Z",
    "2026-06-01T24:00:00Z",
    "2026-06-31T00:00:00Z",
    "2026-06-01T23:59:60Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "10000-01-01T00:00:00Z",
    "2026-06-01T00:00:00+14:00",
    "2026-06-01T00:00Z",
];
/// Other texts that mean something somewhere.
const TEXTS: [&str; 10] = [
    "",
    "x",
    "notary.x509",
    AUTHORITY,
    "ES256",
    "es256",
    "PS256",
    "none",
    PAYLOAD_TYPE,
    "application/VND.cncf.notary.payload.v1+json",
];
/// Names of members and labels, known and unknown, and some that look alike.
const NAMES: [&str; 17] = [
    "alg",
    "crit",
    "cty",
    SCHEME,
    TIME,
    AUTHENTIC,
    EXPIRY,
    PLUGIN,
    PLUGIN_VERSION,
    "x",
    "typ",
    "kid",
    "b64",
    "x5c",
    "",
    "ALG",
    "io.cncf.notary.SigningTime",
];
/// What makes or breaks JSON.
const BYTES: [&[u8]; 12] = [b" ", b"{", b"}", b"[", b"]", b",", b":", b"\"", b"0", b"e", b"\\", b"\n"];

fn json_value(random: &mut Random) -> Value {
    match random.below(8) {
        0 | 1 => (*random.pick(&TIMES.each_ref().map(|text| *text))).into(),
        2 | 3 => (*random.pick(&TEXTS.each_ref().map(|text| *text))).into(),
        4 => {
            let names = [SCHEME, EXPIRY, AUTHENTIC, "cty", "x", SCHEME];
            let count = random.below(4);
            (0..count).map(|_| Value::from(random.pick(&names))).collect()
        }
        5 => json!([SCHEME, random.below(2)]),
        6 => json!({}),
        _ => [json!(null), json!(0), json!(1), json!(-1), json!(1.5), json!(true)][random.below(6)].clone(),
    }
}

/// Replaces, inserts or removes a few bytes; what then is no text any more stays as it was.
fn disturb(random: &mut Random, text: String) -> String {
    let mut bytes = text.clone().into_bytes();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        let new = random.pick(&BYTES);
        let end = if random.one_in(3) { at } else { at + 1 };
        bytes.splice(at..end, if random.one_in(3) { &[] } else { new }.iter().copied());
    }
    String::from_utf8(bytes).unwrap_or(text)
}

/// A JWS.
pub(crate) fn jws(random: &mut Random) -> Vec<u8> {
    let mut jws = if random.one_in(4) { Jws::authority() } else { Jws::plain() };
    for _ in 0..random.below(4) {
        let name = random.pick(&NAMES);
        let value = if random.one_in(5) { Value::Null } else { json_value(random) };
        jws = jws.with(json!({ name: value }));
    }
    if random.one_in(4) {
        let text = disturb(random, jws.protected.to_string());
        jws = jws.protected_text(text);
    }
    if random.one_in(4) {
        let text = disturb(random, jws.payload.clone());
        jws = jws.payload(text);
    }
    if random.one_in(5) {
        let name = random.pick(&["x5c", STAMP, AGENT, "x", "alg"]);
        jws = jws.header(json!({ name: json_value(random) }));
    }
    match random.below(8) {
        0 => {
            let name = random.pick(&["payload", "protected", "header", "signature", "signatures", "x"]);
            jws.changed(json!({ name: json_value(random) }))
        }
        1 => disturb(random, jws.document().to_string()).into_bytes(),
        _ => jws.bytes(),
    }
}

fn cbor_value(random: &mut Random) -> Cbor {
    match random.below(9) {
        0 => epoch([SIGNED, 0, -1, SIGNED + 1, 4_102_444_800, -62_135_596_800][random.below(6)]),
        1 => Cbor::Tag([0, 1, 2, 18][random.below(4)], Box::new(SIGNED_TEXT.into())),
        2 | 3 => (*random.pick(&TEXTS.each_ref().map(|text| *text))).into(),
        4 => {
            let labels =
                [Cbor::from(SCHEME), EXPIRY.into(), AUTHENTIC.into(), 1.into(), 3.into(), 4.into(), "x".into()];
            array((0..random.below(4)).map(|_| labels[random.below(labels.len())].clone()))
        }
        5 => [Cbor::Int(-7), Cbor::Int(-37), Cbor::Int(0), Cbor::Int(1), Cbor::Int(50)][random.below(5)].clone(),
        6 => Cbor::Bytes(vec![7; random.below(4)]),
        7 => Cbor::Map(Vec::new()),
        _ => [Cbor::Bool(true), Cbor::Null, Cbor::Float(1.5)][random.below(3)].clone(),
    }
}

fn label(random: &mut Random) -> Cbor {
    match random.below(3) {
        0 => [1, 2, 3, 4, 5, 6, 7, 8, 33, -1, 100][random.below(11)].into(),
        _ => (*random.pick(&NAMES.each_ref().map(|text| *text))).into(),
    }
}

/// A COSE_Sign1.
pub(crate) fn cose(random: &mut Random) -> Vec<u8> {
    let mut cose = if random.one_in(4) { Cose::authority() } else { Cose::plain() };
    for _ in 0..random.below(4) {
        let (name, value) = (label(random), cbor_value(random));
        cose = cose.with(name, value);
    }
    if random.one_in(4) && !cose.protected.is_empty() {
        let at = random.below(cose.protected.len());
        cose.protected.remove(at);
    }
    if random.one_in(8) {
        let at = random.below(cose.protected.len() + 1);
        let pair = (label(random), cbor_value(random));
        cose.protected.insert(at, pair);
    }
    if random.one_in(4) {
        let text = disturb(random, cose.payload.clone());
        cose = cose.payload(text);
    }
    if random.one_in(5) {
        let known = [Cbor::from(33), STAMP.into(), AGENT.into(), "x".into(), 1.into(), 4.into()];
        let name = known[random.below(known.len())].clone();
        cose = cose.unsigned(name, cbor_value(random));
    }
    let mut bytes = cose.bytes();
    if random.one_in(8) {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
    bytes
}
