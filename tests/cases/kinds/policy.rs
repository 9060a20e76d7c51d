//! `policy` and `blob-policy`: reads a trust policy, and says which statement applies to what.

use std::collections::BTreeMap;

use bulla::oci::Repository;
use bulla::trust::{BlobPolicyDocument, CheckKind, Dialect, PolicyDocument, PolicyStatement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ran;
use super::material::Document;
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    document: Document,
    /// What a statement is looked for: repositories, or names of statements (null: none is named).
    #[serde(default)]
    select: Vec<Option<String>>,
}

pub(super) fn oci(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let dialect = if case.file.options.strict_notation_policy { Dialect::Notation } else { Dialect::Bulla };
    let policy = match PolicyDocument::parse_as(&inputs.document.bytes(), dialect) {
        Ok(policy) => policy,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let mut selected = Vec::new();
    for text in inputs.select.iter().flatten() {
        let repository: Repository = text.parse().map_err(|error| format!("{text}: {error}"))?;
        selected.push(json!(policy.select(&repository).map(PolicyStatement::name)));
    }
    Ok(shown(policy.statements().map(|(_, statement)| statement), selected).into())
}

pub(super) fn blob(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let policy = match BlobPolicyDocument::parse(&inputs.document.bytes()) {
        Ok(policy) => policy,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let mut selected = Vec::new();
    for name in &inputs.select {
        match policy.select(name.as_deref()) {
            Ok(statement) => selected.push(json!(statement.name())),
            Err(error) => return Ok(Outcome::refused(&error).into()),
        }
    }
    Ok(shown(policy.statements(), selected).into())
}

fn shown<'a>(statements: impl IntoIterator<Item = &'a PolicyStatement>, selected: Vec<Value>) -> Outcome {
    let statements: Vec<_> = statements.into_iter().collect();
    let by_name = |value: fn(&PolicyStatement) -> Value| -> Value {
        let found: BTreeMap<&str, Value> =
            statements.iter().map(|statement| (statement.name(), value(statement))).collect();
        json!(found)
    };
    Outcome::accepted([
        ("selected", Value::from(selected)),
        ("actions", by_name(|statement| json!(actions(statement)))),
        ("verifyTimestamp", by_name(|statement| json!(statement.timestamp_trigger().name()))),
        ("trustStores", by_name(|statement| statement.stores().iter().map(|store| json!(store.to_string())).collect())),
    ])
}

/// A letter for each check, in the order of the specification's table: enforce, log, skip.
fn actions(statement: &PolicyStatement) -> String {
    let letter = |check| statement.level().action(check).name().chars().next();
    CheckKind::ALL.into_iter().filter_map(letter).collect()
}
