use serde_json::{Value, json};

use super::*;

fn statement(changes: &Value) -> Value {
    let mut statement = json!({
        "name": "one",
        "signatureVerification": { "level": "strict" },
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["*"],
    });
    for (member, value) in changes.as_object().unwrap() {
        statement.as_object_mut().unwrap().insert(member.clone(), value.clone());
    }
    statement
}

fn parse(statements: &[Value]) -> Result<BlobPolicyDocument, PolicyError> {
    let document = json!({ "version": "1.0", "trustPolicies": statements });
    BlobPolicyDocument::parse(serde_json::to_string(&document).unwrap().as_bytes())
}

#[test]
fn the_example_is_valid() {
    let document = BlobPolicyDocument::parse(BlobPolicyDocument::EXAMPLE.as_bytes()).unwrap();
    assert_eq!(document.global().unwrap().name(), "acme");
    assert_eq!(document.stores(), ["ca:acme".parse().unwrap()]);
    assert_eq!(document.statements().len(), 1);
}

#[test]
fn a_statement_is_chosen_by_name_or_is_the_global_one() {
    // Conformance 7.24, 7.26.
    let both = parse(&[
        statement(&json!({})),
        statement(&json!({ "name": "global", "globalPolicy": true })),
        statement(&json!({ "name": " ", "globalPolicy": false })),
    ])
    .unwrap();
    let select = |name: Option<&str>| both.select(name).map(|statement| statement.name().to_owned());
    assert_eq!(select(None).as_deref(), Ok("global"));
    assert_eq!(select(Some("one")).as_deref(), Ok("one"));
    assert_eq!(select(Some("global")).as_deref(), Ok("global"));
    for name in ["two", "One", "one ", "", " "] {
        let error = select(Some(name)).unwrap_err();
        assert!(
            matches!(error, BlobSelectionError::NoSuchName { .. }),
            "{name:?} must not fall back to the global one"
        );
        assert_eq!(error.code(), DiagnosticCode::PolicyNotApplicable);
        assert!(error.to_string().contains("\"one\", \"global\""), "{error}");
    }
    let none = parse(&[statement(&json!({ "globalPolicy": false }))]).unwrap();
    assert_eq!(none.global(), None);
    assert!(matches!(none.select(None), Err(BlobSelectionError::NoGlobal { .. })));
}

#[test]
fn every_rule_is_kept() {
    let skip = json!({ "level": "skip" });
    let no_trust = |global: Value| {
        statement(&json!({
            "globalPolicy": global, "signatureVerification": skip, "trustStores": null, "trustedIdentities": null,
        }))
    };
    let global = |name: &str| statement(&json!({ "name": name, "globalPolicy": true }));
    for (fact, statements, part) in [
        ("7.25, 14.05", vec![no_trust(json!(true))], "globalPolicy"),
        ("7.24 two global", vec![global("one"), global("two")], "\"one\""),
        ("7.24 no scopes", vec![statement(&json!({ "registryScopes": ["*"] }))], "registryScopes"),
        ("7.24 boolean", vec![statement(&json!({ "globalPolicy": "true" }))], "boolean"),
        ("7.06", vec![], "no statement"),
        ("7.07", vec![statement(&json!({ "name": "" }))], "statement 1"),
        ("7.07", vec![statement(&json!({})), statement(&json!({}))], "two statements named \"one\""),
        ("7.08", vec![statement(&json!({ "signatureVerification": null }))], "level is missing"),
        ("7.10", vec![statement(&json!({ "trustStores": [] }))], "trustStores"),
        ("7.10", vec![statement(&json!({ "trustedIdentities": null }))], "trustedIdentities"),
        ("7.10 skip", vec![statement(&json!({ "signatureVerification": skip }))], "skip"),
        ("7.11", vec![statement(&json!({ "trustStores": ["acme"] }))], "\"acme\""),
        ("7.29", vec![statement(&json!({ "trustedIdentities": ["x509.subject: C=US, ST=WA"] }))], "lacks O"),
    ] {
        let error = parse(&statements).expect_err(fact);
        assert!(error.to_string().contains(part), "{fact}: {part} in {error}");
        assert_eq!(error.code(), DiagnosticCode::PolicyInvalid);
    }
    assert!(parse(&[no_trust(json!(false))]).is_ok(), "skip, but not for all");
    for version in [json!(null), json!("1.1"), json!("")] {
        let document = json!({ "version": version, "trustPolicies": [statement(&json!({}))] });
        let error = BlobPolicyDocument::parse(document.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, PolicyError::Version { kind: PolicyKind::Blob, .. }), "7.05: {error}");
        assert!(error.hint().unwrap().contains(BlobPolicyDocument::EXAMPLE));
    }
}
