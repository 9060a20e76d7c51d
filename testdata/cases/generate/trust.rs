//! Areas `identity`, `trust-store` and `config`: sections 6 and 7e, and where policies are found.

use serde_json::{Value, json};

use super::policy::statement;
use super::{Book, accepted, entry, expect, refused};
use crate::case::Expect;

const INVALID: &str = "policy-invalid";

pub(super) fn make(book: &mut Book) {
    entries(book);
    names(book);
    subjects(book);
    stores(book);
    policies(book);
}

fn identity(book: &mut Book, facts: &str, title: &str, identities: &[&str], certificate: Option<&str>, expect: Expect) {
    let mut inputs = json!({ "identities": identities });
    if let Some(name) = certificate {
        inputs["certificate"] = json!(name);
    }
    book.add("identity", entry(facts, title, "identity", inputs, expect));
}

/// The rules for the entries of a statement.
fn entries(book: &mut Book) {
    const A: &str = "x509.subject: C=US, ST=WA, O=Acme";
    let cases: &[(&str, &str, &[&str], Expect)] = &[
        ("7.27", "everyone", &["*"], accepted()),
        ("7.27", "everyone and someone", &["*", A], refused(INVALID)),
        ("7.27", "everyone twice", &["*", "*"], refused(INVALID)),
        ("7.27 7.29", "someone", &[A], accepted()),
        ("7.27", "two who do not overlap", &[A, "x509.subject: C=US, ST=WA, O=Other"], accepted()),
        ("7.28", "an empty entry", &[""], refused(INVALID)),
        ("7.28", "an entry without prefix", &["C=US, ST=WA, O=Acme"], refused(INVALID)),
        ("7.28", "an entry of another kind", &["kms:alias/x"], accepted()),
        ("7.28", "a prefix in another case is another kind", &["X509.subject: C=US"], accepted()),
        ("7.28", "a blank before the colon makes another kind", &["x509.subject : C=US"], accepted()),
        ("7.33", "one twice", &[A, A], refused(INVALID)),
        ("7.33", "one twice in another order", &[A, "x509.subject: O=Acme, ST=WA, C=US"], refused(INVALID)),
        ("7.33", "one that includes another", &[A, "x509.subject: C=US, ST=WA, O=Acme, CN=x"], refused(INVALID)),
        ("7.33", "one that another includes", &["x509.subject: C=US, ST=WA, O=Acme, CN=x", A], refused(INVALID)),
        (
            "7.33",
            "two that share attributes",
            &["x509.subject: C=US, ST=WA, O=Acme, CN=x", "x509.subject: C=US, ST=WA, O=Acme, CN=y"],
            accepted(),
        ),
        ("7.33", "S and ST overlap", &[A, "x509.subject: C=US, S=WA, O=Acme, OU=x"], refused(INVALID)),
    ];
    for (facts, title, identities, expect) in cases {
        identity(book, facts, &format!("entries: {title}"), identities, None, expect.clone());
    }
}

/// How a distinguished name is written.
fn names(book: &mut Book) {
    let cases: &[(&str, &str, &str, Expect)] = &[
        ("7.29", "no country", "ST=WA, O=Acme", refused(INVALID)),
        ("7.29", "no state", "C=US, O=Acme", refused(INVALID)),
        ("7.29", "no organization", "C=US, ST=WA", refused(INVALID)),
        ("7.29", "an empty organization", "C=US, ST=WA, O=", refused(INVALID)),
        ("7.29", "nothing", "", refused(INVALID)),
        ("7.29 7.30", "S for ST", "C=US, S=WA, O=Acme", accepted()),
        ("7.30", "keys in lower case are other keys", "c=US, st=WA, o=Acme", refused(INVALID)),
        ("7.30", "an unknown key beside", "C=US, ST=WA, O=Acme, CustomRDN=x", accepted()),
        ("7.30", "a dotted key beside", "C=US, ST=WA, O=Acme, 1.2.3=x", accepted()),
        ("7.31", "two values in one part", "C=US, ST=WA, O=Acme+OU=x", refused(INVALID)),
        ("7.31", "an attribute twice", "C=US, ST=WA, O=Acme, OU=a, OU=b", refused(INVALID)),
        ("7.31", "S beside ST", "C=US, ST=WA, S=OR, O=Acme", refused(INVALID)),
        ("7.31", "an encoded value", "C=US, ST=WA, O=#0c0141", refused(INVALID)),
        ("7.31", "the beginning of an encoded value, escaped", "C=US, ST=WA, O=Acme, CN=a\\=#b", refused(INVALID)),
        ("7.32", "semicolons between the parts", "C=US; ST=WA; O=Acme", accepted()),
        ("7.32", "an escaped comma", "C=US, ST=WA, O=Acme\\, Inc.", accepted()),
        ("7.32", "an escaped plus sign", "C=US, ST=WA, O=A\\+B", accepted()),
        ("7.32", "an escape at the end", "C=US, ST=WA, O=Acme\\", refused(INVALID)),
        ("7.32", "an escape of nothing that has one", "C=US, ST=WA, O=Acme\\z", refused(INVALID)),
        ("7.32", "a part without a value", "C=US, ST=WA, O", refused(INVALID)),
        ("7.32", "a comma at the end", "C=US, ST=WA, O=Acme,", refused(INVALID)),
    ];
    for (facts, title, name, expect) in cases {
        let text = format!("x509.subject: {name}");
        identity(book, facts, &format!("name: {title}"), &[&text], None, expect.clone());
    }
}

/// Comparison with the leaf's subject.
fn subjects(book: &mut Book) {
    const ACME: &str = "x509.subject: C=US, ST=WA, O=Acme";
    let trusted = || expect("trusted", &[]);
    let untrusted = || expect("rejected", &["identity-untrusted"]);
    let cases: &[(&str, &str, &[&str], &str, Expect)] = &[
        ("7.34 8.14", "the subject has all attributes", &[ACME], "leaf", trusted()),
        ("7.34", "all attributes and the name", &["x509.subject: C=US, ST=WA, O=Acme, CN=leaf"], "leaf", trusted()),
        ("7.34", "another name", &["x509.subject: C=US, ST=WA, O=Acme, CN=other"], "leaf", untrusted()),
        ("7.34", "another organization", &["x509.subject: C=US, ST=WA, O=Other"], "leaf", untrusted()),
        ("7.34", "the policy in another order", &["x509.subject: O=Acme, C=US, ST=WA"], "leaf", trusted()),
        ("7.34", "the subject in another order", &[ACME], "name-order", trusted()),
        ("7.34", "the second entry fits", &["x509.subject: C=US, ST=WA, O=Other", ACME], "leaf", trusted()),
        (
            "7.34",
            "an attribute that the subject lacks",
            &["x509.subject: C=US, ST=WA, O=Acme, OU=Dev"],
            "leaf",
            untrusted(),
        ),
        ("7.34", "values in another case", &[ACME], "name-lower", untrusted()),
        ("7.34 8.14", "everyone", &["*"], "leaf", trusted()),
        ("7.28", "no entry is a subject", &["kms:alias/x"], "leaf", untrusted()),
        ("7.28", "an entry of another kind beside", &["kms:alias/x", ACME], "leaf", trusted()),
        (
            "7.30",
            "an unknown attribute matches nothing",
            &["x509.subject: C=US, ST=WA, O=Acme, CustomRDN=x"],
            "leaf",
            untrusted(),
        ),
        (
            "7.30",
            "a dotted attribute matches nothing",
            &["x509.subject: C=US, ST=WA, O=Acme, 2.5.4.3=leaf"],
            "leaf",
            untrusted(),
        ),
        ("7.30 7.34", "S stands for ST", &["x509.subject: C=US, S=WA, O=Acme"], "leaf", trusted()),
        (
            "7.32 7.34",
            "an escaped comma in the value",
            &["x509.subject: C=US, ST=WA, O=Acme\\, Inc."],
            "name-comma",
            trusted(),
        ),
        (
            "7.32 7.34",
            "blanks at both ends and inside, escaped",
            &["x509.subject: C=US, ST=WA, O=\\ Acme  Ltd\\ "],
            "name-spaces",
            trusted(),
        ),
        (
            "7.32",
            "blanks at both ends, not escaped",
            &["x509.subject: C=US, ST=WA, O= Acme  Ltd "],
            "name-spaces",
            untrusted(),
        ),
        ("7.32", "hexadecimal escapes", &["x509.subject: C=DE, ST=Th\\C3\\BCringen, O=Acme"], "name-umlaut", trusted()),
        ("7.34", "a value outside ASCII", &["x509.subject: C=DE, ST=Thüringen, O=Acme"], "name-umlaut", trusted()),
        (
            "7.35",
            "all nine attributes",
            &[
                "x509.subject: C=US, ST=WA, L=Seattle, STREET=Main St 1, POSTALCODE=98101, O=Acme, OU=Dev, CN=full, SERIALNUMBER=7",
            ],
            "name-full",
            trusted(),
        ),
        ("7.35 14.17", "a subject without state", &[ACME], "name-no-st", untrusted()),
        ("7.35", "a subject without country", &[ACME], "name-no-c", untrusted()),
        ("7.35", "a subject without organization", &[ACME], "name-no-o", untrusted()),
        ("7.35", "a subject without state, for everyone", &["*"], "name-no-st", trusted()),
        ("7.35 14.17", "a subject with two units", &[ACME], "name-two-ou", untrusted()),
        ("7.35 14.17", "a subject with an e-mail address", &[ACME], "name-email", untrusted()),
        ("7.35 14.17", "a subject with domain components", &[ACME], "name-dc", untrusted()),
        ("7.35 14.17", "a subject with a user id", &[ACME], "name-uid", untrusted()),
        (
            "7.35",
            "a subject with two common names, of which the last counts",
            &["x509.subject: C=US, ST=WA, O=Acme, CN=last"],
            "name-two-cn",
            trusted(),
        ),
        (
            "7.35",
            "a subject with two common names, of which the first does not",
            &["x509.subject: C=US, ST=WA, O=Acme, CN=first"],
            "name-two-cn",
            untrusted(),
        ),
        (
            "7.35",
            "a subject with two attributes in one part",
            &["x509.subject: C=US, ST=WA, O=Acme, OU=Dev"],
            "name-multi",
            trusted(),
        ),
        ("7.35", "a subject with two localities", &[ACME], "name-two-l", untrusted()),
        ("7.35", "a subject with two units, for everyone", &["*"], "name-two-ou", trusted()),
    ];
    for (facts, title, identities, certificate, expect) in cases {
        identity(book, facts, &format!("subject: {title}"), identities, Some(certificate), expect.clone());
    }
}

/// Section 6: what lies in the directories.
fn stores(book: &mut Book) {
    const DIR: &str = "truststore/x509/ca/acme";
    const BAD: &str = "trust-store-invalid";
    let tree = |entries: &[(&str, Value)]| -> Value {
        entries
            .iter()
            .map(|(name, node)| (format!("{DIR}/{name}"), node.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let pem = |names: &[&str]| json!({ "pem": names });
    let der = |names: &[&str]| json!({ "der": names });
    let holds = |count: u64, ignored: Value| {
        accepted().shows(json!({ "certificates": { "ca:acme": count }, "ignored": ignored }))
    };
    let none = || json!([]);
    let link = |target: &str| json!({ "link": target });
    for (facts, title, nodes, expect) in [
        ("6.01 6.05", "a root in PEM", tree(&[("root.pem", pem(&["root"]))]), holds(1, none())),
        ("6.05 6.06", "a root in DER", tree(&[("root.crt", der(&["root"]))]), holds(1, none())),
        (
            "6.05",
            "the three endings",
            tree(&[("a.pem", pem(&["root"])), ("b.crt", pem(&["inter"])), ("c.cer", der(&["stranger"]))]),
            holds(3, none()),
        ),
        ("6.05", "an ending in upper case", tree(&[("a.PEM", pem(&["root"]))]), holds(1, none())),
        (
            "6.05 14.06",
            "another ending is passed over",
            tree(&[("a.pem", pem(&["root"])), ("notes.txt", json!({ "text": "x" }))]),
            holds(1, json!(["notes.txt: ending"])),
        ),
        (
            "6.05 14.06",
            "a certificate with another ending is passed over",
            tree(&[("a.pem", pem(&["root"])), ("b.txt", pem(&["inter"]))]),
            holds(1, json!(["b.txt: ending"])),
        ),
        (
            "6.04 14.06",
            "a directory is passed over",
            tree(&[("a.pem", pem(&["root"])), ("old", json!("directory"))]),
            holds(1, json!(["old: directory"])),
        ),
        (
            "6.04",
            "a directory whose name ends like a certificate's",
            tree(&[("a.pem", pem(&["root"])), ("b.pem", json!("directory"))]),
            holds(1, json!(["b.pem: directory"])),
        ),
        ("6.06", "two certificates in one PEM file", tree(&[("a.pem", pem(&["root", "inter"]))]), holds(2, none())),
        ("6.06", "two certificates in one DER file", tree(&[("a.cer", der(&["root", "inter"]))]), holds(2, none())),
        ("6.06", "text around PEM", tree(&[("a.pem", json!({ "text": text_around() }))]), holds(1, none())),
        (
            "6.06",
            "another label on a certificate",
            tree(&[("a.pem", json!({ "text": relabelled() }))]),
            holds(1, none()),
        ),
        ("6.06", "a key in place of a certificate", tree(&[("a.pem", json!({ "key": "root" }))]), refused(BAD)),
        ("6.06", "an empty file", tree(&[("a.pem", json!({ "text": "" }))]), refused(BAD)),
        (
            "6.05 6.06",
            "a file that is no certificate",
            tree(&[("a.pem", json!({ "text": "hello" })), ("b.pem", pem(&["root"]))]),
            refused(BAD),
        ),
        ("6.07", "a self-signed leaf", tree(&[("a.pem", pem(&["alone"]))]), holds(1, none())),
        ("6.07 6.10", "an intermediate", tree(&[("a.pem", pem(&["inter"]))]), holds(1, none())),
        ("6.07", "a leaf that is not self-signed", tree(&[("a.pem", pem(&["leaf"]))]), refused(BAD)),
        ("6.09", "an empty store", tree(&[("", json!("directory"))]), refused("trust-store-missing")),
        (
            "6.09",
            "a store that holds nothing that is read",
            tree(&[("notes.txt", json!({ "text": "x" }))]),
            refused("trust-store-missing"),
        ),
        (
            "6.09",
            "a store that is not there",
            json!({ "truststore/x509/ca/other/a.pem": pem(&["root"]) }),
            refused("trust-store-missing"),
        ),
        (
            "6.01 6.12",
            "a store of another type",
            json!({ "truststore/x509/tsa/acme/a.pem": pem(&["root"]) }),
            refused("trust-store-missing"),
        ),
        (
            "6.01",
            "a store whose type is in another case",
            json!({ "truststore/x509/CA/acme/a.pem": pem(&["root"]) }),
            refused("trust-store-missing"),
        ),
        (
            "6.01 14.11",
            "the misspelt trust-store",
            json!({ "trust-store/x509/ca/acme/a.pem": pem(&["root"]) }),
            refused("trust-store-missing"),
        ),
        (
            "6.02",
            "a link in place of a certificate",
            json!({ "root.pem": pem(&["root"]), format!("{DIR}/a.pem"): link("root.pem") }),
            refused(BAD),
        ),
        (
            "6.02",
            "a link with another ending",
            json!({ "root.pem": pem(&["root"]), format!("{DIR}/a.pem"): pem(&["root"]), format!("{DIR}/a.txt"): link("root.pem") }),
            refused(BAD),
        ),
        (
            "6.02",
            "a link in place of the store",
            json!({ "real/a.pem": pem(&["root"]), DIR: link("real") }),
            refused(BAD),
        ),
        (
            "6.02",
            "a link above the store",
            json!({ "real/x509/ca/acme/a.pem": pem(&["root"]), "truststore": link("real") }),
            holds(1, none()),
        ),
        (
            "6.06",
            "lines that end as on Windows",
            tree(&[("a.pem", json!({ "text": root_pem().replace('\n', "\r\n") }))]),
            holds(1, none()),
        ),
        ("6.06", "PEM that breaks off", tree(&[("a.pem", json!({ "text": &root_pem()[..200] }))]), refused(BAD)),
        ("6.02", "a file in place of the store", json!({ DIR: pem(&["root"]) }), refused(BAD)),
        ("6.14", "an expired root", tree(&[("a.pem", pem(&["root-expired"]))]), holds(1, none())),
    ] {
        let inputs = json!({ "tree": nodes, "read": { "stores": ["ca:acme"] } });
        book.add("trust-store", entry(facts, title, "config", inputs, expect));
    }
    for (facts, kind, name, expect) in [
        ("6.08", "tsa", "root", accepted()),
        ("6.08", "tsa", "inter", refused(BAD)),
        ("6.08", "tsa", "alone", refused(BAD)),
        ("6.08", "tsa", "tsa-good", refused(BAD)),
        ("6.07", "signingAuthority", "root", accepted()),
        ("6.07", "signingAuthority", "alone", accepted()),
        ("6.07", "signingAuthority", "leaf", refused(BAD)),
    ] {
        let tree = json!({ format!("truststore/x509/{kind}/acme/a.pem"): pem(&[name]) });
        let inputs = json!({ "tree": tree, "read": { "stores": [format!("{kind}:acme")] } });
        book.add("trust-store", entry(facts, &format!("{kind} holds {name}"), "config", inputs, expect));
    }
    let two =
        json!({ "truststore/x509/ca/a/a.pem": pem(&["root"]), "truststore/x509/ca/b/b.pem": json!({ "text": "x" }) });
    for (facts, title, names, expect) in [
        (
            "6.13",
            "a bad store is not looked at unless it is named",
            json!(["ca:a"]),
            accepted().shows(json!({ "certificates": { "ca:a": 1 } })),
        ),
        ("6.13", "one bad store spoils what names it", json!(["ca:a", "ca:b"]), refused(BAD)),
    ] {
        let inputs = json!({ "tree": two, "read": { "stores": names } });
        book.add("trust-store", entry(facts, title, "config", inputs, expect));
    }
}

fn root_pem() -> String {
    std::fs::read_to_string(crate::facts::folder().join("pki/root.pem")).unwrap()
}

fn text_around() -> String {
    format!("subject: root\n{}\nthat was it\n", root_pem())
}

fn relabelled() -> String {
    root_pem().replace(" CERTIFICATE-----", " TRUSTED THING-----")
}

/// Section 7a: which file is the policy.
fn policies(book: &mut Book) {
    let named =
        |name: &str| json!({ "json": { "version": "1.0", "trustPolicies": [statement(&json!({ "name": name }))] } });
    let blob = json!({ "json": { "version": "1.0", "trustPolicies": [statement(&json!({ "name": "blob", "registryScopes": null }))] } });
    let broken = json!({ "text": "{" });
    let (oci, legacy, blobs) = ("trustpolicy.oci.json", "trustpolicy.json", "trustpolicy.blob.json");
    let is = |file: &str, name: &str| accepted().shows(json!({ "file": file, "statements": [name] }));
    let missing = || refused("policy-missing");
    for (facts, title, tree, read, expect) in [
        ("7.01", "the OCI policy", json!({ oci: named("o") }), "policy", is(oci, "o")),
        ("7.01", "the legacy policy", json!({ legacy: named("l") }), "policy", is(legacy, "l")),
        ("7.01", "both", json!({ oci: named("o"), legacy: named("l") }), "policy", is(oci, "o")),
        (
            "7.01",
            "a broken OCI policy beside a legacy one",
            json!({ oci: broken, legacy: named("l") }),
            "policy",
            refused(INVALID),
        ),
        (
            "7.01 7.03",
            "a directory in place of the OCI policy beside a legacy one",
            json!({ oci: "directory", legacy: named("l") }),
            "policy",
            refused(INVALID),
        ),
        (
            "7.03",
            "a link to a policy",
            json!({ "real.json": named("o"), oci: { "link": "real.json" } }),
            "policy",
            refused(INVALID),
        ),
        (
            "7.03",
            "a link to nowhere beside a legacy policy",
            json!({ oci: { "link": "absent" }, legacy: named("l") }),
            "policy",
            refused(INVALID),
        ),
        ("7.01", "no policy", json!({ "other.json": named("o") }), "policy", missing()),
        ("7.01 7.02", "a blob policy is no OCI policy", json!({ blobs: blob }), "policy", missing()),
        ("7.02", "the blob policy", json!({ blobs: blob, oci: named("o") }), "blobPolicy", is(blobs, "blob")),
        (
            "7.02",
            "an OCI policy is no blob policy",
            json!({ oci: named("o"), legacy: named("l") }),
            "blobPolicy",
            missing(),
        ),
        (
            "7.02 7.03",
            "a link to a blob policy",
            json!({ "real.json": blob, blobs: { "link": "real.json" } }),
            "blobPolicy",
            refused(INVALID),
        ),
    ] {
        let inputs = json!({ "tree": tree, "read": read });
        book.add("config", entry(facts, title, "config", inputs, expect));
    }
}
