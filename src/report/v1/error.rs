//! An error as a document.

use serde::{Deserialize, Serialize};

use crate::code::{Diagnostic, DiagnosticCode};

/// An error as a document, for `--format json` (`schemas/error-v1.schema.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorDocument {
    /// Always 1.
    pub schema_version: u32,
    /// What made it.
    pub tool: String,
    /// The error.
    pub error: ErrorBody,
}

/// The error in an [`ErrorDocument`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorBody {
    /// The code.
    pub code: DiagnosticCode,
    /// What happened.
    pub message: String,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorDocument {
    /// The document of an error.
    pub fn new(error: &dyn Diagnostic) -> Self {
        Self {
            schema_version: 1,
            tool: crate::report::TOOL.to_owned(),
            error: ErrorBody { code: error.code(), message: error.to_string(), hint: error.hint() },
        }
    }
}
