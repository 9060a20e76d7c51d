//! Errors as the program prints them, and the exit status: the one place where codes become numbers.

use std::fmt;

use bulla::code::{Class, Diagnostic, DiagnosticCode};

/// Any failure of a command.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) code: DiagnosticCode,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl CommandError {
    pub(crate) fn new(code: DiagnosticCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(bulla::code::io_code(error), format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Diagnostic> From<E> for CommandError {
    fn from(error: E) -> Self {
        let code = error.code();
        let mut hint = [error.hint(), flag_hint(code).map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>();
        // An example goes on for many lines, and comes last.
        hint.sort_by_key(|hint| hint.contains('\n'));
        Self { code, message: error.to_string(), hint: (!hint.is_empty()).then(|| hint.join("; ")) }
    }
}

/// The library speaks in concepts; these are the flags that they go by here.
fn flag_hint(code: DiagnosticCode) -> Option<&'static str> {
    match code {
        DiagnosticCode::NameMissing => Some("--as names an artifact at export, --scope the repository to judge under"),
        DiagnosticCode::EvidenceUnavailable => {
            Some("--crl FILE|DIR supplies CRLs, --allow-missing-evidence goes without")
        }
        DiagnosticCode::PolicyMissing => {
            Some("--policy FILE names a policy elsewhere; --integrity-only checks the bytes alone")
        }
        DiagnosticCode::TrustStoreMissing => Some("--trust-store DIR names trust stores elsewhere"),
        DiagnosticCode::PlatformUnknown => Some("--platform chooses"),
        _ => None,
    }
}

/// How a command ended that did its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Done, or trusted.
    Done,
    /// Judged, and rejected.
    Rejected,
    /// Skipped by policy, or undecided.
    Undecided,
}

/// The contract: 0 done or trusted, 1 rejected, 2 usage, 3 damaged input, 4 environment, 5 skipped or undecided, 70 a bug.
const fn number(class: Class) -> u8 {
    match class {
        Class::Notice => 0,
        Class::Rejected => 1,
        Class::Usage => 2,
        Class::Damaged => 3,
        Class::Environment => 4,
        Class::Undecided => 5,
        Class::Bug => 70,
    }
}

impl Status {
    /// The exit status.
    pub(crate) const fn number(self) -> u8 {
        number(match self {
            Self::Done => Class::Notice,
            Self::Rejected => Class::Rejected,
            Self::Undecided => Class::Undecided,
        })
    }
}

impl CommandError {
    /// The exit status; a failure is never 0.
    pub(crate) const fn number(&self) -> u8 {
        match self.code.class() {
            Class::Notice => number(Class::Bug),
            class => number(class),
        }
    }
}

/// The exit status of a wrong command line.
pub(crate) const fn usage() -> u8 {
    number(Class::Usage)
}
