//! What can be wrong with the operator's trust configuration.

use std::io;
use std::path::PathBuf;

use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::json::JsonError;
use crate::pki::CertificateError;
use crate::trust::{PolicyError, PolicyKind, TrustStoreError, TrustStoreName};

/// Why configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Nothing says where the configuration directory is.
    #[error("no configuration directory is known: neither NOTATION_CONFIG nor XDG_CONFIG_HOME nor HOME is set")]
    NoDirectory,
    /// There is no policy.
    #[error("there is no {kind} at {}", .path.display())]
    PolicyMissing {
        /// Where it should be.
        path: PathBuf,
        /// What kind of policy was wanted.
        kind: PolicyKind,
    },
    /// The policy breaks a rule.
    #[error("{}: {source}", .path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// The rule.
        #[source]
        source: PolicyError,
    },
    /// A link, a directory, a device.
    #[error("{} is not a regular file; links are not followed", .path.display())]
    NotAFile {
        /// What it is about.
        path: PathBuf,
        /// What was wanted.
        wanted: ConfigFile,
    },
    /// A file larger than any honest one.
    #[error("{} is larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
        /// What was wanted.
        wanted: ConfigFile,
    },
    /// Reading failed.
    #[error("reading {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory holds no trust stores at all.
    #[error("there are no trust stores in {}", .path.display())]
    NoStores {
        /// The directory.
        path: PathBuf,
    },
    /// A store that the policy names is not there.
    #[error("the trust store {store} does not exist: there is no directory {}", .path.display())]
    StoreMissing {
        /// The store.
        store: TrustStoreName,
        /// Where it should be.
        path: PathBuf,
    },
    /// A store is a link or a file.
    #[error("the trust store {store} is not a directory: {} (links are not followed)", .path.display())]
    StoreNotADirectory {
        /// The store.
        store: TrustStoreName,
        /// What is there.
        path: PathBuf,
    },
    /// A file that holds no certificates.
    #[error("{}: {source}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CertificateError,
    },
    /// Settings that cannot be understood.
    #[error("{}: {source}", .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: JsonError,
    },
    /// Certificates that may not be in the store.
    #[error("{}: {source}", .path.display())]
    Store {
        /// The file, or the directory.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TrustStoreError,
    },
}

/// What a file was to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigFile {
    /// A trust policy.
    Policy,
    /// A certificate of a trust store.
    Certificate,
    /// The list of signing keys.
    SigningKeys,
    /// Notation's settings.
    Settings,
}

impl ConfigFile {
    const fn code(self) -> DiagnosticCode {
        match self {
            Self::Policy => DiagnosticCode::PolicyInvalid,
            Self::Certificate => DiagnosticCode::TrustStoreInvalid,
            Self::SigningKeys | Self::Settings => DiagnosticCode::ConfigInvalid,
        }
    }
}

impl Diagnostic for ConfigError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::NoDirectory | Self::Settings { .. } => DiagnosticCode::ConfigInvalid,
            Self::PolicyMissing { .. } => DiagnosticCode::PolicyMissing,
            Self::Policy { source, .. } => source.code(),
            Self::NotAFile { wanted, .. } | Self::TooLarge { wanted, .. } => wanted.code(),
            Self::Io { source, .. } => io_code(source),
            Self::NoStores { .. } | Self::StoreMissing { .. } => DiagnosticCode::TrustStoreMissing,
            Self::StoreNotADirectory { .. } | Self::Certificate { .. } => DiagnosticCode::TrustStoreInvalid,
            Self::Store { source, .. } => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoDirectory => Some(
                "set NOTATION_CONFIG or HOME; whoever judges can also name the trust store and the trust policy".into(),
            ),
            Self::PolicyMissing { kind, .. } => Some(format!(
                "write one in Notation's configuration directory; the smallest says whom to trust, and for what:\n{}",
                kind.example()
            )),
            Self::Policy { source, .. } => source.hint(),
            Self::NoStores { .. } => Some(
                "a trust store directory holds x509/TYPE/NAME/*.pem, TYPE being ca, signingAuthority or tsa".into(),
            ),
            Self::StoreMissing { path, .. } => Some(format!(
                "make that directory and put the certificate file (.pem, .crt or .cer) into it: {}",
                path.display()
            )),
            Self::Certificate { source, .. } => {
                source.hint().or_else(|| Some("a trust store takes certificates alone, PEM or DER".into()))
            }
            Self::Store { source, .. } => source.hint(),
            Self::NotAFile { .. } | Self::StoreNotADirectory { .. } => {
                Some("put the file itself there, or name its real path".into())
            }
            Self::TooLarge { .. } | Self::Io { .. } | Self::Settings { .. } => None,
        }
    }
}
