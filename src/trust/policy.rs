//! Trust policy documents for OCI artifacts (trust-policy specification, "Trust Policy").
//!
//! Stricter than the reference where it is lenient: a member that is not known is refused, because a policy in which
//! `verifytimestamp` silently counts for nothing protects less than its author thinks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{
    IdentityError, LevelName, OverrideError, StoreNameError, TrustStoreName, TrustedIdentities, VerificationLevel,
};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::Object;
use crate::json::{self, JsonError};
use crate::oci::Repository;

/// A valid policy document: which statement applies to which repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDocument {
    statements: Vec<(Scopes, PolicyStatement)>,
}

/// The repositories that a statement is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// `*`: all for which there is no other statement.
    All,
    /// Exactly these.
    Repositories(Vec<Repository>),
}

/// One statement: what it takes to trust a signature. It does not say of what; that is the document's matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyStatement {
    name: String,
    level: VerificationLevel,
    timestamp_trigger: TimestampTrigger,
    stores: Vec<TrustStoreName>,
    identities: TrustedIdentities,
}

/// When a timestamp must be there and verify, given that the statement names a `tsa` store (conformance 8.18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TimestampTrigger {
    /// Always.
    #[default]
    Always,
    /// Once a certificate of the signing chain has expired.
    AfterCertExpiry,
}

impl TimestampTrigger {
    /// The name in a trust policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::AfterCertExpiry => "afterCertExpiry",
        }
    }
}

impl PolicyStatement {
    /// The name, unique in its document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The level.
    pub const fn level(&self) -> &VerificationLevel {
        &self.level
    }

    /// When a timestamp is demanded.
    pub const fn timestamp_trigger(&self) -> TimestampTrigger {
        self.timestamp_trigger
    }

    /// The trust stores, in the order of the document; empty only where the level is skip.
    pub fn stores(&self) -> &[TrustStoreName] {
        &self.stores
    }

    /// Whose signatures count.
    pub const fn identities(&self) -> &TrustedIdentities {
        &self.identities
    }
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

    /// Reads and checks a document; one bad statement makes it unusable (conformance 7.12).
    ///
    /// # Errors
    /// The first rule that is broken, and the statement that breaks it.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        let Object(document): Object<Document> = json::from_slice(bytes)?;
        match document.version.as_deref() {
            Some("1.0") => {}
            other => return Err(PolicyError::Version { found: other.map(shorten) }),
        }
        let mut statements = Vec::new();
        for (position, Object(statement)) in (1..).zip(document.trust_policies.unwrap_or_default()) {
            let name = statement.name.clone().filter(|name| !name.is_empty());
            let name = name.ok_or(PolicyError::NameMissing { position })?;
            let found = statement.check(name.clone());
            statements.push(found.map_err(|problem| PolicyError::Statement { name: shorten(&name), problem })?);
        }
        if statements.is_empty() {
            return Err(PolicyError::Empty);
        }
        check_unique(&statements)?;
        Ok(Self { statements })
    }

    /// The statement for a repository: the one that names it, else the one for all (conformance 7.21). `None` means
    /// that nothing from there is trusted.
    pub fn select(&self, repository: &Repository) -> Option<&PolicyStatement> {
        let names = |(scopes, _): &&(Scopes, PolicyStatement)| matches!(scopes, Scopes::Repositories(repositories) if repositories.contains(repository));
        let all = |(scopes, _): &&(Scopes, PolicyStatement)| matches!(scopes, Scopes::All);
        let found = self.statements.iter().find(names).or_else(|| self.statements.iter().find(all));
        found.map(|(_, statement)| statement)
    }

    /// Every statement with its scopes, in the order of the document.
    pub fn statements(&self) -> impl Iterator<Item = (&Scopes, &PolicyStatement)> {
        self.statements.iter().map(|(scopes, statement)| (scopes, statement))
    }

    /// Every trust store that any statement names, once each, sorted.
    pub fn stores(&self) -> Vec<TrustStoreName> {
        let names: BTreeSet<_> = self.statements.iter().flat_map(|(_, statement)| statement.stores.iter()).collect();
        names.into_iter().cloned().collect()
    }
}

/// Conformance 7.07 and 7.19: names and scopes occur once in the document.
fn check_unique(statements: &[(Scopes, PolicyStatement)]) -> Result<(), PolicyError> {
    let mut names = BTreeSet::new();
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for (scopes, statement) in statements {
        if !names.insert(&statement.name) {
            return Err(PolicyError::NameRepeated { name: shorten(&statement.name) });
        }
        let texts = match scopes {
            Scopes::All => vec!["*".to_owned()],
            Scopes::Repositories(repositories) => repositories.iter().map(ToString::to_string).collect(),
        };
        for scope in texts {
            if let Some(other) = taken.insert(scope.clone(), &statement.name) {
                let problem = StatementProblem::ScopeRepeated { scope: shorten(&scope), other: shorten(other) };
                return Err(PolicyError::Statement { name: shorten(&statement.name), problem });
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    version: Option<String>,
    trust_policies: Option<Vec<Object<Statement>>>,
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

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignatureVerification {
    level: Option<String>,
    #[serde(rename = "override")]
    overrides: Option<BTreeMap<String, String>>,
    verify_timestamp: Option<String>,
}

impl Statement {
    fn check(self, name: String) -> Result<(Scopes, PolicyStatement), StatementProblem> {
        let scopes = read_scopes(&self.registry_scopes.unwrap_or_default())?;
        let Object(verification) = self.signature_verification.unwrap_or_default();
        let stores = self.trust_stores.unwrap_or_default();
        let identities = self.trusted_identities.unwrap_or_default();
        let statement = read_core(name, verification, &stores, &identities)?;
        if scopes == Scopes::All && statement.level.is_skip() {
            return Err(StatementProblem::SkipForAll);
        }
        Ok((scopes, statement))
    }
}

/// What statements of every kind of document have in common (conformance 7.08 to 7.11, 7.14, 7.15, 7.27 to 7.33).
fn read_core(
    name: String,
    verification: SignatureVerification,
    stores: &[String],
    identities: &[String],
) -> Result<PolicyStatement, StatementProblem> {
    let level = verification.level.unwrap_or_default();
    let level = LevelName::find(&level).ok_or_else(|| StatementProblem::Level { found: shorten(&level) })?;
    let level = VerificationLevel::with_overrides(level, &verification.overrides.unwrap_or_default())?;
    let timestamp_trigger = read_trigger(verification.verify_timestamp.as_deref())?;
    if level.is_skip() {
        if !stores.is_empty() || !identities.is_empty() {
            return Err(StatementProblem::SkipWithTrust);
        }
    } else if stores.is_empty() {
        return Err(StatementProblem::NoStores);
    } else if identities.is_empty() {
        return Err(StatementProblem::NoIdentities);
    }
    let stores = stores.iter().map(|text| text.parse()).collect::<Result<_, StoreNameError>>()?;
    let identities = TrustedIdentities::parse(identities)?;
    Ok(PolicyStatement { name, level, timestamp_trigger, stores, identities })
}

/// Conformance 7.09.
fn read_trigger(text: Option<&str>) -> Result<TimestampTrigger, StatementProblem> {
    match text {
        None => Ok(TimestampTrigger::default()),
        Some(text) => [TimestampTrigger::Always, TimestampTrigger::AfterCertExpiry]
            .into_iter()
            .find(|trigger| trigger.name() == text)
            .ok_or_else(|| StatementProblem::Trigger { found: shorten(text) }),
    }
}

/// Conformance 7.17, 7.18.
fn read_scopes(texts: &[String]) -> Result<Scopes, StatementProblem> {
    match texts {
        [] => Err(StatementProblem::NoScopes),
        [all] if all == "*" => Ok(Scopes::All),
        texts if texts.iter().any(|text| text == "*") => Err(StatementProblem::ScopeAllNotAlone),
        texts => texts.iter().map(|text| read_scope(text)).collect::<Result<_, _>>().map(Scopes::Repositories),
    }
}

fn read_scope(text: &str) -> Result<Repository, StatementProblem> {
    if text.contains('*') {
        return Err(StatementProblem::ScopePattern { scope: shorten(text) });
    }
    let malformed = || StatementProblem::Scope { scope: shorten(text) };
    let repository: Repository = text.parse().map_err(|_| malformed())?;
    // Narrower than what a reference may have as host: the file must mean the same to Notation.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    if repository.host().bytes().all(legal) { Ok(repository) } else { Err(malformed()) }
}

/// Why a policy document cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not the JSON of a policy.
    #[error("the trust policy cannot be read: {}", shorten(&.0.to_string()))]
    Json(#[from] JsonError),
    /// A version that is not known.
    #[error("the trust policy's version is {}, not \"1.0\"", .found.as_ref().map_or("missing".to_owned(), |found| format!("{found:?}")))]
    Version {
        /// What it says.
        found: Option<String>,
    },
    /// No statement.
    #[error("the trust policy has no statement in trustPolicies")]
    Empty,
    /// A statement without a name.
    #[error("statement {position} of the trust policy has no name")]
    NameMissing {
        /// Its place, the first being 1.
        position: usize,
    },
    /// Two statements of one name.
    #[error("the trust policy has two statements named {name:?}")]
    NameRepeated {
        /// The name.
        name: String,
    },
    /// A statement breaks a rule.
    #[error("statement {name:?} of the trust policy: {problem}")]
    Statement {
        /// Its name.
        name: String,
        /// The rule.
        #[source]
        problem: StatementProblem,
    },
}

impl Diagnostic for PolicyError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PolicyInvalid
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Json(_) => Some(
                "member names are written exactly as in the specification; what is not known there is refused, \
                 so that a misspelt rule is not silently ignored"
                    .into(),
            ),
            Self::Statement { problem: StatementProblem::ScopePattern { .. }, .. } => {
                Some("name every repository, or use \"*\" alone for all that no other statement names".into())
            }
            Self::Empty | Self::Version { .. } => {
                Some(format!("a trust policy looks like this:\n{}", PolicyDocument::EXAMPLE))
            }
            _ => None,
        }
    }
}

/// Which rule a statement breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementProblem {
    /// No such level, or none at all.
    #[error("signatureVerification.level is {found:?}: strict, permissive, audit and skip are levels")]
    Level {
        /// What it says.
        found: String,
    },
    /// Overrides that are not allowed.
    #[error("signatureVerification.override: {0}")]
    Override(#[from] OverrideError),
    /// No such trigger.
    #[error("signatureVerification.verifyTimestamp is {found:?}: always and afterCertExpiry are allowed")]
    Trigger {
        /// What it says.
        found: String,
    },
    /// Nothing to trust.
    #[error("trustStores is missing or empty")]
    NoStores,
    /// Nobody to trust.
    #[error("trustedIdentities is missing or empty")]
    NoIdentities,
    /// Trust that is never used.
    #[error("the level skip allows no trustStores and no trustedIdentities")]
    SkipWithTrust,
    /// Skip for everything.
    #[error("the level skip is not allowed for the scope \"*\"")]
    SkipForAll,
    /// A store's name is malformed.
    #[error("trustStores: {0}")]
    Store(#[from] StoreNameError),
    /// An identity is malformed.
    #[error("trustedIdentities: {0}")]
    Identity(#[from] IdentityError),
    /// No scope.
    #[error("registryScopes is missing or empty")]
    NoScopes,
    /// `*` beside others.
    #[error("the scope \"*\" must be the only one in registryScopes")]
    ScopeAllNotAlone,
    /// `*` inside a scope.
    #[error("the scope {scope:?} holds a wildcard, which is allowed only alone")]
    ScopePattern {
        /// The scope.
        scope: String,
    },
    /// Not a repository.
    #[error("the scope {scope:?} is not of the form host/repository, without scheme, tag or digest")]
    Scope {
        /// The scope.
        scope: String,
    },
    /// A scope twice.
    #[error("the scope {scope:?} is also in statement {other:?}")]
    ScopeRepeated {
        /// The scope.
        scope: String,
        /// The other statement, perhaps the same.
        other: String,
    },
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
