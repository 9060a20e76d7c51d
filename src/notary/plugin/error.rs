//! What a plugin says when it does not do what it was asked for, and what is wrong with an answer.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use super::{CONTRACT_VERSION, Command};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::{self, JsonError, Object};
use crate::notary::{EnvelopeError, PayloadError};
use crate::pki::KeyKind;

/// A plugin's own error (conformance 11.07): why it will not or cannot. All of it is the plugin's word, kept printable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRefusal {
    /// `ACCESS_DENIED`, `THROTTLED` and the like; codes that are not known pass (conformance 11.08).
    pub code: String,
    /// The explanation.
    pub message: String,
    /// What else there is to know.
    pub metadata: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ErrorDocument {
    error_code: Option<String>,
    error_message: Option<String>,
    error_metadata: Option<BTreeMap<String, String>>,
}

impl PluginRefusal {
    /// Reads what a plugin wrote to standard error; `None` where that is no error of the protocol: not JSON, or without any
    /// of its members (conformance 11.08).
    pub fn parse(stderr: &[u8]) -> Option<Self> {
        let Object(document) = json::from_slice::<Object<ErrorDocument>>(stderr).ok()?;
        let ErrorDocument { error_code, error_message, error_metadata } = document;
        if error_code.is_none() && error_message.is_none() && error_metadata.is_none() {
            return None;
        }
        let text = |text: Option<String>| text.as_deref().map(shorten).unwrap_or_default();
        let metadata = error_metadata.unwrap_or_default();
        Some(Self {
            code: text(error_code),
            message: text(error_message),
            metadata: metadata.iter().take(16).map(|(key, value)| (shorten(key), shorten(value))).collect(),
        })
    }

    /// What the operator can do, by the codes of the specification.
    pub fn advice(&self) -> Option<&'static str> {
        match self.code.as_str() {
            "ACCESS_DENIED" => Some("check the credentials that the plugin uses, and what they may do with this key"),
            "THROTTLED" => Some("the service behind the plugin asks to slow down; try again later"),
            "TIMEOUT" => Some("the service behind the plugin did not answer in time; try again"),
            "UNSUPPORTED_CONTRACT_VERSION" => Some("install a version of the plugin that speaks the contract 1.0"),
            "VALIDATION_ERROR" => Some("check the id of the key and --plugin-config"),
            _ => None,
        }
    }
}

impl fmt::Display for PluginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = if self.code.is_empty() { "an error without a code" } else { &self.code };
        f.write_str(code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        for (key, value) in &self.metadata {
            write!(f, "; {key}={value}")?;
        }
        Ok(())
    }
}

/// An answer that breaks the protocol, or is not to what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginAnswerError {
    /// Not the JSON that it should be. What the parser quotes is cut to size.
    #[error("its answer to {command} is malformed: {}", shorten(&.source.to_string()))]
    Json {
        /// What was asked.
        command: Command,
        /// What is wrong.
        source: JsonError,
    },
    /// A member of the metadata that must say something (conformance 11.12).
    #[error("its metadata lack {member:?}")]
    Lacking {
        /// The member.
        member: &'static str,
    },
    /// Another plugin than the one that was called (conformance 11.12).
    #[error("it calls itself {found:?}, and is installed as {expected:?}")]
    Name {
        /// What it calls itself.
        found: String,
        /// The name of its folder.
        expected: String,
    },
    /// It speaks other contracts (conformance 11.10).
    #[error("it speaks the contract {found}, bulla speaks {CONTRACT_VERSION}")]
    Contract {
        /// What it speaks.
        found: String,
    },
    /// The answer is about another key (conformance 11.13, 11.14).
    #[error("its answer to {command} is about the key {found:?}, asked was for {asked:?}")]
    KeyId {
        /// What was asked.
        command: Command,
        /// The key of the answer.
        found: String,
        /// The key of the request.
        asked: String,
    },
    /// A kind of key that the Notary Project does not know (conformance 11.13).
    #[error("it says that the key is of the kind {found:?}")]
    KeySpec {
        /// What it says.
        found: String,
    },
    /// Another algorithm than that of the key (conformance 11.16).
    #[error("it signed with {found:?}; keys of the kind {kind} sign with {prescribed}")]
    Algorithm {
        /// What it says.
        found: String,
        /// The kind of the key.
        kind: KeyKind,
        /// What belongs to the key.
        prescribed: &'static str,
    },
    /// An envelope of another format (conformance 11.17).
    #[error("it made an envelope of the type {found:?}, asked was for {asked}")]
    EnvelopeType {
        /// What it made.
        found: String,
        /// What was asked for.
        asked: &'static str,
    },
    /// An envelope that is none, or not genuine (conformance 11.25).
    #[error("the envelope that it made cannot be used: {0}")]
    Envelope(#[from] EnvelopeError),
    /// An envelope over something else than what was to be signed (conformance 2.27).
    #[error("the envelope that it made signs something else: {0}")]
    Target(#[from] super::super::TargetMismatch),
    /// A payload that is none (conformance 2.27).
    #[error("the payload that it signed cannot be used: {0}")]
    Payload(#[from] PayloadError),
    /// A signed annotation that was changed or dropped (conformance 2.27).
    #[error("the envelope that it made changes or drops the annotation {key:?}")]
    Annotation {
        /// The annotation.
        key: String,
    },
    /// A signed annotation that says what the signature is for, and that nobody asked for.
    #[error("the envelope that it made has the annotation {key:?}, which nobody asked for and which is not its to add")]
    Purpose {
        /// The annotation.
        key: String,
    },
    /// More annotations than a manifest has room for (conformance 11.17).
    #[error("it asks for annotations of {found} bytes; at most {limit} are taken")]
    Annotations {
        /// How many bytes keys and values have.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A member of the payload that nobody asked for (conformance 2.27).
    #[error("the payload that it signed has the member {member:?}, which has no place there")]
    Member {
        /// The member.
        member: String,
    },
}

impl Diagnostic for PluginAnswerError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PluginFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "nothing was done with its answer; the plugin's makers have to repair it, or another version is needed"
                .into(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_plugins_are_read_as_they_come() {
        // Conformance 11.07, 11.08.
        let parse = |text: &str| PluginRefusal::parse(text.as_bytes());
        let full = r#"{"errorCode":"ACCESS_DENIED","errorMessage":"no","errorMetadata":{"a":"b"},"later":1}"#;
        assert_eq!(parse(full).unwrap().to_string(), "ACCESS_DENIED: no; a=b");
        assert!(parse(full).unwrap().advice().is_some());
        assert_eq!(parse(r#"{"errorMessage":"no"}"#).unwrap().to_string(), "an error without a code: no");
        assert_eq!(parse(r#"{"errorCode":"OWN_CODE"}"#).unwrap().to_string(), "OWN_CODE");
        for none in ["", "panic: x", "{}", "[]", r#"{"error":"x"}"#, r#"{"errorCode":7}"#] {
            assert_eq!(parse(none), None, "{none}");
        }
        let wild = format!(r#"{{"errorMessage":"\u001b[2J{}"}}"#, "x".repeat(1000));
        let shown = parse(&wild).unwrap().to_string();
        assert!(shown.chars().count() < 300 && !shown.chars().any(char::is_control), "{shown}");
    }
}
