//! Trust policy documents for OCI artifacts (trust-policy specification, "Trust Policy").
//!
//! Stricter than the reference where it is lenient: a member that is not known is refused, because a policy in which
//! `verifytimestamp` silently counts for nothing protects less than its author thinks. Wider in one point: scopes
//! that end in `/*`, see [`Dialect`].

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::statement::{SignatureVerification, read_core, read_statements};
use super::{Dialect, PolicyError, PolicyKind, PolicyStatement, Scope, StatementProblem, TrustStoreName};
use crate::digest::shorten;
use crate::json::Object;
use crate::oci::Repository;

/// A valid policy document: which statement applies to which repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    statements: Vec<(Vec<Scope>, PolicyStatement)>,
}

impl PolicyDocument {
    /// A small valid document, for messages that say how to write one.
    pub const EXAMPLE: &str = r#"{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "acme",
      "registryScopes": ["registry.example.com/team/app"],
      "signatureVerification": { "level": "strict" },
      "trustStores": ["ca:acme"],
      "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]
    }
  ]
}"#;

    /// A policy that covers nothing: for who judges files alone.
    pub const fn nothing() -> Self {
        Self { statements: Vec::new() }
    }

    /// Reads and checks a document in bulla's own dialect; one bad statement makes it unusable (conformance 7.12).
    ///
    /// # Errors
    /// The first rule that is broken, and the statement that breaks it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        Self::parse_as(bytes, Dialect::Bulla)
    }

    /// Reads and checks a document as `dialect` says.
    ///
    /// # Errors
    /// As [`PolicyDocument::parse`].
    pub fn parse_as(bytes: &[u8], dialect: Dialect) -> Result<Self, PolicyError> {
        let found: Vec<Statement> = read_statements(bytes, PolicyKind::Oci)?;
        let mut statements = Vec::new();
        for (position, statement) in (1..).zip(found) {
            let name = PolicyError::require_name(statement.name.clone(), position)?;
            let checked = statement.check(name.clone(), dialect);
            statements.push(checked.map_err(|problem| problem.in_statement(&name))?);
        }
        PolicyError::check_names(statements.iter().map(|(_, statement)| statement))?;
        check_scopes(&statements)?;
        Ok(Self { statements })
    }

    /// The statement for a repository: the one that names it (conformance 7.21), else the one with the longest
    /// `host/path/*` above it, else the one for all. `None` means that nothing from there is trusted.
    pub fn select(&self, repository: &Repository) -> Option<&PolicyStatement> {
        self.select_by(repository).map(|(_, statement)| statement)
    }

    /// As [`PolicyDocument::select`], with the scope by which the statement covers the repository.
    pub fn select_by(&self, repository: &Repository) -> Option<(&Scope, &PolicyStatement)> {
        let scopes =
            self.statements().flat_map(|(scopes, statement)| scopes.iter().map(move |scope| (scope, statement)));
        let covering = scopes.filter_map(|found| Some((found.0.closeness(repository)?, found)));
        // No two are equally close: that would be the same scope twice.
        covering.max_by_key(|(closeness, _)| *closeness).map(|(_, found)| found)
    }

    /// Every statement with its scopes, in the order of the document.
    pub fn statements(&self) -> impl Iterator<Item = (&[Scope], &PolicyStatement)> {
        self.statements.iter().map(|(scopes, statement)| (scopes.as_slice(), statement))
    }

    /// Every trust store that any statement names, once each, sorted.
    pub fn stores(&self) -> Vec<TrustStoreName> {
        let names: BTreeSet<_> = self.statements.iter().flat_map(|(_, statement)| statement.stores()).collect();
        names.into_iter().cloned().collect()
    }
}

/// Conformance 7.19: a scope occurs once in the document.
fn check_scopes(statements: &[(Vec<Scope>, PolicyStatement)]) -> Result<(), PolicyError> {
    let mut taken: BTreeMap<&Scope, &str> = BTreeMap::new();
    for (scopes, statement) in statements {
        for scope in scopes {
            if let Some(other) = taken.insert(scope, statement.name()) {
                let text = shorten(&scope.to_string());
                let problem = if other == statement.name() {
                    StatementProblem::ScopeTwice { scope: text }
                } else {
                    StatementProblem::ScopeRepeated { scope: text, other: shorten(other) }
                };
                return Err(problem.in_statement(statement.name()));
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    name: Option<String>,
    registry_scopes: Option<Vec<String>>,
    signature_verification: Option<Object<SignatureVerification>>,
    trust_stores: Option<Vec<String>>,
    trusted_identities: Option<Vec<String>>,
}

impl Statement {
    fn check(self, name: String, dialect: Dialect) -> Result<(Vec<Scope>, PolicyStatement), StatementProblem> {
        let scopes = Scope::parse_all(&self.registry_scopes.unwrap_or_default(), dialect)?;
        let stores = self.trust_stores.unwrap_or_default();
        let identities = self.trusted_identities.unwrap_or_default();
        let statement = read_core(name, self.signature_verification, &stores, &identities)?;
        // Conformance 7.20.
        if scopes.contains(&Scope::All) && statement.level().is_skip() {
            return Err(StatementProblem::SkipForAll);
        }
        Ok((scopes, statement))
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
