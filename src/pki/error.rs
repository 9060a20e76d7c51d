//! What can be wrong with certificates, chains, CRLs and signatures.

use crate::code::{Diagnostic, DiagnosticCode};

/// Why a certificate cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not DER, or not a certificate.
    #[error("not a certificate: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
}

impl Diagnostic for CertificateError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::CertificateMalformed
    }
}

/// Why a chain does not hold, conform or lead to an anchor.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No certificate at all.
    #[error("the certificate chain is empty")]
    Empty,
}

impl Diagnostic for ChainError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::ChainInvalid
    }
}

/// Why a CRL says nothing.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Not DER, or not a CRL.
    #[error("not a CRL: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
}

impl Diagnostic for CrlError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::CrlInvalid
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature is not one of these bytes under this key.
    #[error("the signature does not verify")]
    Mismatch,
}

impl Diagnostic for SignatureError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::SignatureInvalid
    }
}
