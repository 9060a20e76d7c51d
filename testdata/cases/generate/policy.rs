//! Areas `policy` and `blob`: section 7, but for identities.

use serde_json::{Value, json};

use super::{Book, Entry, accepted, entry, refused};
use crate::case::{Expect, Options};

const INVALID: &str = "policy-invalid";

/// A statement with members replaced; null removes.
pub(super) fn statement(members: &Value) -> Value {
    let plain = json!({
        "name": "one",
        "registryScopes": ["registry.example/app"],
        "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["*"],
    });
    changed(plain, members)
}

fn changed(mut document: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}

fn document(statements: &[Value]) -> Value {
    json!({ "version": "1.0", "trustPolicies": statements })
}

fn one(facts: &str, title: &str, members: &Value, expect: Expect) -> Entry {
    let document = document(&[statement(members)]);
    entry(facts, title, "policy", json!({ "document": { "json": document } }), expect)
}

fn text(facts: &str, title: &str, text: String, expect: Expect) -> Entry {
    entry(facts, title, "policy", json!({ "document": { "text": text } }), expect)
}

fn level(value: Value) -> Value {
    json!({ "signatureVerification": value })
}

fn scopes(scopes: &[&str]) -> Value {
    json!({ "registryScopes": scopes })
}

pub(super) fn make(book: &mut Book) {
    documents(book);
    statements(book);
    levels(book);
    overrides(book);
    scope_rules(book);
    selection(book);
    blob(book);
}

fn documents(book: &mut Book) {
    let good = document(&[statement(&json!({}))]);
    let with = |members: Value| changed(good.clone(), &members).to_string();
    let whole = good.to_string();
    for (facts, title, document, expect) in [
        ("7.01 7.05 7.06 7.07", "the smallest policy", whole.clone(), accepted()),
        ("7.05", "no version", with(json!({ "version": null })), refused(INVALID)),
        ("7.05", "an empty version", with(json!({ "version": "" })), refused(INVALID)),
        ("7.05", "another version", with(json!({ "version": "1.1" })), refused(INVALID)),
        ("7.05", "a version that is a number", with(json!({ "version": 1.0 })), refused(INVALID)),
        ("7.06", "no statements", with(json!({ "trustPolicies": [] })), refused(INVALID)),
        ("7.06", "statements are absent", with(json!({ "trustPolicies": null })), refused(INVALID)),
        ("7.06", "statements in an object", with(json!({ "trustPolicies": {} })), refused(INVALID)),
        ("7.04 14.25", "an unknown member of the document", with(json!({ "comment": "x" })), refused(INVALID)),
        ("7.04 14.25", "a member in another case", whole.replace("trustPolicies", "TrustPolicies"), refused(INVALID)),
        (
            "7.04 14.11",
            "the specification's misspelt trustStore",
            whole.replace("trustStores", "trustStore"),
            refused(INVALID),
        ),
        ("7.04", "data behind the document", format!("{whole} {{}}"), refused(INVALID)),
        ("7.04", "a comment", format!("// mine\n{whole}"), refused(INVALID)),
        ("7.04", "a member twice", whole.replacen('{', "{\"version\":\"1.0\",", 1), refused(INVALID)),
        ("7.04", "an array in place of the document", "[]".into(), refused(INVALID)),
        ("7.04", "an empty file", String::new(), refused(INVALID)),
        ("7.04", "a byte order mark", format!("\u{feff}{whole}"), refused(INVALID)),
    ] {
        book.add("policy", text(facts, title, document, expect));
    }
    let named = |name: &str, scope: &str| statement(&json!({ "name": name, "registryScopes": [scope] }));
    for (facts, title, statements, expect) in [
        ("7.07", "two names", vec![named("a", "h/a"), named("b", "h/b")], accepted()),
        ("7.07", "two names that differ in case", vec![named("a", "h/a"), named("A", "h/b")], accepted()),
        ("7.07", "one name twice", vec![named("a", "h/a"), named("a", "h/b")], refused(INVALID)),
        ("7.07", "no name", vec![statement(&json!({ "name": null }))], refused(INVALID)),
        ("7.07", "an empty name", vec![named("", "h/a")], refused(INVALID)),
        (
            "7.12",
            "one bad statement spoils the others",
            vec![named("a", "h/a"), statement(&json!({ "name": "b", "registryScopes": ["h/b"], "trustStores": [] }))],
            refused(INVALID),
        ),
        ("7.19", "one scope in two statements", vec![named("a", "h/a"), named("b", "h/a")], refused(INVALID)),
        ("7.19", "two statements for everything", vec![named("a", "*"), named("b", "*")], refused(INVALID)),
    ] {
        let inputs = json!({ "document": { "json": document(&statements) } });
        book.add("policy", entry(facts, title, "policy", inputs, expect));
    }
}

fn statements(book: &mut Book) {
    for (facts, title, members, expect) in [
        ("7.10", "no trust stores", json!({ "trustStores": [] }), refused(INVALID)),
        ("7.10", "trust stores are absent", json!({ "trustStores": null }), refused(INVALID)),
        ("7.10", "no identities", json!({ "trustedIdentities": [] }), refused(INVALID)),
        ("7.10", "identities are absent", json!({ "trustedIdentities": null }), refused(INVALID)),
        (
            "7.10",
            "skip with a trust store",
            json!({ "signatureVerification": { "level": "skip" }, "trustedIdentities": null }),
            refused(INVALID),
        ),
        (
            "7.10",
            "skip with an identity",
            json!({ "signatureVerification": { "level": "skip" }, "trustStores": null }),
            refused(INVALID),
        ),
        (
            "7.10",
            "skip with neither",
            json!({ "signatureVerification": { "level": "skip" }, "trustStores": [], "trustedIdentities": null }),
            accepted().shows(json!({ "actions": { "one": "sssss" } })),
        ),
        (
            "7.11 6.11",
            "stores of the three types",
            json!({ "trustStores": ["ca:a", "signingAuthority:a", "tsa:a"] }),
            accepted().shows(json!({ "trustStores": { "one": ["ca:a", "signingAuthority:a", "tsa:a"] } })),
        ),
        ("7.11", "a timestamp store alone", json!({ "trustStores": ["tsa:a"] }), accepted()),
        ("7.11", "a store without type", json!({ "trustStores": ["acme"] }), refused(INVALID)),
        ("7.11 6.01", "a store whose type is in another case", json!({ "trustStores": ["CA:acme"] }), refused(INVALID)),
        ("7.11", "a store of an unknown type", json!({ "trustStores": ["pgp:acme"] }), refused(INVALID)),
        ("7.11", "every store", json!({ "trustStores": ["ca:*"] }), refused(INVALID)),
        ("7.11", "a store without name", json!({ "trustStores": ["ca:"] }), refused(INVALID)),
        ("7.11 6.03", "a store whose name holds a colon", json!({ "trustStores": ["ca:a:b"] }), refused(INVALID)),
        ("6.03", "a store whose name has all legal characters", json!({ "trustStores": ["ca:A.b_c-9"] }), accepted()),
        ("6.03 14.26", "a store named two dots", json!({ "trustStores": ["ca:.."] }), refused(INVALID)),
        ("6.03 14.26", "a store named a dot", json!({ "trustStores": ["ca:."] }), refused(INVALID)),
        ("6.03", "a store whose name is a path", json!({ "trustStores": ["ca:a/b"] }), refused(INVALID)),
        ("6.03", "a store whose name holds a blank", json!({ "trustStores": ["ca:a b"] }), refused(INVALID)),
        ("7.04 14.25", "an unknown member of a statement", json!({ "comment": "x" }), refused(INVALID)),
        ("7.24", "a blob's global policy in an OCI policy", json!({ "globalPolicy": true }), refused(INVALID)),
        (
            "7.12 7.29",
            "an identity that is malformed",
            json!({ "trustedIdentities": ["x509.subject: C=US"] }),
            refused(INVALID),
        ),
    ] {
        book.add("policy", one(facts, title, &members, expect));
    }
}

fn levels(book: &mut Book) {
    for (name, actions) in [("strict", "eeeee"), ("permissive", "eelll"), ("audit", "ellll")] {
        let expect = accepted().shows(json!({ "actions": { "one": actions } }));
        book.add(
            "policy",
            one("7.08 7.13 8.02", &format!("the level {name}"), &level(json!({ "level": name })), expect),
        );
    }
    for (facts, title, value, expect) in [
        ("7.08", "no level", json!({}), refused(INVALID)),
        ("7.08", "no verification", Value::Null, refused(INVALID)),
        ("7.08", "an unknown level", json!({ "level": "custom" }), refused(INVALID)),
        ("7.08", "a level in another case", json!({ "level": "Strict" }), refused(INVALID)),
        ("7.08", "a level with a blank", json!({ "level": "strict " }), refused(INVALID)),
        (
            "7.09",
            "timestamps by default",
            json!({ "level": "strict" }),
            accepted().shows(json!({ "verifyTimestamp": { "one": "always" } })),
        ),
        (
            "7.09",
            "timestamps always",
            json!({ "level": "strict", "verifyTimestamp": "always" }),
            accepted().shows(json!({ "verifyTimestamp": { "one": "always" } })),
        ),
        (
            "7.09",
            "timestamps after expiry",
            json!({ "level": "strict", "verifyTimestamp": "afterCertExpiry" }),
            accepted().shows(json!({ "verifyTimestamp": { "one": "afterCertExpiry" } })),
        ),
        ("7.09", "timestamps never", json!({ "level": "strict", "verifyTimestamp": "never" }), refused(INVALID)),
        ("7.09", "timestamps of an empty word", json!({ "level": "strict", "verifyTimestamp": "" }), refused(INVALID)),
        (
            "7.09",
            "timestamps in another case",
            json!({ "level": "strict", "verifyTimestamp": "Always" }),
            refused(INVALID),
        ),
        (
            "7.04 14.25",
            "verifytimestamp in lower case",
            json!({ "level": "strict", "verifytimestamp": "always" }),
            refused(INVALID),
        ),
    ] {
        book.add("policy", one(facts, title, &level(value), expect));
    }
}

fn overrides(book: &mut Book) {
    let shows = |actions: &str| accepted().shows(json!({ "actions": { "one": actions } }));
    for (facts, title, base, overrides, expect) in [
        ("7.14", "nothing", "strict", json!({}), shows("eeeee")),
        ("7.14", "nothing at skip", "skip", json!({}), refused(INVALID)),
        ("7.14 7.15", "the expiry is logged", "strict", json!({ "expiry": "log" }), shows("eeele")),
        (
            "7.14 7.15",
            "revocation is enforced at permissive",
            "permissive",
            json!({ "revocation": "enforce" }),
            shows("eelle"),
        ),
        (
            "7.14 7.15",
            "authenticity is enforced at audit",
            "audit",
            json!({ "authenticity": "enforce" }),
            shows("eelll"),
        ),
        (
            "7.15",
            "all that can be is logged",
            "strict",
            json!({ "authenticity": "log", "authenticTimestamp": "log", "expiry": "log", "revocation": "log" }),
            shows("ellll"),
        ),
        ("7.15", "revocation is skipped", "strict", json!({ "revocation": "skip" }), shows("eeees")),
        ("7.15", "integrity is logged", "strict", json!({ "integrity": "log" }), refused(INVALID)),
        ("7.15", "integrity is enforced", "audit", json!({ "integrity": "enforce" }), refused(INVALID)),
        ("7.15", "the expiry is skipped", "strict", json!({ "expiry": "skip" }), refused(INVALID)),
        ("7.15", "authenticity is skipped", "strict", json!({ "authenticity": "skip" }), refused(INVALID)),
        ("7.15", "the timestamp is skipped", "strict", json!({ "authenticTimestamp": "skip" }), refused(INVALID)),
        ("7.15", "an unknown action", "strict", json!({ "expiry": "off" }), refused(INVALID)),
        ("7.15", "an unknown check", "strict", json!({ "everything": "log" }), refused(INVALID)),
        ("7.15", "a check in another case", "strict", json!({ "Expiry": "log" }), refused(INVALID)),
        ("7.15", "an action in another case", "strict", json!({ "expiry": "Log" }), refused(INVALID)),
    ] {
        let members = level(json!({ "level": base, "override": overrides }));
        book.add("policy", one(facts, &format!("override: {title}"), &members, expect));
    }
    let skip = json!({ "signatureVerification": { "level": "skip", "override": { "expiry": "log" } }, "trustStores": null, "trustedIdentities": null });
    book.add("policy", one("7.14", "override: of the level skip", &skip, refused(INVALID)));
}

fn scope_rules(book: &mut Book) {
    let good: &[(&str, &str, &[&str])] = &[
        ("7.17", "everything", &["*"]),
        ("7.17 7.18", "several repositories", &["registry.example/app", "registry.example/team/app"]),
        ("7.18", "a port", &["localhost:5000/app"]),
        ("7.18", "an address", &["10.0.0.1/app"]),
        ("7.18 7.23", "a layout's name", &["local/vectors"]),
        ("7.18", "separators in the path", &["h/a.b/c_d/e__f/g-h/i---j"]),
        ("7.18", "a host in upper case", &["Registry.Example/app"]),
    ];
    for (facts, title, texts) in good {
        book.add("policy", one(facts, &format!("scope: {title}"), &scopes(texts), accepted()));
    }
    let bad: &[(&str, &str, &[&str])] = &[
        ("7.17", "none", &[]),
        ("7.17", "everything and something", &["*", "h/app"]),
        ("7.17", "a wildcard in the host", &["*.example/app"]),
        ("7.17", "a wildcard in the middle", &["h/*/app"]),
        ("7.17", "a wildcard behind letters", &["h/ap*"]),
        ("7.18", "a registry", &["registry.example"]),
        ("7.18", "a scheme", &["https://registry.example/app"]),
        ("7.18", "a tag", &["registry.example/app:v1"]),
        (
            "7.18",
            "a digest",
            &["registry.example/app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
        ),
        ("7.18", "a path in upper case", &["registry.example/App"]),
        ("7.18", "a host that begins with a dash", &["-h.example/app"]),
        ("7.18", "a host that ends with a dash", &["h-.example/app"]),
        ("7.18", "an underscore in the host", &["a_b/app"]),
        ("7.18", "two slashes", &["h//app"]),
        ("7.18", "a slash at the end", &["h/app/"]),
        ("7.18", "three underscores", &["h/a___b"]),
        ("7.18", "a port that is no number", &["h:port/app"]),
        ("7.18", "an empty port", &["h:/app"]),
        ("7.18", "two dots in the host", &["a..b/app"]),
        ("7.18", "a dot in front of the host", &[".a/app"]),
        ("7.18", "an address of version 6", &["[::1]:5000/app"]),
        ("7.18", "a dash in front of a part of the path", &["h/-a"]),
        ("7.18", "a dash behind a part of the path", &["h/a-"]),
        ("7.18", "two dots in the path", &["h/a..b"]),
        ("7.18", "no host", &["/app"]),
        ("7.18", "an empty text", &[""]),
        ("7.18", "a blank", &["h/app "]),
        ("7.19", "one twice", &["h/app", "h/app"]),
    ];
    for (facts, title, texts) in bad {
        book.add("policy", one(facts, &format!("scope: {title}"), &scopes(texts), refused(INVALID)));
    }
    let strict = Options { strict_notation_policy: true, ..Options::default() };
    let wild = |title: &str, text: &str, expect| one("7.17 7.21", &format!("scope: {title}"), &scopes(&[text]), expect);
    book.add("policy", wild("a whole registry, as an extension", "registry.example/*", accepted()));
    book.add(
        "policy",
        wild("a whole registry, as Notation reads it", "registry.example/*", refused(INVALID)).options(strict.clone()),
    );
    book.add(
        "policy",
        wild("a path, as Notation reads it", "registry.example/team/*", refused(INVALID)).options(strict.clone()),
    );
    book.add("policy", wild("everything, as Notation reads it", "*", accepted()).options(strict));
    let skip = |scope: &str| json!({ "registryScopes": [scope], "signatureVerification": { "level": "skip" }, "trustStores": null, "trustedIdentities": null });
    book.add("policy", one("7.20 14.05", "scope: skip for everything", &skip("*"), refused(INVALID)));
    book.add("policy", one("7.20", "scope: skip for one repository", &skip("h/app"), accepted()));
}

fn selection(book: &mut Book) {
    let named = |name: &str, scopes: &[&str]| statement(&json!({ "name": name, "registryScopes": scopes }));
    let policy = document(&[
        named("all", &["*"]),
        named("one", &["registry.example/app", "registry.example/team/app"]),
        named("other", &["registry.example/other"]),
    ]);
    for (facts, title, repository, found) in [
        ("7.21", "the repository that is named", "registry.example/app", "one"),
        ("7.21", "the second repository that is named", "registry.example/team/app", "one"),
        ("7.21", "a repository below one that is named", "registry.example/app/part", "all"),
        ("7.21", "a repository above one that is named", "registry.example/team", "all"),
        ("7.21", "a repository that begins like one that is named", "registry.example/apple", "all"),
        ("7.21", "a repository of another registry", "other.example/app", "all"),
        ("7.21 7.23", "a repository in a registry whose case differs", "Registry.example/app", "all"),
    ] {
        let inputs = json!({ "document": { "json": policy }, "select": [repository] });
        let expect = accepted().shows(json!({ "selected": [found] }));
        book.add("policy", entry(facts, &format!("selects {title}"), "policy", inputs, expect));
    }
    let without = document(&[named("one", &["registry.example/app"])]);
    let inputs = json!({ "document": { "json": without }, "select": ["registry.example/other"] });
    let expect = accepted().shows(json!({ "selected": [null] }));
    book.add("policy", entry("7.21", "selects nothing where nothing fits", "policy", inputs, expect));
    let wild = document(&[
        named("all", &["*"]),
        named("registry", &["h.example/*"]),
        named("team", &["h.example/team/*"]),
        named("app", &["h.example/team/app"]),
    ]);
    let asked = [
        "h.example/team/app",
        "h.example/team/other",
        "h.example/team",
        "h.example/teammate/app",
        "g.example/team/app",
    ];
    let inputs = json!({ "document": { "json": wild }, "select": asked });
    let expect = accepted().shows(json!({ "selected": ["app", "team", "registry", "registry", "all"] }));
    book.add("policy", entry("7.21", "selects by the longest match, as an extension", "policy", inputs, expect));
}

fn blob(book: &mut Book) {
    let named = |members: Value| changed(statement(&json!({ "registryScopes": null })), &members);
    let add = |book: &mut Book, facts: &str, title: &str, statements: &[Value], select: Value, expect: Expect| {
        let inputs = json!({ "document": { "json": document(statements) }, "select": select });
        book.add("blob", entry(facts, title, "blob-policy", inputs, expect));
    };
    let global = || named(json!({ "name": "g", "globalPolicy": true }));
    let two = [named(json!({ "name": "a" })), global()];
    let skip = json!({ "level": "skip" });
    for (facts, title, statements, expect) in [
        ("7.02 7.24", "a statement", vec![named(json!({}))], accepted()),
        ("7.24", "a global statement", vec![global()], accepted()),
        ("7.24", "a statement that says not to be global", vec![named(json!({ "globalPolicy": false }))], accepted()),
        (
            "7.24",
            "two global statements",
            vec![global(), named(json!({ "name": "h", "globalPolicy": true }))],
            refused(INVALID),
        ),
        ("7.24", "registry scopes in a blob policy", vec![statement(&json!({}))], refused(INVALID)),
        ("7.24", "a global that is a text", vec![named(json!({ "globalPolicy": "true" }))], refused(INVALID)),
        (
            "7.25 14.05",
            "a global statement that skips",
            vec![named(
                json!({ "globalPolicy": true, "signatureVerification": skip, "trustStores": null, "trustedIdentities": null }),
            )],
            refused(INVALID),
        ),
        (
            "7.25",
            "a named statement that skips",
            vec![named(json!({ "signatureVerification": skip, "trustStores": null, "trustedIdentities": null }))],
            accepted(),
        ),
        (
            "7.24 7.10",
            "a blob statement without trust stores",
            vec![named(json!({ "trustStores": [] }))],
            refused(INVALID),
        ),
        (
            "7.24 7.07",
            "one name in two blob statements",
            vec![named(json!({ "name": "a" })), named(json!({ "name": "a" }))],
            refused(INVALID),
        ),
        (
            "7.24 7.15",
            "an override in a blob statement",
            vec![named(json!({ "signatureVerification": { "level": "strict", "override": { "integrity": "log" } } }))],
            refused(INVALID),
        ),
        ("7.24 7.06", "no blob statements", vec![], refused(INVALID)),
    ] {
        add(book, facts, title, &statements, json!([]), expect);
    }
    for (facts, title, statements, select, expect) in [
        ("7.26", "selects by name", &two[..], json!(["a"]), accepted().shows(json!({ "selected": ["a"] }))),
        (
            "7.26",
            "selects the global statement by name too",
            &two[..],
            json!(["g"]),
            accepted().shows(json!({ "selected": ["g"] })),
        ),
        (
            "7.26",
            "selects the global statement where no name is given",
            &two[..],
            json!([null]),
            accepted().shows(json!({ "selected": ["g"] })),
        ),
        ("7.26", "a name that is not there never falls back", &two[..], json!(["b"]), refused("policy-not-applicable")),
        ("7.26", "a name in another case", &two[..], json!(["A"]), refused("policy-not-applicable")),
        ("7.26", "a blank name", &two[..], json!([" "]), refused("policy-not-applicable")),
        ("7.26", "an empty name", &two[..], json!([""]), refused("policy-not-applicable")),
        ("7.26", "no name, and no global statement", &two[..1], json!([null]), refused("policy-not-applicable")),
    ] {
        add(book, facts, title, statements, select, expect);
    }
    let inputs = json!({ "document": { "json": { "version": "2.0", "trustPolicies": [named(json!({}))] } } });
    book.add("blob", entry("7.05", "another version of a blob policy", "blob-policy", inputs, refused(INVALID)));
}
