//! Under which name something arrives.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::oci::{Reference, ReferenceError, Repository};

/// Which name an artifact gets at its destination.
///
/// Without anything else, its own. At a registry, where it cannot keep its host, its repository path goes below the
/// destination's: `docker.io/library/app` imported to `registry.local/mirror` becomes
/// `registry.local/mirror/library/app`. An explicit rule, `FROM=TO`, replaces the beginning `FROM` of a repository,
/// host included and up to the end or a `/`, by `TO`, written out in full; the longest `FROM` that fits wins. Tags and
/// digests stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    base: Option<Base>,
    rules: Vec<Rule>,
}

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base {
    host: String,
    path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    from: String,
    to: String,
}

impl Rule {
    /// What of a repository's name follows the part that the rule replaces, if the rule is for it.
    fn rest<'a>(&self, repository: &'a str) -> Option<&'a str> {
        repository.strip_prefix(&self.from).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Mapping {
    /// Every name stays.
    pub fn keep() -> Self {
        Self::default()
    }

    /// Every name goes below `host[/path]`.
    ///
    /// # Errors
    /// Not a host with an optional repository path.
    pub fn below(text: &str) -> Result<Self, MappingError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (host, path) = match text.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (text, None),
        };
        // A host alone is checked with some path.
        Repository::new(host, path.unwrap_or("x")).map_err(|error| MappingError::Base { text: text.into(), error })?;
        let base = Base { host: host.to_owned(), path: path.map(str::to_owned) };
        Ok(Self { base: Some(base), rules: Vec::new() })
    }

    /// The registry that everything goes to, if it goes to one.
    pub fn host(&self) -> Option<&str> {
        self.base.as_ref().map(|base| base.host.as_str())
    }

    /// Adds a rule, `FROM=TO`.
    ///
    /// # Errors
    /// Not of that form, or another rule has the same `FROM`.
    pub fn add_rule(&mut self, text: &str) -> Result<(), MappingError> {
        let malformed = || MappingError::Rule { text: text.into() };
        let (from, to) = text.split_once('=').ok_or_else(malformed)?;
        let (from, to) = (from.trim_end_matches('/'), to.trim_end_matches('/'));
        let is_place = |place: &str| Self::below(place).is_ok();
        if !is_place(from) || !is_place(to) {
            return Err(malformed());
        }
        if self.rules.iter().any(|rule| rule.from == from) {
            return Err(MappingError::RuleTwice { from: from.into() });
        }
        self.rules.push(Rule { from: from.into(), to: to.into() });
        Ok(())
    }

    /// The name at the destination.
    ///
    /// # Errors
    /// What comes out is no repository, or lies in another registry than the destination.
    pub fn apply(&self, reference: &Reference) -> Result<Reference, MappingError> {
        let repository = self.repository(&reference.repository)?;
        Ok(Reference { repository, tag: reference.tag.clone(), digest: reference.digest })
    }

    /// The left side of a rule that is for none of these repositories.
    pub fn idle_rule(&self, repositories: &[Repository]) -> Option<&str> {
        let names: Vec<String> = repositories.iter().map(Repository::to_string).collect();
        let idle = |rule: &&Rule| names.iter().all(|name| rule.rest(name).is_none());
        self.rules.iter().find(idle).map(|rule| rule.from.as_str())
    }

    fn repository(&self, repository: &Repository) -> Result<Repository, MappingError> {
        let text = repository.to_string();
        let malformed = |error| MappingError::Result { repository: repository.clone(), error };
        let fitting = self.rules.iter().filter_map(|rule| rule.rest(&text).map(|rest| (rule, rest.to_owned())));
        if let Some((rule, rest)) = fitting.max_by_key(|(rule, _)| rule.from.len()) {
            let mapped: Repository = format!("{}{rest}", rule.to).parse().map_err(malformed)?;
            return match &self.base {
                Some(base) if base.host != mapped.host() => {
                    Err(MappingError::OtherHost { mapped, host: base.host.clone() })
                }
                _ => Ok(mapped),
            };
        }
        match &self.base {
            None => Ok(repository.clone()),
            Some(Base { host, path: None }) => Repository::new(host, repository.path()).map_err(malformed),
            Some(Base { host, path: Some(path) }) => {
                Repository::new(host, &format!("{path}/{}", repository.path())).map_err(malformed)
            }
        }
    }
}

/// Why names cannot be mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// Not a place in a registry.
    #[error("{text:?} is no place in a registry: {error}")]
    Base {
        /// The text.
        text: String,
        /// What is wrong.
        #[source]
        error: ReferenceError,
    },
    /// Not a rule.
    #[error("{text:?} is not of the form FROM=TO, both beginning with a registry host")]
    Rule {
        /// The text.
        text: String,
    },
    /// Two rules for the same names.
    #[error("there are two rules for {from}")]
    RuleTwice {
        /// What both replace.
        from: String,
    },
    /// What comes out is no repository.
    #[error("the name of {repository} at the destination is malformed: {error}")]
    Result {
        /// The repository at its source.
        repository: Repository,
        /// What is wrong.
        #[source]
        error: ReferenceError,
    },
    /// A rule leads away from the destination.
    #[error("a rule leads to {mapped}, but the destination is {host}")]
    OtherHost {
        /// Where the rule leads.
        mapped: Repository,
        /// The destination.
        host: String,
    },
}

impl Diagnostic for MappingError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Base { .. } | Self::Result { .. } => DiagnosticCode::ReferenceMalformed,
            Self::Rule { .. } | Self::RuleTwice { .. } | Self::OtherHost { .. } => DiagnosticCode::UsageInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Base { .. } => "write it as host[:port][/path]".into(),
            Self::OtherHost { host, .. } => format!("write what comes in, host included, as {host}/…"),
            _ => "write a rule like docker.io/library=registry.local/base".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(mapping: &Mapping, text: &str) -> Result<String, MappingError> {
        mapping.apply(&text.parse().unwrap()).map(|reference| reference.to_string())
    }

    #[test]
    fn names_stay_unless_something_says_otherwise() {
        let mut mapping = Mapping::keep();
        assert_eq!(map(&mapping, "docker.io/library/app:v1").unwrap(), "docker.io/library/app:v1");
        mapping.add_rule("docker.io/library=registry.local/base").unwrap();
        assert_eq!(map(&mapping, "docker.io/library/app:v1").unwrap(), "registry.local/base/app:v1");
        assert_eq!(map(&mapping, "docker.io/library:v1").unwrap(), "registry.local/base:v1");
        assert_eq!(map(&mapping, "docker.io/library2/app").unwrap(), "docker.io/library2/app");
    }

    #[test]
    fn a_registry_takes_the_path_below_its_own_and_the_longest_rule_wins() {
        let mut mapping = Mapping::below("registry.local:5000/mirror/").unwrap();
        assert_eq!(map(&mapping, "docker.io/library/app:v1").unwrap(), "registry.local:5000/mirror/library/app:v1");
        mapping.add_rule("docker.io=registry.local:5000/hub").unwrap();
        mapping.add_rule("docker.io/library=registry.local:5000").unwrap();
        assert_eq!(map(&mapping, "docker.io/library/app").unwrap(), "registry.local:5000/app");
        assert_eq!(map(&mapping, "docker.io/team/app").unwrap(), "registry.local:5000/hub/team/app");
        assert!(matches!(map(&mapping, "docker.io/library"), Err(MappingError::Result { .. })));
        mapping.add_rule("ghcr.io=elsewhere.example/x").unwrap();
        assert!(matches!(map(&mapping, "ghcr.io/team/app"), Err(MappingError::OtherHost { .. })));
        let bare = Mapping::below("registry.local").unwrap();
        assert_eq!(map(&bare, "docker.io/library/app").unwrap(), "registry.local/library/app");
    }

    #[test]
    fn a_rule_for_nothing_is_noticed() {
        let mut mapping = Mapping::keep();
        let names = ["docker.io/library/app", "ghcr.io/team"].map(|text| text.parse().unwrap());
        mapping.add_rule("docker.io=b.io").unwrap();
        mapping.add_rule("ghcr.io/team=b.io/team").unwrap();
        assert_eq!(mapping.idle_rule(&names), None);
        mapping.add_rule("docker.io/lib=b.io/x").unwrap();
        assert_eq!(mapping.idle_rule(&names), Some("docker.io/lib"));
    }

    #[test]
    fn malformed_rules_and_places_are_refused() {
        let mut mapping = Mapping::keep();
        for bad in ["", "a", "=b", "a=", "a b=c", "docker.io/UPPER=x", "docker.io=x/UPPER"] {
            assert!(mapping.add_rule(bad).is_err(), "{bad}");
        }
        mapping.add_rule("a.io/x=b.io/y").unwrap();
        assert!(matches!(mapping.add_rule("a.io/x/=c.io"), Err(MappingError::RuleTwice { .. })));
        for bad in ["", "/x", "registry.local//x", "https://registry.local"] {
            assert!(Mapping::below(bad).is_err(), "{bad}");
        }
    }
}
