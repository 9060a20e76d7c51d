//! Area `algorithm`: keys, algorithms, signature values (5.01 to 5.03).

use serde_json::json;

use super::envelope::{COSE, Cose, JWS, Jws, Signer};
use super::sign::Padding;
use super::{Book, accepted, entry, refused};
use crate::case::Expect;

fn both(book: &mut Book, facts: &str, title: &str, signer: &Signer, expect: &Expect) {
    for (form, media_type, bytes) in
        [("JWS", JWS, Jws::new(signer.clone()).bytes()), ("COSE", COSE, Cose::new(signer.clone()).bytes())]
    {
        let inputs = json!({ "envelope": "envelope", "mediaType": media_type });
        let title = format!("{title}, {form}");
        book.add("algorithm", entry(facts, &title, "envelope", inputs, expect.clone()).attach("envelope", bytes));
    }
}

pub(super) fn make(book: &mut Book) {
    for signer in Signer::all() {
        let shows = json!({ "algorithm": signer.alg, "hash": format!("SHA-{}", signer.bits) });
        let title = format!("{} signs {}", signer.key, signer.alg);
        both(book, "5.01 5.02 3.07 4.04", &title, &signer, &accepted().shows(shows));
        let bits = if signer.bits == 256 { 384 } else { 256 };
        let other = Signer { bits, ..signer.clone() };
        let title = format!("{} signs {} with another hash", signer.key, signer.alg);
        both(book, "5.01 3.08", &title, &other, &refused("signature-invalid"));
    }
    for (key, wrong) in [("leaf-p384", "ES256"), ("leaf-rsa3072", "PS256"), ("leaf-rsa2048", "ES256")] {
        let signer = Signer::of(key.strip_prefix("leaf-").unwrap(), wrong, &[key, "root"]);
        let title = format!("{} is said to sign {wrong}", signer.key);
        both(book, "3.07 3.08 4.04 5.01", &title, &signer, &refused("algorithm-mismatch"));
    }
    let rsa = Signer::of("rsa2048", "PS256", &["leaf-rsa2048", "root"]);
    for (facts, title, padding) in [
        ("3.19 4.16 14.14", "PSS without salt", Padding::PssSalt(0)),
        ("3.19 4.16 14.14", "PSS with a shorter salt", Padding::PssSalt(20)),
        ("3.19 4.16 14.14", "PSS with a longer salt", Padding::PssSalt(222)),
        ("3.07", "the padding of PKCS 1", Padding::Pkcs1),
    ] {
        both(book, facts, title, &Signer { padding, ..rsa.clone() }, &refused("signature-invalid"));
    }
    for (facts, key, alg, chain) in [
        ("5.02", "rsa1024", "PS256", "leaf-rsa1024"),
        ("5.02", "rsa2560", "PS256", "leaf-rsa2560"),
        ("5.01 5.02", "p224", "ES256", "leaf-p224"),
        ("5.01 5.02", "k256", "ES256", "leaf-k256"),
        ("5.03", "ed25519", "ES256", "leaf-ed25519"),
        ("5.03", "pss2048", "PS256", "leaf-pss2048"),
    ] {
        let title = format!("a signer with a key of the kind {key}");
        both(book, facts, &title, &Signer::of(key, alg, &[chain, "root"]), &refused("algorithm-unsupported"));
    }
}
