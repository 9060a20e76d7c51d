//! Names of plugins. They stand in signatures and in configuration files, and become part of a path: so a name that is
//! held as a [`PluginName`] is one component of a path and never leads elsewhere (conformance 11.03).

use std::fmt;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;

/// More than any real name; a file name has 255 bytes, nine of them for `notation-`.
const MOST_BYTES: usize = 128;

/// The name of a plugin: letters, digits, `_`, `.` and `-`, neither `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PluginName(String);

impl PluginName {
    /// Reads a name.
    ///
    /// # Errors
    /// Empty, too long, or with a character that has no place in a name.
    pub fn new(text: &str) -> Result<Self, PluginNameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let refused = || PluginNameError { name: shorten(text) };
        if text.is_empty() || text.len() > MOST_BYTES || !text.bytes().all(allowed) || matches!(text, "." | "..") {
            return Err(refused());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its program's file (conformance 11.01).
    pub fn program(&self) -> String {
        format!("{PROGRAM_PREFIX}{}", self.0)
    }

    /// The plugin whose program has that file name.
    pub fn of_program(file: &str) -> Option<Self> {
        Self::new(file.strip_prefix(PROGRAM_PREFIX)?).ok()
    }
}

const PROGRAM_PREFIX: &str = "notation-";

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// No name of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no name of a plugin")]
pub struct PluginNameError {
    /// What was given.
    pub name: String,
}

impl Diagnostic for PluginNameError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UsageInvalid
    }

    fn hint(&self) -> Option<String> {
        Some("a name is made of letters, digits, '_', '.' and '-'; it is never a path".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        // Conformance 11.01, 11.03.
        for good in ["a", "aws-kms", "com.example.vault_2", "...", "-"] {
            let name = PluginName::new(good).unwrap();
            assert_eq!((name.as_str(), name.program()), (good, format!("notation-{good}")));
            assert_eq!(PluginName::of_program(&name.program()), Some(name));
        }
        for bad in ["", ".", "..", "../x", "../../x", "a/b", "/a", "a b", "a\0", "a\n", "ü", "a\\b", "C:x"] {
            assert!(PluginName::new(bad).is_err(), "{bad:?}");
        }
        assert!(PluginName::new(&"x".repeat(MOST_BYTES + 1)).is_err());
        for bad in ["vault", "notation-", "notation-..", "Notation-x"] {
            assert_eq!(PluginName::of_program(bad), None, "{bad:?}");
        }
    }
}
