//! The repositories that a statement of an OCI policy is for.

use std::fmt;

use super::StatementProblem;
use crate::digest::shorten;
use crate::oci::Repository;

/// How a policy document is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Dialect {
    /// With bulla's extension: scopes that end in `/*`.
    #[default]
    Bulla,
    /// As Notation reads it: `*` stands alone or nowhere (conformance 7.17).
    Notation,
}

/// One entry of `registryScopes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `*`: every repository that no other scope covers.
    All,
    /// `host/*` or `host/path/*`: every repository below, at any depth; not `host/path` itself. An extension: Notation
    /// has it on its road map only.
    Below(Prefix),
    /// Exactly this one.
    Repository(Repository),
}

/// The beginning that all repositories of a registry, or below a path of it, have in common. It ends in a slash, so
/// that `team/*` never covers `teammate/app`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(String);

impl Scope {
    /// Whether the scope covers the repository, and how closely: of two that do, the greater wins. Compared byte by
    /// byte (conformance 7.21).
    pub fn closeness(&self, repository: &Repository) -> Option<usize> {
        match self {
            Self::All => Some(0),
            Self::Below(Prefix(prefix)) => repository.to_string().starts_with(prefix).then_some(prefix.len()),
            Self::Repository(named) => (named == repository).then_some(usize::MAX),
        }
    }

    /// Reads the entries of a statement (conformance 7.17, 7.18).
    pub(super) fn parse_all(texts: &[String], dialect: Dialect) -> Result<Vec<Self>, StatementProblem> {
        match texts {
            [] => Err(StatementProblem::NoScopes),
            [all] if all == "*" => Ok(vec![Self::All]),
            texts if texts.iter().any(|text| text == "*") => Err(StatementProblem::ScopeAllNotAlone),
            texts => texts.iter().map(|text| Self::parse(text, dialect)).collect(),
        }
    }

    fn parse(text: &str, dialect: Dialect) -> Result<Self, StatementProblem> {
        if !text.contains('*') {
            return read_repository(text, text).map(Self::Repository);
        }
        let scope = || shorten(text);
        match (dialect, text.strip_suffix('*').filter(|prefix| prefix.ends_with('/') && !prefix.contains('*'))) {
            (Dialect::Notation, _) => Err(StatementProblem::ScopeExtension { scope: scope() }),
            (Dialect::Bulla, None) => Err(StatementProblem::ScopePattern { scope: scope() }),
            (Dialect::Bulla, Some(prefix)) => {
                // What is in front must be the beginning of a repository, so with any name behind it one results.
                read_repository(&format!("{prefix}x"), text)?;
                Ok(Self::Below(Prefix(prefix.to_owned())))
            }
        }
    }
}

impl fmt::Display for Scope {
    /// As the document writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Below(Prefix(prefix)) => write!(f, "{prefix}*"),
            Self::Repository(repository) => fmt::Display::fmt(repository, f),
        }
    }
}

/// Reads `text`; what is wrong with it is said of `scope`, which the operator wrote.
fn read_repository(text: &str, scope: &str) -> Result<Repository, StatementProblem> {
    let malformed = || StatementProblem::Scope { scope: shorten(scope) };
    let repository: Repository = text.parse().map_err(|_| malformed())?;
    // Narrower than what a reference may have as host: the file must mean the same to Notation.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    if repository.host().bytes().all(legal) { Ok(repository) } else { Err(malformed()) }
}
