//! Where revocation data comes from: files on disk, the network, or a bundle's evidence referrers.

mod directory;
#[cfg(feature = "registry")]
pub mod network;
pub mod notation_cache;
mod referrer;

pub use directory::{EvidenceFileError, load_crls};
pub use referrer::{EvidenceManifest, evidence_layers, token_layers};

use crate::code::{Diagnostic, DiagnosticCode};

/// A live source of revocation data.
pub trait LiveEvidence: Send + Sync {
    /// Brings the CRL at `url`, at most `limit` bytes, unchecked.
    ///
    /// # Errors
    /// It could not be had. That is never the same as "nothing is revoked".
    fn fetch_crl(&self, url: &str, limit: u64) -> Result<Vec<u8>, EvidenceFetchError>;

    /// Brings the answer of the OCSP responder at `url` to `request` (DER), at most `limit` bytes, unchecked.
    ///
    /// # Errors
    /// It could not be had. That is never the same as "good".
    fn fetch_ocsp(&self, url: &str, request: &[u8], limit: u64) -> Result<Vec<u8>, EvidenceFetchError>;
}

/// Why revocation data could not be had from a live source.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EvidenceFetchError {
    /// The code.
    pub code: DiagnosticCode,
    /// What happened, with the URL.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl EvidenceFetchError {
    /// Wraps the error of a particular source.
    pub fn from_diagnostic(error: &dyn Diagnostic) -> Self {
        Self { code: error.code(), message: error.to_string(), hint: error.hint() }
    }
}

impl Diagnostic for EvidenceFetchError {
    fn code(&self) -> DiagnosticCode {
        self.code
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}
