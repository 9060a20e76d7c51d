//! Area `jws`: sections 2 and 3.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::envelope::{
    AGENT, AUTHENTIC, AUTHORITY, EXPIRY, JWS, Jws, NOTHING, PAYLOAD_TYPE, PLUGIN, PLUGIN_VERSION, SCHEME, SIGNED_TEXT,
    STAMP, Signer, TIME,
};
use super::{Book, accepted, entry, refused};
use crate::case::Expect;

const LATER: &str = "2026-07-01T00:00:00Z";
const MALFORMED: &str = "envelope-malformed";

fn add_padded(book: &mut Book, facts: &str, title: &str, pad: usize, expect: Expect) {
    let inputs = json!({ "envelope": "envelope.jws", "mediaType": JWS, "pad": pad });
    let case = entry(facts, title, "envelope", inputs, expect);
    book.add("jws", case.attach("envelope.jws", Jws::plain().bytes()));
}

fn add(book: &mut Book, facts: &str, title: &str, envelope: Vec<u8>, expect: Expect) {
    let inputs = json!({ "envelope": "envelope.jws", "mediaType": JWS });
    book.add("jws", entry(facts, title, "envelope", inputs, expect).attach("envelope.jws", envelope));
}

pub(super) fn make(book: &mut Book) {
    attributes(book);
    critical(book);
    times(book);
    plugins(book);
    form(book);
    protected_form(book);
    unprotected(book);
    payloads(book);
    order(book);
    let size = Jws::plain().bytes().len();
    let most = 4 << 20;
    add_padded(book, "1.26", "the largest envelope that is read", most - size, accepted());
    add_padded(book, "1.26", "an envelope that is one byte larger", most - size + 1, refused("envelope-too-large"));
}

/// 8.08: what is wrong first is said first.
fn order(book: &mut Book) {
    let bad_crit = || Jws::plain().with(json!({ "crit": [] }));
    let chain = |names: &[&'static str], jws: Jws| {
        let other = Jws::new(Signer::of("leaf", "ES256", names));
        jws.header(json!({ "x5c": other.header["x5c"] })).bytes()
    };
    let unsigned = bad_crit().changed(json!({ "signature": "AAAA" }));
    let other_type = || Jws::plain().with(json!({ "cty": "application/json" }));
    for (facts, title, bytes, expect) in [
        ("8.08", "a wrong signature comes before a wrong crit", unsigned, refused("signature-invalid")),
        ("8.08", "a wrong crit comes before a wrong chain", chain(&["leaf", "root"], bad_crit()), refused(MALFORMED)),
        ("8.08", "a wrong chain behind all else", chain(&["leaf", "root"], Jws::plain()), refused("chain-invalid")),
        (
            "8.08",
            "a wrong payload before a wrong chain",
            chain(&["leaf", "root"], Jws::plain().payload("[]")),
            refused("payload-malformed"),
        ),
        (
            "8.08",
            "a wrong content type before a wrong payload",
            other_type().payload("[]").bytes(),
            refused("payload-malformed"),
        ),
    ] {
        add(book, facts, title, bytes, expect);
    }
}

/// Sections 2 and 3, by changes to the protected header; null removes.
fn attributes(book: &mut Book) {
    let extended = json!({ "com.example.a": [1, "x", null], "com.example.b": { "c": true } });
    let both = json!({ "com.example.a": [1, "x", null], "com.example.b": { "c": true } });
    for (facts, title, members, expect) in [
        (
            "2.10 2.11 2.14 3.01 3.05 3.06 8.07",
            "the ordinary envelope",
            json!({}),
            accepted().shows(
                json!({ "scheme": "notary.x509", "signingTime": SIGNED_TEXT, "expiry": null, "certificates": 3 }),
            ),
        ),
        ("2.10 3.05", "no signing scheme", json!({ SCHEME: null }), refused(MALFORMED)),
        (
            "2.10",
            "a scheme that nobody defined",
            json!({ SCHEME: "notary.x509.other" }),
            refused("signing-scheme-unsupported"),
        ),
        ("2.10", "the scheme in another case", json!({ SCHEME: "Notary.x509" }), refused("signing-scheme-unsupported")),
        ("2.10", "two schemes in an array", json!({ SCHEME: ["notary.x509", AUTHORITY] }), refused(MALFORMED)),
        (
            "14.11",
            "the scheme of the CLI document's sample",
            json!({ SCHEME: "notary.signingAuthority.x509" }),
            refused("signing-scheme-unsupported"),
        ),
        ("2.14 3.09", "another content type", json!({ "cty": "application/json" }), refused("payload-malformed")),
        ("2.14 3.05 3.09", "no content type", json!({ "cty": null }), refused(MALFORMED)),
        (
            "3.09",
            "a content type with a parameter",
            json!({ "cty": "application/vnd.cncf.notary.payload.v1+json; charset=utf-8" }),
            refused("payload-malformed"),
        ),
        (
            "3.09",
            "a content type without application, as RFC 7515 allows",
            json!({ "cty": "vnd.cncf.notary.payload.v1+json" }),
            refused("payload-malformed"),
        ),
        (
            "3.09",
            "a content type in another case",
            json!({ "cty": "Application/vnd.cncf.notary.payload.v1+json" }),
            refused("payload-malformed"),
        ),
        ("3.09", "a content type that is a number", json!({ "cty": 1 }), refused(MALFORMED)),
        ("3.05", "no algorithm", json!({ "alg": null }), refused(MALFORMED)),
        ("3.07", "the algorithm none", json!({ "alg": "none" }), refused("algorithm-unsupported")),
        ("3.07", "the algorithm HS256", json!({ "alg": "HS256" }), refused("algorithm-unsupported")),
        ("3.07", "the algorithm RS256", json!({ "alg": "RS256" }), refused("algorithm-unsupported")),
        ("3.07", "the algorithm EdDSA", json!({ "alg": "EdDSA" }), refused("algorithm-unsupported")),
        ("3.07 14.13", "the algorithm in lower case", json!({ "alg": "es256" }), refused("algorithm-unsupported")),
        ("3.07 3.08", "the algorithm of another key", json!({ "alg": "ES384" }), refused("algorithm-mismatch")),
        (
            "2.15 3.21",
            "extended attributes that are not critical",
            extended,
            accepted().shows(json!({ "extended": both })),
        ),
        (
            "14.13",
            "members that mean something in a JWT",
            json!({ "typ": "JWT", "kid": "k" }),
            accepted().shows(json!({ "extended": { "typ": "JWT", "kid": "k" } })),
        ),
        ("14.13 3.02", "a second algorithm in another case", json!({ "Alg": "none" }), refused(MALFORMED)),
    ] {
        add(book, facts, title, Jws::plain().with(members).bytes(), expect);
    }
}

fn critical(book: &mut Book) {
    let unknown = "com.example.rule";
    for (facts, title, members, expect) in [
        ("3.10", "crit is absent", json!({ "crit": null }), refused(MALFORMED)),
        ("3.10", "crit is empty", json!({ "crit": [] }), refused(MALFORMED)),
        ("3.10", "crit is a string", json!({ "crit": SCHEME }), refused(MALFORMED)),
        ("3.10", "crit holds a number", json!({ "crit": [SCHEME, 1] }), refused(MALFORMED)),
        ("3.10 3.11", "crit lacks the signing scheme", json!({ "crit": [unknown], unknown: 1 }), refused(MALFORMED)),
        ("3.11", "crit names alg", json!({ "crit": [SCHEME, "alg"] }), refused(MALFORMED)),
        ("3.11", "crit names cty", json!({ "crit": [SCHEME, "cty"] }), refused(MALFORMED)),
        ("3.11", "crit names itself", json!({ "crit": [SCHEME, "crit"] }), refused(MALFORMED)),
        ("2.11 2.16 3.11", "crit names the signing time", json!({ "crit": [SCHEME, TIME] }), refused(MALFORMED)),
        ("3.11", "crit names something twice", json!({ "crit": [SCHEME, SCHEME] }), refused(MALFORMED)),
        ("3.11", "crit names something absent", json!({ "crit": [SCHEME, "com.example.absent"] }), refused(MALFORMED)),
        ("3.11", "crit names an expiry that is absent", json!({ "crit": [SCHEME, EXPIRY] }), refused(MALFORMED)),
        (
            "3.10 3.12",
            "crit in another order than the reference writes",
            json!({ "crit": [EXPIRY, SCHEME], EXPIRY: LATER }),
            accepted().shows(json!({ "critical": [EXPIRY, SCHEME] })),
        ),
        (
            "2.15 14.01",
            "an unknown critical attribute",
            json!({ "crit": [SCHEME, unknown], unknown: "x" }),
            refused("critical-attribute-unknown"),
        ),
        (
            "2.15 3.21 14.01",
            "an unknown critical attribute that is an array",
            json!({ "crit": [SCHEME, unknown], unknown: [] }),
            refused("critical-attribute-unknown"),
        ),
        (
            "2.15 3.10",
            "the registered header b64 of RFC 7797 as critical",
            json!({ "crit": [SCHEME, "b64"], "b64": false }),
            refused("critical-attribute-unknown"),
        ),
    ] {
        add(book, facts, title, Jws::plain().with(members).bytes(), expect);
    }
    let authority = |members: Value| Jws::authority().with(members).bytes();
    let forgotten = json!({ "crit": [SCHEME] });
    add(book, "2.12 3.10", "authenticSigningTime is not critical", authority(forgotten), refused(MALFORMED));
}

fn times(book: &mut Book) {
    let at = |text: &str| json!({ TIME: text });
    let shows = |text: &str| accepted().shows(json!({ "signingTime": text }));
    for (facts, title, members, expect) in [
        ("3.13 14.22", "a signing time with an offset", at("2026-06-01T08:00:00+08:00"), shows(SIGNED_TEXT)),
        ("3.13", "a signing time with a negative offset", at("2026-05-31T18:30:00-05:30"), shows(SIGNED_TEXT)),
        ("2.24 3.13", "a signing time with a fraction", at("2026-06-01T00:00:00.5Z"), shows("2026-06-01T00:00:00.5Z")),
        ("3.13", "a signing time in lower case", at("2026-06-01t00:00:00z"), refused(MALFORMED)),
        ("3.13", "a signing time without a zone", at("2026-06-01T00:00:00"), refused(MALFORMED)),
        ("3.13", "a blank in place of the T", at("2026-06-01 00:00:00Z"), refused(MALFORMED)),
        ("3.13", "an offset without colon", at("2026-06-01T08:00:00+0800"), refused(MALFORMED)),
        ("3.13", "an offset of hours alone", at("2026-06-01T08:00:00+08"), refused(MALFORMED)),
        ("3.13", "an offset of a day", at("2026-06-01T00:00:00+24:00"), refused(MALFORMED)),
        ("3.13", "a fraction behind a comma", at("2026-06-01T00:00:00,5Z"), refused(MALFORMED)),
        ("3.13", "a leap second", at("2026-06-30T23:59:60Z"), refused(MALFORMED)),
        ("3.13", "the hour 24", at("2026-06-01T24:00:00Z"), refused(MALFORMED)),
        ("3.13", "a time without seconds", at("2026-06-01T00:00Z"), refused(MALFORMED)),
        ("3.13", "a time with a zone's name", at("2026-06-01T00:00:00Z[UTC]"), refused(MALFORMED)),
        ("3.13", "a blank behind the time", at("2026-06-01T00:00:00Z "), refused(MALFORMED)),
        ("3.13", "a year of five digits", at("12026-06-01T00:00:00Z"), refused(MALFORMED)),
        ("3.13", "a signing date", at("2026-06-01"), refused(MALFORMED)),
        ("3.13", "a signing time that does not exist", at("2026-02-30T00:00:00Z"), refused(MALFORMED)),
        ("3.13", "a signing time as a number", json!({ TIME: 1_780_272_000 }), refused(MALFORMED)),
        ("2.11 3.14", "no signing time", json!({ TIME: null }), refused(MALFORMED)),
        (
            "2.13 3.05 3.10",
            "an expiry",
            json!({ EXPIRY: LATER, "crit": [SCHEME, EXPIRY] }),
            accepted().shows(json!({ "expiry": LATER })),
        ),
        ("2.13 3.10", "an expiry that is not critical", json!({ EXPIRY: LATER }), refused(MALFORMED)),
        (
            "2.25",
            "an expiry at the signing time",
            json!({ EXPIRY: SIGNED_TEXT, "crit": [SCHEME, EXPIRY] }),
            refused(MALFORMED),
        ),
        (
            "2.25",
            "an expiry before the signing time",
            json!({ EXPIRY: "2026-05-01T00:00:00Z", "crit": [SCHEME, EXPIRY] }),
            refused(MALFORMED),
        ),
        (
            "3.15",
            "Go's zero time as expiry is none",
            json!({ EXPIRY: "0001-01-01T00:00:00Z" }),
            accepted().shows(json!({ "expiry": null })),
        ),
        (
            "2.12 3.14 4.08",
            "the other scheme's time beside the own",
            json!({ AUTHENTIC: SIGNED_TEXT }),
            refused(MALFORMED),
        ),
        (
            "2.12 3.14 3.15",
            "the other scheme's time as Go's zero",
            json!({ AUTHENTIC: "0001-01-01T00:00:00Z" }),
            refused(MALFORMED),
        ),
        (
            "2.11 3.14 3.15",
            "Go's zero time as signing time",
            json!({ TIME: "0001-01-01T00:00:00Z" }),
            refused(MALFORMED),
        ),
    ] {
        add(book, facts, title, Jws::plain().with(members).bytes(), expect);
    }
    // `with` removes what is null, so this header is written out.
    let null = format!(
        r#"{{"alg":"ES256","crit":["{SCHEME}"],"cty":"{PAYLOAD_TYPE}","{SCHEME}":"notary.x509","{TIME}":"{SIGNED_TEXT}","{EXPIRY}":null}}"#
    );
    add(
        book,
        "3.13",
        "an expiry that is null is none",
        Jws::plain().protected_text(&null).bytes(),
        accepted().shows(json!({ "expiry": null })),
    );
    let critical = null
        .replace(EXPIRY, "com.example.x")
        .replace(&format!("[\"{SCHEME}\""), &format!("[\"{SCHEME}\",\"com.example.x\""));
    let title = "an unknown critical attribute that is null";
    let expect = refused("critical-attribute-unknown");
    add(book, "2.15 3.21 14.01", title, Jws::plain().protected_text(critical).bytes(), expect);
    let null = null.replace(&format!("\"{SIGNED_TEXT}\""), "null");
    add(
        book,
        "3.13 3.14",
        "a signing time that is null is none",
        Jws::plain().protected_text(null).bytes(),
        refused(MALFORMED),
    );
    for (facts, title, members, expect) in [
        (
            "2.10 2.12 3.05",
            "a signing authority",
            json!({}),
            accepted().shows(json!({ "scheme": AUTHORITY, "authenticSigningTime": SIGNED_TEXT, "signingTime": null })),
        ),
        ("2.11 3.14", "a signing authority with a signing time", json!({ TIME: SIGNED_TEXT }), refused(MALFORMED)),
        (
            "2.11 3.14 3.15",
            "a signing authority with Go's zero time as signing time",
            json!({ TIME: "0001-01-01T00:00:00Z" }),
            refused(MALFORMED),
        ),
        (
            "2.12 3.14",
            "a signing authority without its time",
            json!({ AUTHENTIC: null, "crit": [SCHEME] }),
            refused(MALFORMED),
        ),
        (
            "2.13 2.25",
            "a signing authority with an expiry",
            json!({ EXPIRY: LATER, "crit": [AUTHENTIC, SCHEME, EXPIRY] }),
            accepted().shows(json!({ "expiry": LATER })),
        ),
        (
            "2.25",
            "a signing authority's expiry at its signing time",
            json!({ EXPIRY: SIGNED_TEXT, "crit": [AUTHENTIC, SCHEME, EXPIRY] }),
            refused(MALFORMED),
        ),
    ] {
        add(book, facts, title, Jws::authority().with(members).bytes(), expect);
    }
}

fn plugins(book: &mut Book) {
    for (facts, title, members, expect) in [
        (
            "2.17 2.19 8.10",
            "a verification plugin is asked for",
            json!({ PLUGIN: "p", "crit": [SCHEME, PLUGIN] }),
            refused("plugin-required"),
        ),
        (
            "2.18 2.19",
            "a verification plugin of some version is asked for",
            json!({ PLUGIN: "p", PLUGIN_VERSION: "1.0.0", "crit": [SCHEME, PLUGIN, PLUGIN_VERSION] }),
            refused("plugin-required"),
        ),
        ("2.17", "a verification plugin that is not critical", json!({ PLUGIN: "p" }), refused(MALFORMED)),
        (
            "2.17",
            "a verification plugin that is blank",
            json!({ PLUGIN: " ", "crit": [SCHEME, PLUGIN] }),
            refused(MALFORMED),
        ),
        (
            "2.17",
            "a verification plugin that is no string",
            json!({ PLUGIN: 1, "crit": [SCHEME, PLUGIN] }),
            refused(MALFORMED),
        ),
        (
            "2.18",
            "the version of a plugin that is not asked for",
            json!({ PLUGIN_VERSION: "1.0.0", "crit": [SCHEME, PLUGIN_VERSION] }),
            refused(MALFORMED),
        ),
    ] {
        add(book, facts, title, Jws::plain().with(members).bytes(), expect);
    }
}

/// Sections 3.01 to 3.04: the four members.
fn form(book: &mut Book) {
    let jws = Jws::plain();
    let good = jws.document();
    let text = |member: &str| good[member].as_str().unwrap().to_owned();
    let edited = |member: &str, edit: fn(&str) -> String| jws.changed(json!({ member: edit(&text(member)) }));
    let whole = String::from_utf8(jws.bytes()).unwrap();
    for (facts, title, bytes) in [
        ("3.01", "another member at the top", jws.changed(json!({ "signatures": [] }))),
        ("3.01", "the general form", json!({ "payload": good["payload"], "signatures": [{ "protected": good["protected"], "header": good["header"], "signature": good["signature"] }] }).to_string().into_bytes()),
        ("3.01", "the compact form", format!("{}.{}.{}", text("protected"), text("payload"), text("signature")).into_bytes()),
        ("3.01", "an array in place of the object", json!([good["payload"], good["protected"], good["header"], good["signature"]]).to_string().into_bytes()),
        ("3.01", "no payload", jws.changed(json!({ "payload": null }))),
        ("3.01", "no protected header", jws.changed(json!({ "protected": null }))),
        ("3.01", "no signature", jws.changed(json!({ "signature": null }))),
        ("3.01 3.16", "no unprotected header", jws.changed(json!({ "header": null }))),
        ("3.02", "a member twice", whole.replacen('{', "{\"payload\":\"e30\",", 1).into_bytes()),
        ("3.02", "a member in another case", whole.replace("\"signature\"", "\"Signature\"").into_bytes()),
        ("3.02", "bytes behind the object", format!("{whole}{{}}").into_bytes()),
        ("3.02", "a byte order mark", format!("\u{feff}{whole}").into_bytes()),
        ("3.03", "padding in the protected header", edited("protected", |text| format!("{text}="))),
        ("3.03", "padding in the signature", edited("signature", |text| format!("{text}=="))),
        ("3.03", "a line break in the signature", edited("signature", |text| format!("{}\n{}", &text[..9], &text[9..]))),
        ("3.03", "the alphabet of plain base64", edited("signature", |text| format!("{}+/", &text[..text.len() - 2]))),
        ("3.03", "stray bits at the end of the signature", edited("signature", |text| format!("{}B", &text[..text.len() - 1]))),
        ("2.07 3.01", "an empty payload", Jws::plain().payload("").bytes()),
        ("8.07", "an empty file", Vec::new()),
        ("8.07", "no JSON", b"\xd2\x84".to_vec()),
    ] {
        add(book, facts, title, bytes, refused(MALFORMED));
    }
    let spaced = serde_json::to_vec_pretty(&good).unwrap();
    add(book, "3.01", "blanks between the members", spaced, accepted());
    for (facts, title, bytes) in [
        (
            "8.07",
            "a signature over something else",
            jws.changed(json!({ "signature": Jws::plain().payload("{}").document()["signature"] })),
        ),
        ("8.07 3.04", "a payload that was exchanged", jws.changed(json!({ "payload": "e30" }))),
        ("3.20", "a signature that is cut off", edited("signature", |text| text[..text.len() - 6].to_owned())),
        ("3.20", "a signature that is too long", edited("signature", |text| format!("{}AAAA", &text[..84]))),
        ("3.20", "an empty signature", jws.changed(json!({ "signature": "" }))),
        ("3.20 14.13", "a signature in DER", jws.changed(json!({ "signature": der_signature(&text("signature")) }))),
    ] {
        add(book, facts, title, bytes, refused("signature-invalid"));
    }
    add(
        book,
        "3.20",
        "an ECDSA signature with a high s",
        jws.changed(json!({ "signature": other_s(&text("signature")) })),
        accepted(),
    );
}

/// SEQUENCE { r, s }.
fn der_signature(text: &str) -> String {
    let raw = URL_SAFE_NO_PAD.decode(text).unwrap();
    let signature = p256::ecdsa::Signature::from_slice(&raw).unwrap();
    URL_SAFE_NO_PAD.encode(signature.to_der().as_bytes())
}

/// The other signature that every ECDSA signature comes with: s and n - s are as good as each other.
fn other_s(text: &str) -> String {
    let raw = URL_SAFE_NO_PAD.decode(text).unwrap();
    let (r, s) = p256::ecdsa::Signature::from_slice(&raw).unwrap().split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    URL_SAFE_NO_PAD.encode(other.to_bytes())
}

/// The protected header's own bytes: what is signed is what was received.
fn protected_form(book: &mut Book) {
    let header = |between: &str| {
        format!(
            "{{ \"{TIME}\":\"{SIGNED_TEXT}\",{between}\n\"{SCHEME}\":\"notary.x509\",\"cty\":\"{PAYLOAD_TYPE}\", \"crit\":[\"{SCHEME}\"],\"alg\":\"ES256\"}}"
        )
    };
    for (facts, title, text, expect) in [
        ("3.04 3.06", "a protected header in another order and with blanks", header(""), accepted()),
        ("3.02 3.05", "a protected member twice", header("\"alg\":\"ES256\","), refused(MALFORMED)),
        (
            "3.02",
            "a protected member that only differs in case",
            header("\"IO.cncf.notary.expiry\":\"2026-07-01T00:00:00Z\","),
            refused(MALFORMED),
        ),
        ("3.05", "a protected header that is an array", "[]".to_owned(), refused(MALFORMED)),
        ("3.05", "bytes behind the protected header", format!("{} 1", header("")), refused(MALFORMED)),
    ] {
        add(book, facts, title, Jws::plain().protected_text(text).bytes(), expect);
    }
}

/// Sections 2.20 to 2.22 and 3.16 to 3.18.
fn unprotected(book: &mut Book) {
    let jws = Jws::plain;
    let x5c = jws().header["x5c"].clone();
    let without_padding: Vec<String> =
        x5c.as_array().unwrap().iter().map(|text| text.as_str().unwrap().trim_end_matches('=').to_owned()).collect();
    let broken_lines: Vec<String> =
        x5c.as_array().unwrap().iter().map(|text| text.as_str().unwrap().replacen("M", "\nM", 3)).collect();
    let mut trailing = STANDARD.decode(x5c[0].as_str().unwrap()).unwrap();
    trailing.push(0);
    let trailing = STANDARD.encode(trailing);
    let url: Vec<String> = without_padding.iter().map(|text| text.replace('+', "-").replace('/', "_")).collect();
    assert!(x5c.to_string().contains(['+', '/']), "a certificate whose two base64 forms differ");
    for (facts, title, members, expect) in [
        (
            "2.22 3.16",
            "a signing agent",
            json!({ AGENT: "notation-go/1.3.0+unreleased plugin/1.0" }),
            accepted().shows(json!({ "signingAgent": "notation-go/1.3.0+unreleased plugin/1.0" })),
        ),
        (
            "2.22",
            "a signing agent that is no string",
            json!({ AGENT: { "a": [1] } }),
            accepted().shows(json!({ "signingAgent": null })),
        ),
        (
            "3.02",
            "a member of the unprotected header that only differs in case",
            json!({ "io.cncf.notary.SigningAgent": "Notation/1.0.0" }),
            accepted().shows(json!({ "signingAgent": null })),
        ),
        ("3.02 3.16", "an unknown member of the unprotected header", json!({ "com.example.x": 1 }), accepted()),
        (
            "3.18 14.11",
            "the timestamp member of the specification's sample",
            json!({ "io.cncf.notary.timestamp": "MAA=" }),
            accepted().shows(json!({ "timestamp": null })),
        ),
        ("2.21 3.16 3.18", "a timestamp token", json!({ STAMP: "MAA=" }), accepted().shows(json!({ "timestamp": 2 }))),
        ("3.18", "a timestamp token without padding", json!({ STAMP: "MAA" }), refused(MALFORMED)),
        ("3.18", "a timestamp token in base64url", json!({ STAMP: "-_-_" }), refused(MALFORMED)),
        ("3.18", "a timestamp token that is a number", json!({ STAMP: 1 }), refused(MALFORMED)),
        (
            "8.20 3.18",
            "an empty timestamp token is none",
            json!({ STAMP: "" }),
            accepted().shows(json!({ "timestamp": null })),
        ),
        ("2.20 3.16 8.08", "x5c is null", json!({ "x5c": null }), refused(MALFORMED)),
        ("2.20 3.17", "x5c is empty", json!({ "x5c": [] }), refused(MALFORMED)),
        ("3.17", "x5c with line breaks", json!({ "x5c": broken_lines }), refused(MALFORMED)),
        ("3.17", "x5c holds a number", json!({ "x5c": [x5c[0], 1] }), refused(MALFORMED)),
        (
            "3.17",
            "x5c holds more certificates than any chain",
            json!({ "x5c": vec![x5c[0].clone(); 65] }),
            refused(MALFORMED),
        ),
        (
            "3.17",
            "x5c holds bytes behind a certificate",
            json!({ "x5c": [trailing, x5c[1], x5c[2]] }),
            refused("certificate-malformed"),
        ),
        ("3.17", "x5c is a string", json!({ "x5c": x5c[0] }), refused(MALFORMED)),
        ("3.17 14.13", "x5c in base64url", json!({ "x5c": url }), refused(MALFORMED)),
        ("3.17", "x5c without padding", json!({ "x5c": without_padding }), refused(MALFORMED)),
        ("3.17 8.08", "x5c holds no certificate", json!({ "x5c": ["MAA="] }), refused("certificate-malformed")),
        (
            "2.20 3.17 5.04",
            "x5c in the wrong order",
            json!({ "x5c": [x5c[0], x5c[2], x5c[1]] }),
            refused("chain-invalid"),
        ),
        (
            "3.17 8.07",
            "x5c begins with the root",
            json!({ "x5c": [x5c[2], x5c[1], x5c[0]] }),
            refused("signature-invalid"),
        ),
        ("2.20 5.04", "x5c lacks the root", json!({ "x5c": [x5c[0], x5c[1]] }), refused("chain-invalid")),
        ("2.20 5.04", "x5c lacks the intermediate", json!({ "x5c": [x5c[0], x5c[2]] }), refused("chain-invalid")),
        ("2.20 5.04", "x5c holds the leaf alone", json!({ "x5c": [x5c[0]] }), refused("chain-invalid")),
    ] {
        add(book, facts, title, jws().header(members).bytes(), expect);
    }
    let stamped = Jws::authority().header(json!({ STAMP: "MAA=" })).bytes();
    let none = accepted().shows(json!({ "timestamp": null }));
    add(book, "2.21 8.17", "a signing authority's timestamp token is not looked at", stamped, none);
}

/// Section 2: what the payload is, seen from the envelope.
fn payloads(book: &mut Book) {
    let with_exp = format!(
        r#"{{"exp":1,"iat":99999999999,"targetArtifact":{{"size":0,"digest":"{NOTHING}","mediaType":"a/b","annotations":{{"k":"v"}}}}}}"#
    );
    for (facts, title, payload, expect) in [
        (
            "2.06 2.08 14.13",
            "a payload that would be an expired JWT",
            with_exp,
            accepted().shows(json!({ "annotations": { "k": "v" } })),
        ),
        ("2.01 2.07", "a payload that is an array", "[]".to_owned(), refused("payload-malformed")),
        ("2.01", "a payload without an artifact", "{}".to_owned(), refused("payload-malformed")),
        ("2.01", "a payload that is no JSON", "hello".to_owned(), refused("payload-malformed")),
    ] {
        add(book, facts, title, Jws::plain().payload(payload).bytes(), expect);
    }
}
