//! What can be wrong with a policy document, in words that lead to the line to change.

use std::collections::BTreeSet;
use std::fmt;

use super::{BlobPolicyDocument, IdentityError, OverrideError, PolicyDocument, PolicyStatement, StoreNameError};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::JsonError;

/// What a policy document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// Artifacts in registries and layouts.
    Oci,
    /// Files.
    Blob,
}

impl PolicyKind {
    /// A small valid document.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Oci => PolicyDocument::EXAMPLE,
            Self::Blob => BlobPolicyDocument::EXAMPLE,
        }
    }

    /// Conformance 7.05.
    pub(super) fn check_version(self, found: Option<&str>) -> Result<(), PolicyError> {
        match found {
            Some("1.0") => Ok(()),
            other => Err(PolicyError::Version { kind: self, found: other.map(shorten) }),
        }
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oci => "trust policy",
            Self::Blob => "blob trust policy",
        })
    }
}

/// Why a policy document cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not the JSON of a policy.
    #[error("the {kind} {}: {source}", if .source.is_syntax() { "is not JSON" } else { "is not understood" })]
    Json {
        /// What kind of policy was wanted.
        kind: PolicyKind,
        /// Where the JSON breaks off, or what in it is not known.
        #[source]
        source: JsonError,
    },
    /// A version that is not known.
    #[error("the {kind}'s version is {}; it must be \"1.0\"", .found.as_ref().map_or("missing".to_owned(), |found| format!("{found:?}")))]
    Version {
        /// What kind of policy it is.
        kind: PolicyKind,
        /// What it says.
        found: Option<String>,
    },
    /// No statement.
    #[error("the {kind} has no statement: trustPolicies is missing or empty")]
    Empty {
        /// What kind of policy it is.
        kind: PolicyKind,
    },
    /// A statement without a name.
    #[error("statement {position} of trustPolicies has no name")]
    NameMissing {
        /// Its place, the first being 1.
        position: usize,
    },
    /// Two statements of one name.
    #[error("the trust policy has two statements named {name:?}; names must differ")]
    NameRepeated {
        /// The name.
        name: String,
    },
    /// A statement breaks a rule.
    #[error("in the statement {name:?} of the trust policy: {problem}")]
    Statement {
        /// Its name.
        name: String,
        /// The rule.
        #[source]
        problem: StatementProblem,
    },
}

impl PolicyError {
    /// Conformance 7.07: every statement has a name.
    pub(super) fn require_name(name: Option<String>, position: usize) -> Result<String, Self> {
        name.filter(|name| !name.is_empty()).ok_or(Self::NameMissing { position })
    }

    /// Conformance 7.07: names occur once.
    pub(super) fn check_names<'s>(statements: impl IntoIterator<Item = &'s PolicyStatement>) -> Result<(), Self> {
        let mut names = BTreeSet::new();
        match statements.into_iter().find(|statement| !names.insert(statement.name())) {
            Some(second) => Err(Self::NameRepeated { name: shorten(second.name()) }),
            None => Ok(()),
        }
    }
}

impl Diagnostic for PolicyError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PolicyInvalid
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Json { source, .. } if source.is_syntax() => Some(
                "the file must be plain JSON: no comments, no comma behind the last entry, no byte order mark, nothing behind it".into(),
            ),
            Self::Json { .. } => Some(
                "write members exactly as they are expected there: what is not known is refused, so that no rule is \
                 ignored because of a typing error; override and verifyTimestamp belong inside signatureVerification"
                    .into(),
            ),
            Self::Empty { kind } | Self::Version { kind, .. } => {
                Some(format!("a {kind} looks like this:\n{}", kind.example()))
            }
            Self::NameMissing { .. } => Some("reports refer to statements by name: add \"name\": \"…\"".into()),
            Self::NameRepeated { .. } => None,
            Self::Statement { problem, .. } => problem.hint(),
        }
    }
}

impl StatementProblem {
    /// The problem with the statement that has it.
    pub(super) fn in_statement(self, name: &str) -> PolicyError {
        PolicyError::Statement { name: shorten(name), problem: self }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoStores => {
                "name at least one store, like \"ca:acme\", whose certificates are in truststore/x509/ca/acme"
            }
            Self::NoIdentities => {
                "list the signers' subjects, like \"x509.subject: C=US, ST=WA, O=acme\", or \"*\" for every certificate that the trust stores vouch for"
            }
            Self::SkipWithTrust => "remove both, or choose a level that verifies: strict, permissive or audit",
            Self::SkipForAll => {
                "name the repositories that need no verification, and give the others a statement that verifies"
            }
            Self::SkipGlobal => {
                "remove globalPolicy and choose this statement by its name, or choose a level that verifies"
            }
            Self::GlobalRepeated { .. } => "leave globalPolicy to one of them and choose the other by its name",
            Self::NoScopes => {
                "name repositories, like \"registry.example.com/team/app\", or \"*\" for all that no other statement covers"
            }
            Self::ScopeAllNotAlone => "give \"*\" a statement of its own",
            Self::ScopeTwice { .. } => "remove one of the two",
            Self::ScopeRepeated { .. } => {
                "a repository is judged by one statement: decide which, and remove the scope from the other"
            }
            Self::ScopePattern { .. } => {
                "\"*\" stands alone, or at the end behind a slash: \"registry.example.com/*\" covers a registry, \"registry.example.com/team/*\" what is below a path"
            }
            Self::ScopeExtension { .. } => {
                "name every repository, or read the policy without strict Notation mode: scopes that end in /* are an extension that Notation does not have"
            }
            Self::Scope { .. } => {
                "write it like \"registry.example.com/team/app\": letters, digits, dots and dashes in the host, the repository in lower case, and neither https:// nor tag nor digest"
            }
            Self::Identity(error) => return error.hint(),
            Self::NoLevel | Self::Level { .. } | Self::Override(_) | Self::Trigger { .. } | Self::Store(_) => {
                return None;
            }
        };
        Some(hint.into())
    }
}

/// Which rule a statement breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementProblem {
    /// No level.
    #[error("signatureVerification.level is missing; write \"strict\", \"permissive\", \"audit\" or \"skip\"")]
    NoLevel,
    /// No such level.
    #[error("signatureVerification.level is {found:?}; it must be \"strict\", \"permissive\", \"audit\" or \"skip\"")]
    Level {
        /// What it says.
        found: String,
    },
    /// Overrides that are not allowed.
    #[error("signatureVerification.override: {0}")]
    Override(#[from] OverrideError),
    /// No such trigger.
    #[error(
        "signatureVerification.verifyTimestamp is {found:?}; it must be \"always\" (the default) or \"afterCertExpiry\""
    )]
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
    #[error("the level is skip, which verifies nothing, and yet there are trustStores or trustedIdentities")]
    SkipWithTrust,
    /// Skip for everything.
    #[error("the level skip is not allowed with the scope \"*\": nothing at all would be verified")]
    SkipForAll,
    /// Skip for every blob.
    #[error("the level skip is not allowed with \"globalPolicy\": true: no blob at all would be verified")]
    SkipGlobal,
    /// Two global statements.
    #[error("globalPolicy is true here and in the statement {other:?}; only one may be global")]
    GlobalRepeated {
        /// The first.
        other: String,
    },
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
    #[error("the scope {scope:?} has a wildcard where none can be")]
    ScopePattern {
        /// The scope.
        scope: String,
    },
    /// `*` inside a scope, where Notation must read the document too.
    #[error("the scope {scope:?} has a wildcard, and Notation knows none but \"*\" alone")]
    ScopeExtension {
        /// The scope.
        scope: String,
    },
    /// Not a repository.
    #[error("the scope {scope:?} is not of the form host/repository")]
    Scope {
        /// The scope.
        scope: String,
    },
    /// A scope twice in one statement.
    #[error("the scope {scope:?} is listed twice")]
    ScopeTwice {
        /// The scope.
        scope: String,
    },
    /// A scope in two statements.
    #[error("the scope {scope:?} is also in the statement {other:?}")]
    ScopeRepeated {
        /// The scope.
        scope: String,
        /// The other statement.
        other: String,
    },
}
