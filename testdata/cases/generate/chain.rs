//! Area `chain`: certificate chains (5.03 to 5.19), validity and anchors.

use serde_json::{Value, json};

use super::{Book, Entry, accepted, entry, refused};
use crate::case::Expect;

const PROFILE: &str = "certificate-profile-violated";
const CHAIN: &str = "chain-invalid";
const NOW: &str = "2026-11-21T20:00:00Z";

fn chain(facts: &str, title: &str, profile: &str, names: &str, expect: Expect) -> Entry {
    let certificates: Value = names.split_whitespace().collect();
    entry(facts, title, "chain", json!({ "certificates": certificates, "profile": profile }), expect)
}

pub(super) fn make(book: &mut Book) {
    links(book);
    authorities(book);
    leaves(book);
    timestamping(book);
    validity(book);
    anchors(book);
}

fn signing(book: &mut Book, cases: &[(&str, &str, &str, Expect)]) {
    for (facts, title, names, expect) in cases {
        book.add("chain", chain(facts, title, "code-signing", names, expect.clone()));
    }
}

fn links(book: &mut Book) {
    signing(
        book,
        &[
            (
                "5.04 5.05 2.20",
                "leaf, intermediate and root",
                "leaf inter root",
                accepted().shows(json!({ "key": "P-256" })),
            ),
            ("5.04", "the root is missing", "leaf inter", refused(CHAIN)),
            ("5.04", "the intermediate is missing", "leaf root", refused(CHAIN)),
            ("5.04", "the root comes before the intermediate", "leaf root inter", refused(CHAIN)),
            ("5.04", "a stranger behind the root", "leaf inter root stranger", refused(CHAIN)),
            ("5.04", "a stranger in the place of the root", "leaf inter stranger", refused(CHAIN)),
            ("5.04 5.06", "the root twice", "leaf inter root root", refused(CHAIN)),
            ("5.04 5.06", "the leaf twice", "leaf leaf inter root", refused(CHAIN)),
            ("5.05", "a root of the right name with another key", "leaf inter impostor", refused(CHAIN)),
            ("5.05", "a key identifier that is not the issuer's", "leaf-wrong-aki root", accepted()),
            (
                "5.06",
                "a self-signed certificate in the place of the intermediate",
                "leaf inter-self root",
                refused(CHAIN),
            ),
            ("5.06", "a self-signed certificate in front", "alone inter root", refused(CHAIN)),
            ("5.07", "a self-signed certificate alone", "alone", accepted()),
            ("5.07 14.34", "a self-signed certificate authority alone", "alone-ca", refused(PROFILE)),
            (
                "5.07 14.34",
                "a self-signed certificate authority that may sign alone",
                "alone-ca-signing",
                refused(PROFILE),
            ),
            ("5.07", "a leaf alone that is not self-signed", "leaf", refused(CHAIN)),
            ("5.15 14.04", "a leaf signed with SHA-1", "leaf-sha1 root", refused("algorithm-unsupported")),
            (
                "5.15 14.04",
                "a self-signed certificate with SHA-1 alone",
                "alone-sha1",
                refused("algorithm-unsupported"),
            ),
            ("5.15 14.04", "a root signed with SHA-1", "leaf-of-root-sha1 root-sha1", refused("algorithm-unsupported")),
        ],
    );
}

fn authorities(book: &mut Book) {
    signing(
        book,
        &[
            (
                "5.08 14.04",
                "basicConstraints of an authority that are not critical",
                "leaf-of-ca-noncritical ca-noncritical",
                refused(PROFILE),
            ),
            ("5.08", "an authority without basicConstraints", "leaf-of-ca-absent ca-absent", refused(PROFILE)),
            ("5.08", "an authority that says to be none", "leaf-of-ca-false ca-false", refused(PROFILE)),
            ("5.09", "a path length of 0 with a leaf below", "leaf-of-ca-pathlen0 ca-pathlen0", accepted()),
            (
                "5.09",
                "a path length of 0 with the authority's own new key below",
                "leaf-of-rollover0 rollover-of-pathlen0 ca-pathlen0",
                refused(PROFILE),
            ),
            (
                "5.09",
                "a path length of 1 with the authority's own new key below",
                "leaf-of-rollover1 rollover-of-pathlen1 ca-pathlen1",
                accepted(),
            ),
            (
                "5.13 5.16",
                "an intermediate's purposes are not looked at",
                "leaf-of-inter-for-servers inter-for-servers root",
                accepted(),
            ),
            (
                "5.09",
                "a path length of 0 with an intermediate below",
                "leaf-below-pathlen0 inter-of-pathlen0 ca-pathlen0",
                refused(PROFILE),
            ),
            (
                "5.09",
                "a path length of 1 with an intermediate below",
                "leaf-below-pathlen1 inter-of-pathlen1 ca-pathlen1",
                accepted(),
            ),
            (
                "5.09",
                "an intermediate's path length of 0 with another below",
                "leaf-below-inters inter-below-inter inter root",
                refused(PROFILE),
            ),
            (
                "5.10",
                "a key usage of an authority that is not critical",
                "leaf-of-ca-ku-noncritical ca-ku-noncritical",
                refused(PROFILE),
            ),
            ("5.10", "an authority without key usage", "leaf-of-ca-ku-absent ca-ku-absent", refused(PROFILE)),
            (
                "5.10",
                "an authority that may not sign certificates",
                "leaf-of-ca-ku-other ca-ku-other",
                refused(PROFILE),
            ),
            ("5.03", "a root with a short RSA key", "leaf-of-rsa1024 root-rsa1024", refused("algorithm-unsupported")),
            ("5.03", "a root with an RSA key of no signer's size", "leaf-of-rsa2560 root-rsa2560", accepted()),
            ("5.03", "a root with an Ed25519 key", "leaf-of-ed25519 root-ed25519", accepted()),
            ("5.16", "name constraints are not looked at", "leaf-of-constrained root-constrained", accepted()),
        ],
    );
}

fn leaves(book: &mut Book) {
    signing(
        book,
        &[
            ("5.11", "a leaf that is an authority", "leaf-ca root", refused(PROFILE)),
            ("5.11", "a leaf with basicConstraints", "leaf-ca-false root", accepted()),
            ("5.12", "a leaf without key usage", "leaf-ku-absent root", refused(PROFILE)),
            ("5.12", "a leaf whose key usage is not critical", "leaf-ku-noncritical root", refused(PROFILE)),
            ("5.12", "a leaf that may not make signatures", "leaf-ku-no-signature root", refused(PROFILE)),
            ("5.12", "a leaf with nonRepudiation beside", "leaf-ku-non-repudiation root", accepted()),
            ("5.13", "a leaf for code signing", "leaf-eku-codeSigning root", accepted()),
            ("5.13", "a leaf for an unknown purpose", "leaf-eku-unknown root", accepted()),
            ("5.13 14.03", "a leaf for any purpose", "leaf-eku-anyExtendedKeyUsage root", refused(PROFILE)),
            ("5.13 14.03", "a leaf for OCSP", "leaf-eku-OCSPSigning root", refused(PROFILE)),
            ("5.13", "a leaf for code signing and for servers", "leaf-eku-both root", refused(PROFILE)),
            ("5.16", "an unknown critical extension is not looked at", "leaf-unknown-critical root", accepted()),
        ],
    );
    for usage in [
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
        "encipherOnly",
        "decipherOnly",
    ] {
        let title = format!("a leaf with {usage}");
        book.add("chain", chain("5.12", &title, "code-signing", &format!("leaf-ku-{usage} root"), refused(PROFILE)));
    }
    for purpose in ["serverAuth", "clientAuth", "emailProtection", "timeStamping"] {
        let title = format!("a leaf for {purpose}");
        book.add("chain", chain("5.13", &title, "code-signing", &format!("leaf-eku-{purpose} root"), refused(PROFILE)));
    }
    for kind in ["rsa1024", "rsa2560", "p224", "k256", "pss2048", "ed25519"] {
        let title = format!("a leaf with a key of the kind {kind}");
        let expect = refused(PROFILE);
        book.add("chain", chain("5.02 5.03", &title, "code-signing", &format!("leaf-{kind} root"), expect));
    }
    for (kind, key) in [
        ("rsa2048", "RSA 2048"),
        ("rsa3072", "RSA 3072"),
        ("rsa4096", "RSA 4096"),
        ("p384", "P-384"),
        ("p521", "P-521"),
    ] {
        let title = format!("a leaf with a key of the kind {kind}");
        let expect = accepted().shows(json!({ "key": key }));
        book.add("chain", chain("5.01 5.02", &title, "code-signing", &format!("leaf-{kind} root"), expect));
    }
}

fn timestamping(book: &mut Book) {
    for (facts, title, names, expect) in [
        ("5.14 5.19 9.24", "a timestamp authority", "tsa-good root", accepted()),
        (
            "5.14 9.22",
            "a timestamp authority whose purpose is not critical",
            "tsa-eku-noncritical root",
            refused(PROFILE),
        ),
        ("5.14 9.22", "a timestamp authority without purpose", "tsa-eku-absent root", refused(PROFILE)),
        ("5.14 9.22", "a timestamp authority with a second purpose", "tsa-eku-both root", refused(PROFILE)),
        ("5.14 9.22", "a timestamp authority for another purpose", "tsa-eku-other root", refused(PROFILE)),
        ("5.10 9.24", "a timestamp authority whose key usage is not critical", "tsa-ku-noncritical root", accepted()),
        ("5.12 9.24", "a timestamp authority without key usage", "tsa-ku-absent root", refused(PROFILE)),
        ("5.12 9.24", "a timestamp authority that may encipher keys", "tsa-ku-other root", refused(PROFILE)),
        ("5.11 9.24", "a timestamp authority that is a certificate authority", "tsa-ca root", refused(PROFILE)),
        ("5.02 14.19", "a timestamp authority with an RSA key of no size", "tsa-rsa2560 root", refused(PROFILE)),
        ("5.02 14.19", "a timestamp authority with an RSA key", "tsa-rsa3072 root", accepted()),
        ("5.02 14.19", "a timestamp authority with a key on P-224", "tsa-p224 root", refused(PROFILE)),
        (
            "5.08",
            "a timestamp authority's issuer whose basicConstraints are not critical",
            "tsa-of-noncritical ca-noncritical",
            accepted(),
        ),
        (
            "5.10",
            "a timestamp authority's issuer whose key usage is not critical",
            "tsa-of-ku-noncritical ca-ku-noncritical",
            accepted(),
        ),
        (
            "5.10 9.24",
            "a timestamp authority's issuer without key usage",
            "tsa-of-ku-absent ca-ku-absent",
            refused(PROFILE),
        ),
        (
            "5.09 9.24",
            "a timestamp authority below a path length of 0",
            "tsa-below-pathlen0 inter-of-pathlen0 ca-pathlen0",
            refused(PROFILE),
        ),
        ("5.15 9.24", "a timestamp authority signed with SHA-1", "tsa-sha1 root", refused("algorithm-unsupported")),
        ("5.14", "a signer in the place of a timestamp authority", "leaf inter root", refused(PROFILE)),
    ] {
        book.add("chain", chain(facts, title, "timestamping", names, expect));
    }
}

fn validity(book: &mut Book) {
    let expired = || refused("certificate-expired");
    let early = || refused("certificate-not-yet-valid");
    for (facts, title, names, at, expect) in [
        ("5.17 8.19", "every certificate is valid", "leaf inter root", NOW, accepted()),
        ("8.19 14.28", "at the very beginning", "leaf inter root", "2020-01-01T00:00:00Z", accepted()),
        ("8.19", "a second before the beginning", "leaf inter root", "2019-12-31T23:59:59Z", early()),
        ("8.19 14.28", "at the very end", "leaf-expired root", "2021-01-01T00:00:00Z", accepted()),
        ("8.19", "a second behind the end", "leaf-expired root", "2021-01-01T00:00:01Z", expired()),
        ("8.19", "half a second behind the end", "leaf-expired root", "2021-01-01T00:00:00.5Z", expired()),
        ("8.19", "the root has expired", "leaf-of-expired root-expired", NOW, expired()),
        ("8.24", "the leaf is not valid yet", "leaf-future root", NOW, early()),
        ("5.17", "a leaf that outlives its issuer", "leaf-long inter-short root", NOW, accepted()),
        ("5.17", "a leaf that outlived its issuer", "leaf-long inter-short root", "2027-06-01T00:00:00Z", expired()),
    ] {
        book.add("chain", chain(facts, title, "code-signing", names, expect).at(at));
    }
}

fn anchors(book: &mut Book) {
    for (facts, title, anchors, expect) in [
        ("6.10 8.13", "the root is trusted", json!(["root"]), accepted().shows(json!({ "anchor": "root" }))),
        ("6.10", "the intermediate is trusted", json!(["inter"]), accepted().shows(json!({ "anchor": "inter" }))),
        ("6.10", "the leaf is trusted", json!(["leaf"]), accepted().shows(json!({ "anchor": "leaf" }))),
        ("6.10", "root and leaf are trusted", json!(["root", "leaf"]), accepted().shows(json!({ "anchor": "leaf" }))),
        ("6.10 8.13", "a stranger is trusted", json!(["stranger"]), refused("chain-untrusted")),
        ("6.10", "another root of the same name is trusted", json!(["impostor"]), refused("chain-untrusted")),
    ] {
        let inputs =
            json!({ "certificates": ["leaf", "inter", "root"], "profile": "code-signing", "anchors": anchors });
        book.add("chain", entry(facts, title, "chain", inputs, expect));
    }
}
