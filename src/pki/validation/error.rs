//! Why a certificate's path is not valid.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::pki::{CertificateError, Place, SignatureError, ValidityFailure, Violation};

/// Why no path makes a certificate valid: of several, the failure that came furthest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The certificate itself cannot be read.
    #[error("{source}")]
    Leaf {
        /// What is wrong with it.
        source: CertificateError,
    },
    /// Nobody at hand has the name of the issuer, or no road from there ends at an anchor.
    #[error("no path leads from \"{subject}\" to a trust anchor: \"{issuer}\", who issued \"{last}\", is not at hand")]
    NoPath {
        /// The leaf's subject.
        subject: String,
        /// The last certificate that was reached.
        last: String,
        /// Who issued that one.
        issuer: String,
    },
    /// The search was given up.
    #[error("the search for a path from \"{subject}\" to a trust anchor took too many steps")]
    TooManyPaths {
        /// The leaf's subject.
        subject: String,
    },
    /// An issuer's key did not make a certificate's signature.
    #[error("the signature of {place} is not its issuer's: {source}")]
    NotSignedBy {
        /// The certificate.
        place: Place,
        /// Why its signature is not accepted.
        source: SignatureError,
    },
    /// A certificate is not valid at the time that counts.
    #[error("{source}")]
    Validity {
        /// Which one and when.
        source: ValidityFailure,
    },
    /// A rule of RFC 5280 for issuers is broken: basicConstraints, path length, keyUsage.
    #[error("{place} breaks a rule of RFC 5280: {violation}")]
    Rule {
        /// The certificate.
        place: Place,
        /// The rule and what was found.
        violation: Violation,
    },
    /// A critical extension that is not processed.
    #[error("{place} has the critical extension {extension}, which is unknown or must not be critical")]
    UnknownCritical {
        /// The certificate.
        place: Place,
        /// The extension's object identifier.
        extension: String,
    },
    /// An extension is malformed, or where it must not be.
    #[error("the extension {extension} of {place} is not as RFC 5280 wants it: {why}")]
    Extension {
        /// The certificate.
        place: Place,
        /// The extension's name.
        extension: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate without an issuer's or an authority's name.
    #[error("the {which} of {place} is empty")]
    EmptyName {
        /// The certificate.
        place: Place,
        /// `issuer` or `subject`
        which: &'static str,
    },
    /// A name lies outside what an authority above may certify.
    #[error("{place}: {name} {why}")]
    NameConstraints {
        /// The certificate with the name.
        place: Place,
        /// The name.
        name: String,
        /// What it is held against.
        why: String,
    },
    /// More names and constraints than anybody needs.
    #[error("{place} has so many names that comparing them with the name constraints was given up")]
    TooManyNames {
        /// The certificate.
        place: Place,
    },
    /// The policies of the path are not the ones that are asked for.
    #[error("{place}: {why}")]
    Policy {
        /// The certificate at which no policy was left.
        place: Place,
        /// What was asked for.
        why: String,
    },
    /// A certificate is for other purposes.
    #[error("{place} is not for {purpose}: {why}")]
    Purpose {
        /// The certificate.
        place: Place,
        /// The purpose.
        purpose: &'static str,
        /// What was found.
        why: String,
    },
    /// A certificate departs from RFC 5280's profile for authorities, and the operator wants it kept.
    #[error("{place} departs from the profile of RFC 5280: {what}")]
    Departure {
        /// The certificate.
        place: Place,
        /// The rule.
        what: String,
    },
    /// A profile beyond RFC 5280 refuses the path, and tells why in its own terms.
    #[error("the path does not conform to its profile")]
    NotConforming,
    /// A certificate is revoked.
    #[error("{place} (serial {serial}) was revoked: {says}")]
    Revoked {
        /// The certificate.
        place: Place,
        /// Its serial number.
        serial: String,
        /// Who says so, when, and why.
        says: String,
    },
    /// Whether a certificate is revoked cannot be told, and must be.
    #[error("whether {place} is revoked could not be determined: {}", .gaps.first().map_or("no CRL or OCSP response speaks of it", |gap| gap.message.as_str()))]
    RevocationUnknown {
        /// The certificate.
        place: Place,
        /// Why each piece of evidence says nothing.
        gaps: Vec<Gap>,
    },
}

/// Why a piece of evidence says nothing of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The stable code.
    pub code: DiagnosticCode,
    /// What is wrong, and with which piece.
    pub message: String,
}

impl PathError {
    /// How far a path came: the failure of one that came further says more.
    pub(super) const fn reach(&self) -> u8 {
        match self {
            Self::NoPath { .. } => 0,
            Self::NotSignedBy { source: SignatureError::Mismatch, .. } => 1,
            Self::NotSignedBy { .. } => 2,
            Self::TooManyPaths { .. } => 3,
            Self::RevocationUnknown { .. } => 5,
            Self::Revoked { .. } => 6,
            _ => 4,
        }
    }
}

impl Diagnostic for PathError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Leaf { source } => source.code(),
            Self::NoPath { .. } => DiagnosticCode::ChainUntrusted,
            Self::TooManyPaths { .. } | Self::TooManyNames { .. } => DiagnosticCode::LimitExceeded,
            Self::NotSignedBy { source: SignatureError::Mismatch, .. } => DiagnosticCode::ChainInvalid,
            Self::NotSignedBy { source, .. } => source.code(),
            Self::Validity { source } => source.code(),
            Self::Rule { .. } | Self::Extension { .. } | Self::EmptyName { .. } | Self::Departure { .. } => {
                DiagnosticCode::PathInvalid
            }
            Self::NotConforming => DiagnosticCode::CertificateProfileViolated,
            Self::UnknownCritical { .. } => DiagnosticCode::CriticalExtensionUnknown,
            Self::NameConstraints { .. } => DiagnosticCode::NameConstraintsViolated,
            Self::Policy { .. } => DiagnosticCode::CertificatePolicyUnmet,
            Self::Purpose { .. } => DiagnosticCode::CertificatePurposeMismatch,
            Self::Revoked { .. } => DiagnosticCode::CertificateRevoked,
            Self::RevocationUnknown { gaps, .. } => {
                gaps.first().map_or(DiagnosticCode::RevocationUnknown, |gap| gap.code)
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoPath { .. } => {
                "give the missing issuer among the untrusted certificates, or the right trust anchor"
            }
            Self::NotSignedBy { source: SignatureError::WeakAlgorithm { .. }, .. } => {
                "SHA-1 can be allowed explicitly, for old archives; MD5 cannot"
            }
            Self::RevocationUnknown { .. } => "give a current CRL or OCSP response, and the certificate of its signer",
            Self::TooManyPaths { .. } => "give fewer certificates: only those that can be part of the path",
            _ => return None,
        };
        Some(hint.into())
    }
}
