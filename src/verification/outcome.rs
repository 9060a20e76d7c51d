//! What checks find.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::trust::CheckKind;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: DiagnosticCode,
    /// What was compared and found, in a sentence.
    pub message: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(code: DiagnosticCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Adds the way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl<E: Diagnostic> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: error.code(), message: error.to_string(), hint: error.hint() }
    }
}

/// What a check found. "It is bad" and "it could not be told" are different findings, and neither is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It holds, and why.
    Passed(String),
    /// It holds by the operator's choice, and what there is to know about it.
    Excused(String, DiagnosticCode),
    /// It does not hold.
    Failed(Failure),
    /// It could not be determined.
    Undetermined(Failure),
    /// There is nothing to check, and why; something to know comes with a code.
    NotApplicable(String, Option<DiagnosticCode>),
    /// It was not run, and why.
    NotRun(String),
}

impl Finding {
    /// The failure, of either kind.
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Undetermined(failure) => Some(failure),
            _ => None,
        }
    }
}

/// One finding, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The kind, which the policy's level names.
    pub kind: CheckKind,
    /// The certificate that it is about, where it is about one.
    pub certificate: Option<String>,
    /// What was found.
    pub finding: Finding,
}

impl Check {
    /// A finding about the signature as a whole.
    pub const fn of(kind: CheckKind, finding: Finding) -> Self {
        Self { kind, certificate: None, finding }
    }
}
