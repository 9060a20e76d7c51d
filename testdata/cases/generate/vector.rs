//! Area `vectors`: what the reference implementation signed, judged under other policies, and with changes to its envelopes.
//! They lie beside the repository; where they do not, the cases are skipped, and say so.

use serde_json::{Value, json};

use super::envelope::{AUTHENTIC, EXPIRY, JWS, SCHEME, STAMP, TIME};
use super::{Book, accepted, entry, expect, refused};
use crate::case::Options;

const NOW: &str = "2026-11-21T20:00:00Z";
const JWS_PLAIN: &str = "rsa3072-jws";
const JWS_STAMPED: &str = "p384-jws-timestamped";
const COSE_STAMPED: &str = "rsa2048-cose-timestamped";
const REVOKED: &str = "rsa2048-jws-revoked";

pub(super) fn make(book: &mut Book) {
    verdicts(book);
    envelopes(book);
    cose(book);
}

fn verdicts(book: &mut Book) {
    let strict = |more: Value| {
        let mut value = json!({ "level": "strict" });
        for (name, found) in more.as_object().unwrap() {
            value[name] = found.clone();
        }
        value
    };
    let both = json!(["ca:vectors", "tsa:vectors"]);
    let trusted = || expect("trusted", &[]);
    let undecided = |code: &str| expect("undecided", &[code]);
    let rejected = |code: &str| expect("rejected", &[code]);
    for (facts, title, vector, members, at, expect) in [
        ("8.31 10.01 10.04", "a signature with its CRLs", "p256-cose", json!({}), NOW, trusted().notes(&[])),
        (
            "8.31 10.04",
            "a signature without CRLs",
            "p256-cose",
            json!({ "crls": false }),
            NOW,
            undecided("crl-missing"),
        ),
        (
            "8.31 10.02",
            "the CRL of the intermediate is missing",
            "p256-cose",
            json!({ "withoutCrl": "p256-cose-root" }),
            NOW,
            undecided("crl-missing"),
        ),
        (
            "7.15 8.31",
            "without CRLs, where revocation is skipped",
            "p256-cose",
            json!({ "crls": false, "signatureVerification": strict(json!({ "override": { "revocation": "skip" } })) }),
            NOW,
            trusted().notes(&[]),
        ),
        (
            "7.15 8.31",
            "without CRLs, where revocation is logged",
            "p256-cose",
            json!({ "crls": false, "signatureVerification": strict(json!({ "override": { "revocation": "log" } })) }),
            NOW,
            trusted().notes(&["crl-missing"]),
        ),
        ("8.31 10.23", "a revoked leaf", REVOKED, json!({}), NOW, rejected("certificate-revoked")),
        (
            "7.13 8.31",
            "a revoked leaf at permissive",
            REVOKED,
            json!({ "signatureVerification": { "level": "permissive" } }),
            NOW,
            trusted().notes(&["certificate-revoked"]),
        ),
        (
            "7.15 8.31",
            "a revoked leaf where revocation is skipped",
            REVOKED,
            json!({ "signatureVerification": strict(json!({ "override": { "revocation": "skip" } })) }),
            NOW,
            trusted().notes(&[]),
        ),
        (
            "8.18 8.21 9.25 9.27 14.20 14.21",
            "a timestamp is verified, JWS",
            JWS_STAMPED,
            json!({ "trustStores": both }),
            NOW,
            trusted().notes(&[]),
        ),
        (
            "8.18 8.21 4.10 9.25",
            "a timestamp is verified, COSE",
            COSE_STAMPED,
            json!({ "trustStores": both }),
            NOW,
            trusted().notes(&[]),
        ),
        (
            "8.18 8.19",
            "a timestamp that nobody asks for",
            JWS_STAMPED,
            json!({ "trustStores": ["ca:vectors"] }),
            NOW,
            trusted().notes(&[]),
        ),
        (
            "8.20 14.18",
            "a timestamp that is missing",
            "p256-cose",
            json!({ "trustStores": both }),
            NOW,
            rejected("timestamp-absent"),
        ),
        (
            "9.30 14.18",
            "the timestamp authority's CRLs are missing",
            JWS_STAMPED,
            json!({ "trustStores": both, "withoutCrl": "tsa" }),
            NOW,
            undecided("crl-missing"),
        ),
        (
            "7.16 9.30 14.18",
            "the timestamp authority's CRLs are missing, where revocation is skipped",
            JWS_STAMPED,
            json!({ "trustStores": both, "withoutCrl": "tsa", "signatureVerification": strict(json!({ "override": { "revocation": "skip" } })) }),
            NOW,
            undecided("crl-missing"),
        ),
        (
            "8.02 9.30",
            "the timestamp authority's CRLs are missing, where the timestamp is logged",
            JWS_STAMPED,
            json!({ "trustStores": both, "withoutCrl": "tsa", "signatureVerification": strict(json!({ "override": { "authenticTimestamp": "log" } })) }),
            NOW,
            trusted().notes(&["crl-missing"]),
        ),
        (
            "8.18",
            "afterCertExpiry, while certificates are valid, needs no authority's CRLs",
            JWS_STAMPED,
            json!({ "trustStores": both, "withoutCrl": "tsa", "signatureVerification": strict(json!({ "verifyTimestamp": "afterCertExpiry" })) }),
            NOW,
            trusted(),
        ),
        ("2.13 8.16", "before the expiry", "p256-jws-expiry", json!({}), NOW, trusted()),
        (
            "2.13 8.16",
            "behind the expiry",
            "p256-jws-expiry",
            json!({}),
            "2026-11-22T20:00:00Z",
            rejected("signature-expired"),
        ),
        (
            "8.16 7.13",
            "behind the expiry, at permissive",
            "p256-jws-expiry",
            json!({ "signatureVerification": { "level": "permissive" } }),
            "2026-11-22T20:00:00Z",
            trusted().notes(&["signature-expired"]),
        ),
        (
            "7.34 8.14",
            "an identity that is not the signer's",
            "p256-cose",
            json!({ "trustedIdentities": ["x509.subject: C=XX, ST=Nowhere, O=Nobody"] }),
            NOW,
            rejected("identity-untrusted"),
        ),
    ] {
        let mut inputs = members;
        inputs["vector"] = json!(vector);
        let options = Options { scope: Some("local/vectors".into()), ..Options::default() };
        book.add("vectors", entry(facts, title, "vector", inputs, expect).at(at).options(options));
    }
}

fn envelopes(book: &mut Book) {
    let malformed = || refused("envelope-malformed");
    let broken = || refused("signature-invalid");
    for (facts, title, vector, change, expect) in [
        (
            "3.01 3.04 3.10 3.13 14.22 8.07",
            "the reference's JWS",
            JWS_PLAIN,
            json!("none"),
            accepted().shows(json!({ "algorithm": "PS384", "timestamp": null })),
        ),
        (
            "3.15 3.20",
            "the reference's JWS with an expiry",
            "p256-jws-expiry",
            json!("none"),
            accepted().shows(json!({ "algorithm": "ES256" })),
        ),
        (
            "3.18 3.20",
            "the reference's JWS with a timestamp",
            JWS_STAMPED,
            json!("none"),
            accepted().shows(json!({ "algorithm": "ES384" })),
        ),
        (
            "3.19 14.14",
            "the reference's JWS with PSS",
            REVOKED,
            json!("none"),
            accepted().shows(json!({ "algorithm": "PS256" })),
        ),
        (
            "3.04 8.07",
            "a protected member is changed",
            JWS_PLAIN,
            json!({ "protected": { TIME: "2026-11-21T19:00:00Z" } }),
            broken(),
        ),
        ("3.11 8.07", "an attribute is added", JWS_PLAIN, json!({ "protected": { "com.example.x": 1 } }), broken()),
        ("8.07", "the payload is exchanged", JWS_PLAIN, json!({ "payload": "{}" }), broken()),
        (
            "3.07",
            "the algorithm becomes none",
            JWS_PLAIN,
            json!({ "protected": { "alg": "none" } }),
            refused("algorithm-unsupported"),
        ),
        (
            "3.08",
            "the algorithm becomes another",
            JWS_PLAIN,
            json!({ "protected": { "alg": "PS256" } }),
            refused("algorithm-mismatch"),
        ),
        ("3.05", "the signing scheme is removed", JWS_PLAIN, json!({ "protected": { SCHEME: null } }), malformed()),
        (
            "2.10",
            "the signing scheme becomes another",
            JWS_PLAIN,
            json!({ "protected": { SCHEME: "x" } }),
            refused("signing-scheme-unsupported"),
        ),
        (
            "3.14 8.07",
            "the scheme becomes a signing authority's",
            JWS_PLAIN,
            json!({ "protected": { SCHEME: "notary.x509.signingAuthority", AUTHENTIC: "2026-11-21T19:00:00Z", TIME: null } }),
            broken(),
        ),
        (
            "2.13 8.07",
            "the expiry is removed",
            "p256-jws-expiry",
            json!({ "protected": { EXPIRY: null, "crit": [SCHEME] } }),
            broken(),
        ),
        ("3.01", "a member is added at the top", JWS_PLAIN, json!({ "top": { "x": 1 } }), malformed()),
        (
            "3.02 3.16",
            "a member is added to the unprotected header",
            JWS_PLAIN,
            json!({ "header": { "x": 1 } }),
            accepted(),
        ),
        (
            "2.22 3.16",
            "the signing agent is removed",
            JWS_PLAIN,
            json!({ "header": { "io.cncf.notary.signingAgent": null } }),
            accepted(),
        ),
        ("3.03", "padding on the signature", JWS_PLAIN, json!({ "suffix": ["signature", "="] }), malformed()),
        ("3.03", "padding on the payload", JWS_PLAIN, json!({ "suffix": ["payload", "=="] }), malformed()),
        ("2.20 5.04", "the root is cut off", JWS_PLAIN, json!({ "chain": [0, 1] }), refused("chain-invalid")),
        ("2.20 5.04", "the intermediate is cut out", JWS_PLAIN, json!({ "chain": [0, 2] }), refused("chain-invalid")),
        ("5.06", "the root stands twice", JWS_PLAIN, json!({ "chain": [0, 1, 2, 2] }), refused("chain-invalid")),
        (
            "3.07 8.07",
            "the chain of another signer with another key",
            JWS_PLAIN,
            json!({ "chainOf": "p256-jws-expiry" }),
            refused("algorithm-mismatch"),
        ),
        (
            "2.21",
            "the timestamp is removed",
            JWS_STAMPED,
            json!({ "header": { STAMP: null } }),
            accepted().shows(json!({ "timestamp": null })),
        ),
        ("3.02", "bytes behind the envelope", JWS_PLAIN, json!({ "append": [123, 125] }), malformed()),
        ("3.01", "a JWS presented as COSE", JWS_PLAIN, json!({ "mediaType": "application/cose" }), malformed()),
        (
            "8.06",
            "a JWS presented as something else",
            JWS_PLAIN,
            json!({ "mediaType": "application/jose" }),
            refused("envelope-unsupported"),
        ),
    ] {
        let inputs = json!({ "vector": vector, "change": change });
        book.add("vectors", entry(facts, title, "vector-envelope", inputs, expect));
    }
}

fn cose(book: &mut Book) {
    let malformed = || refused("envelope-malformed");
    for (facts, title, vector, change, expect) in [
        (
            "4.01 4.02 4.03 4.14 4.16",
            "the reference's COSE",
            "p256-cose",
            json!("none"),
            accepted().shows(json!({ "algorithm": "ES256", "timestamp": null })),
        ),
        (
            "4.10 4.16 14.14",
            "the reference's COSE with PSS and a timestamp",
            COSE_STAMPED,
            json!("none"),
            accepted().shows(json!({ "algorithm": "PS256" })),
        ),
        (
            "4.02 8.07",
            "a bit of the signature is flipped",
            "p256-cose",
            json!({ "flipFromEnd": 1 }),
            refused("signature-invalid"),
        ),
        ("4.01", "the tag is cut off", "p256-cose", json!({ "begin": { "drop": 1, "with": [] } }), malformed()),
        (
            "4.01",
            "the tag becomes another",
            "p256-cose",
            json!({ "begin": { "drop": 1, "with": [0xd8, 98] } }),
            malformed(),
        ),
        (
            "4.01 4.15",
            "the envelope is one array longer than it says",
            "p256-cose",
            json!({ "begin": { "drop": 2, "with": [0xd2, 0x85] } }),
            malformed(),
        ),
        (
            "4.15",
            "the array becomes one of indefinite length",
            "p256-cose",
            json!({ "begin": { "drop": 2, "with": [0xd2, 0x9f] } }),
            malformed(),
        ),
        ("4.01", "a byte behind the COSE envelope", "p256-cose", json!({ "append": [0] }), malformed()),
        ("8.06", "COSE presented as JWS", "p256-cose", json!({ "mediaType": JWS }), malformed()),
    ] {
        let inputs = json!({ "vector": vector, "change": change });
        book.add("vectors", entry(facts, title, "vector-envelope", inputs, expect));
    }
}
