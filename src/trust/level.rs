//! Verification levels: what becomes of a failed check (trust-policy specification, "Signature Verification").

use std::collections::BTreeMap;
use std::fmt;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;

/// The checks that a level decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckKind {
    /// The signature is genuine and keeps the rules of its format.
    Integrity,
    /// The signer is trusted.
    Authenticity,
    /// The certificates were valid when the signature was made.
    AuthenticTimestamp,
    /// The signature has not expired.
    Expiry,
    /// No certificate is revoked.
    Revocation,
}

impl CheckKind {
    /// Every check, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::Integrity, Self::Authenticity, Self::AuthenticTimestamp, Self::Expiry, Self::Revocation];

    /// The name in a trust policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Authenticity => "authenticity",
            Self::AuthenticTimestamp => "authenticTimestamp",
            Self::Expiry => "expiry",
            Self::Revocation => "revocation",
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is done about a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Its failure rejects the signature.
    Enforce,
    /// Its failure is reported.
    Log,
    /// It is not made.
    Skip,
}

impl Action {
    /// The name in a trust policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Log => "log",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The levels that a trust policy can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LevelName {
    /// Everything is enforced.
    Strict,
    /// Integrity and authenticity are enforced.
    Permissive,
    /// Integrity alone is enforced.
    Audit,
    /// Nothing is verified.
    Skip,
}

impl LevelName {
    /// Every level, strictest first.
    pub const ALL: [Self; 4] = [Self::Strict, Self::Permissive, Self::Audit, Self::Skip];

    /// The name in a trust policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
            Self::Audit => "audit",
            Self::Skip => "skip",
        }
    }

    /// The level of that name, compared byte by byte (conformance 7.08).
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The table of the specification (conformance 7.13).
    const fn action(self, check: CheckKind) -> Action {
        use CheckKind::{AuthenticTimestamp, Authenticity, Expiry, Integrity, Revocation};
        match (self, check) {
            (Self::Strict, _) | (Self::Permissive | Self::Audit, Integrity) | (Self::Permissive, Authenticity) => {
                Action::Enforce
            }
            (Self::Permissive | Self::Audit, AuthenticTimestamp | Expiry | Revocation)
            | (Self::Audit, Authenticity) => Action::Log,
            (Self::Skip, _) => Action::Skip,
        }
    }
}

/// A level, perhaps with some of its actions replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationLevel {
    base: LevelName,
    overrides: BTreeMap<CheckKind, Action>,
}

impl VerificationLevel {
    /// A level as the specification defines it.
    pub const fn new(base: LevelName) -> Self {
        Self { base, overrides: BTreeMap::new() }
    }

    /// A level with actions replaced, by their names in a trust policy. An empty map replaces nothing.
    ///
    /// # Errors
    /// The level allows no replacement, or there is no such check or action, or not for this check (conformance 7.14,
    /// 7.15).
    pub fn with_overrides(base: LevelName, overrides: &BTreeMap<String, String>) -> Result<Self, OverrideError> {
        if base == LevelName::Skip && !overrides.is_empty() {
            return Err(OverrideError::OfSkip);
        }
        let mut parsed = BTreeMap::new();
        for (check, action) in overrides {
            let check = CheckKind::ALL
                .into_iter()
                .find(|known| known.name() == check && *known != CheckKind::Integrity)
                .ok_or_else(|| OverrideError::Check { found: shorten(check) })?;
            let allowed: &[Action] = match check {
                CheckKind::Revocation => &[Action::Enforce, Action::Log, Action::Skip],
                _ => &[Action::Enforce, Action::Log],
            };
            let action = allowed
                .iter()
                .find(|allowed| allowed.name() == action)
                .ok_or_else(|| OverrideError::Action { check, found: shorten(action) })?;
            parsed.insert(check, *action);
        }
        Ok(Self { base, overrides: parsed })
    }

    /// What is done about a check.
    pub fn action(&self, check: CheckKind) -> Action {
        self.overrides.get(&check).copied().unwrap_or_else(|| self.base.action(check))
    }

    /// Whether nothing is verified at all.
    pub fn is_skip(&self) -> bool {
        self.base == LevelName::Skip
    }

    /// The level that the policy names.
    pub const fn base(&self) -> LevelName {
        self.base
    }

    /// The actions that the policy replaces.
    pub const fn overrides(&self) -> &BTreeMap<CheckKind, Action> {
        &self.overrides
    }
}

impl fmt::Display for VerificationLevel {
    /// `strict`, or `strict with revocation: log`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.name())?;
        for (position, (check, action)) in self.overrides.iter().enumerate() {
            let before = if position == 0 { " with " } else { ", " };
            write!(f, "{before}{check}: {action}")?;
        }
        Ok(())
    }
}

/// Why actions cannot be replaced like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// Nothing is verified, so there is nothing to replace.
    #[error("the level skip verifies nothing, so there is nothing to override")]
    OfSkip,
    /// No such check, or integrity.
    #[error("{found:?} cannot be overridden: only authenticity, authenticTimestamp, expiry and revocation can")]
    Check {
        /// What the policy names.
        found: String,
    },
    /// No such action for this check.
    #[error("{check} is {found:?}; it must be {}", allowed(*.check))]
    Action {
        /// The check.
        check: CheckKind,
        /// What the policy names.
        found: String,
    },
}

const fn allowed(check: CheckKind) -> &'static str {
    match check {
        CheckKind::Revocation => "\"enforce\", \"log\" or \"skip\"",
        _ => "\"enforce\" or \"log\"",
    }
}

impl Diagnostic for OverrideError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PolicyInvalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(check, action)| ((*check).to_owned(), (*action).to_owned())).collect()
    }

    #[test]
    fn the_table_of_the_specification() {
        // Conformance 7.13: integrity, authenticity, authenticTimestamp, expiry, revocation.
        for (name, row) in [("strict", "EEEEE"), ("permissive", "EELLL"), ("audit", "ELLLL"), ("skip", "SSSSS")] {
            let level = VerificationLevel::new(LevelName::find(name).unwrap());
            let letters: String = CheckKind::ALL
                .into_iter()
                .map(|check| match level.action(check) {
                    Action::Enforce => 'E',
                    Action::Log => 'L',
                    Action::Skip => 'S',
                })
                .collect();
            assert_eq!(letters, row, "{name}");
            assert_eq!(level.is_skip(), name == "skip");
        }
        for other in ["Strict", "", "custom", " strict"] {
            assert_eq!(LevelName::find(other), None, "7.08: {other:?}");
        }
    }

    #[test]
    fn overrides_replace_single_actions() {
        // Conformance 7.14, 7.15.
        let level = VerificationLevel::with_overrides(
            LevelName::Permissive,
            &map(&[("revocation", "skip"), ("expiry", "enforce")]),
        );
        let level = level.unwrap();
        assert_eq!(level.action(CheckKind::Revocation), Action::Skip);
        assert_eq!(level.action(CheckKind::Expiry), Action::Enforce);
        assert_eq!(level.action(CheckKind::Authenticity), Action::Enforce);
        assert_eq!(level.to_string(), "permissive with expiry: enforce, revocation: skip");
        let none = VerificationLevel::with_overrides(LevelName::Skip, &map(&[])).unwrap();
        assert_eq!(none, VerificationLevel::new(LevelName::Skip));
    }

    #[test]
    fn overrides_that_are_not_allowed() {
        for (base, check, action) in [
            (LevelName::Skip, "revocation", "log"),
            (LevelName::Strict, "integrity", "log"),
            (LevelName::Strict, "authenticity", "skip"),
            (LevelName::Strict, "authenticTimestamp", "skip"),
            (LevelName::Strict, "expiry", "skip"),
            (LevelName::Strict, "revocation", "Log"),
            (LevelName::Strict, "Revocation", "log"),
            (LevelName::Strict, "everything", "log"),
        ] {
            let overrides = map(&[(check, action)]);
            assert!(VerificationLevel::with_overrides(base, &overrides).is_err(), "7.15: {check} {action}");
        }
    }
}
