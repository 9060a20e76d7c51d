//! Trust policy documents for blobs: files that are signed without a registry (trust-policy specification, "Blob Trust
//! Policy"; conformance 7.02, 7.24 to 7.26).

use std::collections::BTreeSet;

use serde::Deserialize;

use super::statement::{SignatureVerification, read_core, read_statements};
use super::{PolicyError, PolicyKind, PolicyStatement, StatementProblem, TrustStoreName};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::Object;

/// A valid policy document for blobs, whose statements are chosen by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobPolicyDocument {
    statements: Vec<PolicyStatement>,
    /// The place of the global statement.
    global: Option<usize>,
}

impl BlobPolicyDocument {
    /// A small valid document, for messages that say how to write one.
    pub const EXAMPLE: &str = r#"{
  "version": "1.0",
  "trustPolicies": [
    {
      "name": "acme",
      "globalPolicy": true,
      "signatureVerification": { "level": "strict" },
      "trustStores": ["ca:acme"],
      "trustedIdentities": ["x509.subject: C=US, ST=WA, O=acme"]
    }
  ]
}"#;

    /// Reads and checks a document; one bad statement makes it unusable (conformance 7.12).
    ///
    /// # Errors
    /// The first rule that is broken, and the statement that breaks it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let found: Vec<Statement> = read_statements(bytes, PolicyKind::Blob)?;
        let mut statements: Vec<PolicyStatement> = Vec::new();
        let mut global = None;
        for (position, statement) in (1..).zip(found) {
            let name = PolicyError::require_name(statement.name.clone(), position)?;
            if statement.global_policy == Some(true)
                && let Some(first) = global.replace(statements.len())
            {
                let other = statements.get(first).map(|other| shorten(other.name())).unwrap_or_default();
                return Err(StatementProblem::GlobalRepeated { other }.in_statement(&name));
            }
            statements.push(statement.check(name.clone()).map_err(|problem| problem.in_statement(&name))?);
        }
        PolicyError::check_names(&statements)?;
        Ok(Self { statements, global })
    }

    /// The statement of that name, or without a name the global one. A name that is not there never falls back to the
    /// global statement (conformance 7.26).
    ///
    /// # Errors
    /// There is none.
    pub fn select(&self, name: Option<&str>) -> Result<&PolicyStatement, BlobSelectionError> {
        match name {
            Some(name) => {
                let found =
                    self.statements.iter().find(|statement| statement.name() == name && !name.trim().is_empty());
                found.ok_or_else(|| BlobSelectionError::NoSuchName { name: shorten(name), known: self.names() })
            }
            None => {
                let found = self.global.and_then(|place| self.statements.get(place));
                found.ok_or_else(|| BlobSelectionError::NoGlobal { known: self.names() })
            }
        }
    }

    /// The statement that applies where none is named.
    pub fn global(&self) -> Option<&PolicyStatement> {
        self.select(None).ok()
    }

    /// Every statement, in the order of the document.
    pub fn statements(&self) -> &[PolicyStatement] {
        &self.statements
    }

    /// Every trust store that any statement names, once each, sorted.
    pub fn stores(&self) -> Vec<TrustStoreName> {
        let names: BTreeSet<_> = self.statements.iter().flat_map(PolicyStatement::stores).collect();
        names.into_iter().cloned().collect()
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.statements.iter().map(|statement| format!("{:?}", statement.name())).collect();
        shorten(&names.join(", "))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    name: Option<String>,
    global_policy: Option<bool>,
    signature_verification: Option<Object<SignatureVerification>>,
    trust_stores: Option<Vec<String>>,
    trusted_identities: Option<Vec<String>>,
}

impl Statement {
    fn check(self, name: String) -> Result<PolicyStatement, StatementProblem> {
        let stores = self.trust_stores.unwrap_or_default();
        let identities = self.trusted_identities.unwrap_or_default();
        let statement = read_core(name, self.signature_verification, &stores, &identities)?;
        // The specification forbids it, and the reference means to but does not (conformance 7.25, 14.05).
        if self.global_policy == Some(true) && statement.level().is_skip() {
            return Err(StatementProblem::SkipGlobal);
        }
        Ok(statement)
    }
}

/// Why no statement of a blob policy applies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlobSelectionError {
    /// No statement has the name.
    #[error("the blob trust policy has no statement named {name:?}; it has {known}")]
    NoSuchName {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// No name, and no global statement.
    #[error("the blob trust policy has no global statement, and none was named; it has {known}")]
    NoGlobal {
        /// The names that there are.
        known: String,
    },
}

impl Diagnostic for BlobSelectionError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PolicyNotApplicable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoSuchName { .. } => {
                "names are compared letter by letter; a name that is not there never falls back to the global statement"
                    .into()
            }
            Self::NoGlobal { .. } => "name a statement, or mark one with \"globalPolicy\": true".into(),
        })
    }
}

#[cfg(test)]
#[path = "blob_policy_tests.rs"]
mod tests;
