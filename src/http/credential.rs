//! Who we are to a registry, and who knows that.

use std::fmt;
use std::path::PathBuf;

use crate::code::{Diagnostic, DiagnosticCode};

/// Text that never shows in messages, logs or debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a registry is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password: sent as they are, or exchanged for a token.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, exchanged for access tokens (Docker's `identitytoken`).
    IdentityToken(Secret),
    /// An access token, sent as it is (Docker's `registrytoken`).
    AccessToken(Secret),
}

/// Knows the credentials for a registry.
pub trait CredentialProvider: Send + Sync {
    /// The credential for `host` (host and port, as written in references); `None` is anonymous.
    ///
    /// # Errors
    /// There may be one, but it could not be had.
    fn credential(&self, host: &str) -> Result<Option<Credential>, CredentialError>;
}

/// Why a credential could not be had. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A configuration file cannot be read or understood.
    #[error("{path}: {reason}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A credential helper failed.
    #[error("the credential helper {helper:?} failed for {host}: {reason}")]
    Helper {
        /// Its name, without `docker-credential-`.
        helper: String,
        /// The registry.
        host: String,
        /// Why.
        reason: String,
    },
}

impl Diagnostic for CredentialError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::CredentialsUnavailable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File { .. } => "repair the file, or name another folder with DOCKER_CONFIG".into(),
            Self::Helper { helper, .. } => {
                format!("see whether docker-credential-{helper} is on the PATH and works on its own")
            }
        })
    }
}
