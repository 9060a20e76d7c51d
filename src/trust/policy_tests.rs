use serde_json::{Value, json};

use super::*;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::trust::{Action, CheckKind, TimestampTrigger};

fn statement() -> Value {
    json!({
        "name": "one",
        "registryScopes": ["registry.example.com/app"],
        "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["*"],
    })
}

fn document(statements: &[Value]) -> Value {
    json!({ "version": "1.0", "trustPolicies": statements })
}

fn parse(document: &Value) -> Result<PolicyDocument, PolicyError> {
    PolicyDocument::parse(serde_json::to_string(document).unwrap().as_bytes())
}

/// One statement with members replaced; null removes.
fn with(changes: Value) -> Value {
    let mut statement = statement();
    for (member, value) in changes.as_object().unwrap() {
        statement.as_object_mut().unwrap().insert(member.clone(), value.clone());
    }
    statement
}

#[test]
fn the_example_is_valid() {
    let document = PolicyDocument::parse(PolicyDocument::EXAMPLE.as_bytes()).unwrap();
    let (scopes, statement) = document.statements().next().unwrap();
    assert_eq!(statement.name(), "acme");
    assert_eq!(statement.timestamp_trigger(), TimestampTrigger::Always, "7.09");
    assert!(matches!(scopes, [Scope::Repository(_)]));
    assert_eq!(document.stores(), ["ca:acme".parse().unwrap()]);
}

#[test]
fn what_is_allowed() {
    for (fact, changes) in [
        ("7.08", json!({ "signatureVerification": { "level": "audit", "override": {} } })),
        ("7.09", json!({ "signatureVerification": { "level": "strict", "verifyTimestamp": "afterCertExpiry" } })),
        ("7.10", json!({ "signatureVerification": { "level": "skip" }, "trustStores": [], "trustedIdentities": null })),
        ("7.11 only tsa", json!({ "trustStores": ["tsa:x"] })),
        ("7.17 all", json!({ "registryScopes": ["*"] })),
        ("7.18", json!({ "registryScopes": ["local/vectors", "localhost:5000/a/b__c-d", "10.0.0.1/x"] })),
        ("7.28", json!({ "trustedIdentities": ["kms:alias/x"] })),
    ] {
        assert!(parse(&document(&[with(changes)])).is_ok(), "{fact}");
    }
}

#[test]
fn overrides_reach_the_level() {
    // Conformance 7.14.
    let changes = json!({ "signatureVerification": { "level": "strict", "override": { "revocation": "skip", "expiry": "log" } } });
    let document = parse(&document(&[with(changes)])).unwrap();
    let level = document.statements().next().unwrap().1.level();
    assert_eq!((level.action(CheckKind::Revocation), level.action(CheckKind::Expiry)), (Action::Skip, Action::Log));
}

#[test]
fn every_rule_about_a_statement_names_it_and_says_what_is_wrong() {
    let level = |level: Value| json!({ "signatureVerification": level });
    for (fact, changes, part) in [
        ("7.08 absent", level(json!(null)), "level"),
        ("7.08 absent", level(json!({})), "level"),
        ("7.08 case", level(json!({ "level": "Strict" })), "\"Strict\""),
        ("7.09", level(json!({ "level": "strict", "verifyTimestamp": "never" })), "\"never\""),
        ("7.09 empty", level(json!({ "level": "strict", "verifyTimestamp": "" })), "verifyTimestamp"),
        ("7.10", json!({ "trustStores": [] }), "trustStores"),
        ("7.10", json!({ "trustStores": null }), "trustStores"),
        ("7.10", json!({ "trustedIdentities": [] }), "trustedIdentities"),
        ("7.10 skip", level(json!({ "level": "skip" })), "skip"),
        ("7.11", json!({ "trustStores": ["acme"] }), "\"acme\""),
        ("7.11", json!({ "trustStores": ["pgp:acme"] }), "\"pgp\""),
        ("7.11", json!({ "trustStores": ["ca:*"] }), "\"*\""),
        ("6.03", json!({ "trustStores": ["ca:.."] }), "\"..\""),
        ("7.14", level(json!({ "level": "skip", "override": { "expiry": "log" } })), "override"),
        ("7.15", level(json!({ "level": "strict", "override": { "integrity": "log" } })), "\"integrity\""),
        ("7.15", level(json!({ "level": "strict", "override": { "expiry": "skip" } })), "\"skip\""),
        ("7.15", level(json!({ "level": "strict", "override": { "expiry": "off" } })), "\"off\""),
        ("7.17", json!({ "registryScopes": [] }), "registryScopes"),
        ("7.17", json!({ "registryScopes": null }), "registryScopes"),
        ("7.17 mixed", json!({ "registryScopes": ["*", "a/b"] }), "\"*\""),
        ("7.17 embedded", json!({ "registryScopes": ["registry.example.com/te*"] }), "wildcard"),
        ("7.17 embedded", json!({ "registryScopes": ["registry.example.com/*/app"] }), "wildcard"),
        ("7.17 embedded", json!({ "registryScopes": ["*.example.com/app"] }), "wildcard"),
        ("7.17 embedded", json!({ "registryScopes": ["*/*"] }), "wildcard"),
        ("7.17 embedded", json!({ "registryScopes": ["registry.example.com/**"] }), "wildcard"),
        ("7.17 embedded", json!({ "registryScopes": ["registry.example.com*"] }), "wildcard"),
        ("7.18 below nothing", json!({ "registryScopes": ["/*"] }), "\"/*\""),
        ("7.18 below a scheme", json!({ "registryScopes": ["https://h.io/*"] }), "\"https://h.io/*\""),
        ("7.18 below a bad host", json!({ "registryScopes": ["a_b/*"] }), "\"a_b/*\""),
        ("7.18 below a bad path", json!({ "registryScopes": ["h.io/Team/*"] }), "\"h.io/Team/*\""),
        ("7.18 below an empty path", json!({ "registryScopes": ["h.io//*"] }), "\"h.io//*\""),
        ("7.17 mixed", json!({ "registryScopes": ["*", "h.io/*"] }), "\"*\""),
        ("7.19 within", json!({ "registryScopes": ["h.io/*", "h.io/*"] }), "h.io/*"),
        ("7.18 no repository", json!({ "registryScopes": ["registry.example.com"] }), "host/repository"),
        ("7.18 scheme", json!({ "registryScopes": ["https://a/b"] }), "https"),
        ("7.18 tag", json!({ "registryScopes": ["a/b:v1"] }), "a/b:v1"),
        ("7.18 digest", json!({ "registryScopes": ["a/b@sha256:00"] }), "a/b@"),
        ("7.18 case", json!({ "registryScopes": ["a/B"] }), "a/B"),
        ("7.18 host", json!({ "registryScopes": ["a_b/c"] }), "a_b/c"),
        ("7.18 empty", json!({ "registryScopes": [""] }), "scope"),
        ("7.19 within", json!({ "registryScopes": ["a/b", "a/b"] }), "a/b"),
        ("7.27", json!({ "trustedIdentities": ["*", "x509.subject:C=US,ST=WA,O=a"] }), "every other one"),
        ("7.28", json!({ "trustedIdentities": [""] }), "prefix"),
        ("7.29", json!({ "trustedIdentities": ["x509.subject:C=US,ST=WA"] }), "lacks O"),
        (
            "7.33",
            json!({ "trustedIdentities": ["x509.subject:C=US,ST=WA,O=a", "x509.subject:C=US,ST=WA,O=a,CN=b"] }),
            "overlap",
        ),
    ] {
        let error = parse(&document(&[with(changes)])).expect_err(fact);
        let text = error.to_string();
        assert!(matches!(error, PolicyError::Statement { .. }) && text.contains("\"one\""), "{fact}: {text}");
        assert!(text.contains(part), "{fact}: {part} in {text}");
        assert_eq!(error.code(), DiagnosticCode::PolicyInvalid);
    }
}

#[test]
fn rules_about_the_document() {
    let one = statement();
    let two = |scope: &str, name: &str| with(json!({ "registryScopes": [scope], "name": name }));
    let skip_all = with(json!({
        "registryScopes": ["*"], "signatureVerification": { "level": "skip" },
        "trustStores": null, "trustedIdentities": null,
    }));
    for (fact, text, part) in [
        ("7.05 absent", json!({ "trustPolicies": [one] }), "missing"),
        ("7.05 other", json!({ "version": "1.1", "trustPolicies": [one] }), "\"1.1\""),
        ("7.05 number", json!({ "version": 1.0, "trustPolicies": [one] }), "string"),
        ("7.06", json!({ "version": "1.0" }), "no statement"),
        ("7.06", document(&[]), "no statement"),
        ("7.07", document(&[with(json!({ "name": null }))]), "statement 1"),
        ("7.07", document(&[one.clone(), two("a/b", "")]), "statement 2"),
        ("7.07", document(&[one.clone(), two("a/b", "one")]), "two statements named \"one\""),
        ("7.19", document(&[one.clone(), two("registry.example.com/app", "two")]), "registry.example.com/app"),
        ("7.19", document(&[two("*", "one"), two("*", "two")]), "\"*\""),
        ("7.19", document(&[two("h.io/a/*", "one"), two("h.io/a/*", "two")]), "h.io/a/*"),
        ("7.20", document(&[skip_all]), "skip"),
        ("14.25", document(&[with(json!({ "verifyTimestamp": "always" }))]), "verifyTimestamp"),
        (
            "14.25",
            document(&[with(json!({ "signatureVerification": { "level": "strict", "verifytimestamp": "always" } }))]),
            "verifytimestamp",
        ),
        ("14.25", json!({ "version": "1.0", "trustPolicies": [one], "globalPolicy": true }), "globalPolicy"),
        ("array", json!(["1.0", [one]]), "object"),
        ("array", document(&[json!(["one", ["*"]])]), "object"),
    ] {
        let error = parse(&text).expect_err(fact);
        assert!(error.to_string().contains(part), "{fact}: {part} in {error}");
    }
    let text = serde_json::to_string(&document(&[one])).unwrap();
    for (fact, text) in [
        ("twice", text.replace("\"version\"", "\"version\":\"1.0\",\"version\"")),
        ("7.04 data behind", format!("{text} {{}}")),
        ("7.04 comment", format!("// x\n{text}")),
        ("empty", String::new()),
    ] {
        assert!(PolicyDocument::parse(text.as_bytes()).is_err(), "{fact}");
    }
}

#[test]
fn an_exact_scope_wins_over_the_statement_for_all() {
    // Conformance 7.21.
    let all = with(json!({ "name": "all", "registryScopes": ["*"] }));
    let select = |document: &PolicyDocument, text: &str| {
        document.select(&text.parse().unwrap()).map(|statement| statement.name().to_owned())
    };
    let both = parse(&document(&[all, statement()])).unwrap();
    assert_eq!(select(&both, "registry.example.com/app").as_deref(), Some("one"));
    for other in [
        "registry.example.com/app/x",
        "registry.example.com/ap",
        "registry.example.com:443/app",
        "REGISTRY.example.com/app",
    ] {
        assert_eq!(select(&both, other).as_deref(), Some("all"), "{other}");
    }
    let only = parse(&document(&[statement()])).unwrap();
    assert_eq!(select(&only, "registry.example.com/other"), None);
}

#[test]
fn the_longest_scope_wins() {
    // bulla's extension of conformance 7.21: exact before wildcard, the longer wildcard before the shorter, "*" last,
    // in whatever order the document lists them.
    let mut statements: Vec<Value> = [
        ("all", "*"),
        ("registry", "registry.example.com/*"),
        ("team", "registry.example.com/team/*"),
        ("deep", "registry.example.com/team/a/b/*"),
        ("exact", "registry.example.com/team/app"),
        ("port", "registry.example.com:5000/*"),
    ]
    .into_iter()
    .map(|(name, scope)| with(json!({ "name": name, "registryScopes": [scope] })))
    .collect();
    for _ in 0..2 {
        let policy = parse(&document(&statements)).unwrap();
        for (repository, wanted) in [
            ("registry.example.com/team/app", "exact"),
            ("registry.example.com/team/app/x", "team"),
            ("registry.example.com/team/a/b", "team"),
            ("registry.example.com/team/a/b/c", "deep"),
            ("registry.example.com/team", "registry"),
            ("registry.example.com/teammate/app", "registry"),
            ("registry.example.com/app", "registry"),
            ("registry.example.com:5000/team/app", "port"),
            ("registry.example.com.evil.example/team/app", "all"),
            ("Registry.example.com/team/app", "all"),
            ("example.com/team/app", "all"),
        ] {
            let found = policy.select(&repository.parse().unwrap()).unwrap();
            assert_eq!(found.name(), wanted, "{repository}");
        }
        statements.reverse();
    }
    let alone = parse(&document(&[with(json!({ "registryScopes": ["registry.example.com/team/*"] }))])).unwrap();
    assert_eq!(alone.select(&"registry.example.com/team".parse().unwrap()), None);
}

#[test]
fn several_scopes_of_one_statement_each_count() {
    let wide = with(json!({ "name": "wide", "registryScopes": ["h.io/*", "h.io/a/b/c"] }));
    let narrow = with(json!({ "name": "narrow", "registryScopes": ["h.io/a/*"] }));
    let policy = parse(&document(&[wide, narrow])).unwrap();
    for (repository, wanted) in [("h.io/x", "wide"), ("h.io/a/b", "narrow"), ("h.io/a/b/c", "wide")] {
        assert_eq!(policy.select(&repository.parse().unwrap()).unwrap().name(), wanted, "{repository}");
    }
    assert_eq!(
        policy.statements().next().unwrap().0.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["h.io/*", "h.io/a/b/c"]
    );
}

#[test]
fn notation_knows_no_wildcard_but_the_one_alone() {
    // Conformance 7.17, 7.21.
    let strictly = |scope: &str| {
        let text = serde_json::to_vec(&document(&[with(json!({ "registryScopes": [scope] }))])).unwrap();
        PolicyDocument::parse_as(&text, Dialect::Notation)
    };
    for scope in ["h.io/*", "h.io/team/*", "h.io/te*", "*.h.io/x"] {
        let error = strictly(scope).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(scope) && text.contains("Notation"), "{text}");
        assert!(error.hint().unwrap().contains("strict Notation mode"));
    }
    for scope in ["*", "h.io/app"] {
        assert!(strictly(scope).is_ok(), "{scope}");
    }
}

#[test]
fn a_whole_registry_may_be_skipped_where_everything_may_not() {
    // Conformance 7.20 forbids it for "*" only: whoever writes the registry's name knows what is left out.
    let skip = |scope: &str| {
        parse(&document(&[with(json!({
            "registryScopes": [scope], "signatureVerification": { "level": "skip" },
            "trustStores": null, "trustedIdentities": null,
        }))]))
    };
    assert!(skip("dev.example.com/*").is_ok());
    assert!(skip("*").is_err());
}
