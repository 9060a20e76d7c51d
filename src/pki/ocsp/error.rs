//! What can be wrong with an OCSP response.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::pki::{CertificateError, SignatureError, ValidityFailure};

/// Why an OCSP response says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OcspError {
    /// Not DER, or not an OCSP response.
    #[error("not an OCSP response in DER: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
    /// The responder refuses to answer.
    #[error("the OCSP responder gives no answer: {status}")]
    Status {
        /// The name of the status, or its number.
        status: String,
    },
    /// The answer is of a type that is not known.
    #[error("the OCSP response is of the type {oid}, not a basic response")]
    ResponseType {
        /// The type's object identifier.
        oid: String,
    },
    /// More octets than the limit.
    #[error("{size} bytes of OCSP response are more than the limit of {limit}")]
    TooLarge {
        /// The size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More certificates or answers than the limit.
    #[error("more than {limit} {what} in one OCSP response")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A certificate in it cannot be read.
    #[error("a certificate in the OCSP response: {source}")]
    Certificate {
        /// Why.
        source: CertificateError,
    },
    /// A critical extension that is not processed.
    #[error("the OCSP response has the critical extension {extension}, which is not supported")]
    UnsupportedExtension {
        /// The extension's object identifier.
        extension: String,
    },
    /// It is about other certificates.
    #[error("the OCSP response does not speak of \"{subject}\" (serial {serial}) of \"{issuer}\"")]
    NotCovered {
        /// The certificate's subject.
        subject: String,
        /// Its serial number.
        serial: String,
        /// Its issuer.
        issuer: String,
    },
    /// Neither the issuer nor a certificate in the response is the responder that it names.
    #[error(
        "the OCSP response names {responder} as its responder, which is neither \"{issuer}\" nor a certificate in it"
    )]
    ResponderAbsent {
        /// The responder, by name or hash of its key.
        responder: String,
        /// The issuer of the certificate.
        issuer: String,
    },
    /// The responder's certificate is not the issuer's.
    #[error("the OCSP responder \"{responder}\" has no certificate of \"{issuer}\": {source}")]
    ResponderForeign {
        /// The responder's subject.
        responder: String,
        /// The issuer of the certificate.
        issuer: String,
        /// Why.
        source: SignatureError,
    },
    /// The responder's certificate does not make it one.
    #[error("\"{responder}\" may not answer for \"{issuer}\": {why}")]
    ResponderUnfit {
        /// The responder's subject.
        responder: String,
        /// The issuer of the certificate.
        issuer: String,
        /// The rule that it breaks.
        why: String,
    },
    /// The responder's certificate was not valid when it answered.
    #[error("the OCSP responder had no valid certificate when it answered: {source}")]
    ResponderValidity {
        /// Which certificate, and when it is valid.
        source: ValidityFailure,
    },
    /// The signature is not the responder's.
    #[error("the OCSP response's signature is not that of \"{responder}\": {source}")]
    Signature {
        /// The responder's subject.
        responder: String,
        /// Why it is not accepted.
        source: SignatureError,
    },
}

impl From<der::Error> for OcspError {
    fn from(source: der::Error) -> Self {
        Self::Malformed { source }
    }
}

impl Diagnostic for OcspError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => DiagnosticCode::LimitExceeded,
            Self::Status { .. } => DiagnosticCode::EvidenceUnavailable,
            _ => DiagnosticCode::OcspInvalid,
        }
    }
}
