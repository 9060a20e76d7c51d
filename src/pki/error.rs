//! What can be wrong with certificates, chains, CRLs and signatures.

use super::{KeyKind, Profile, ValidityFailure};
use crate::code::{Diagnostic, DiagnosticCode};

/// Why a certificate or a file of certificates cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not DER, or not a certificate.
    #[error("not a certificate in DER: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
    /// An extension cannot be read.
    #[error("the extension {extension} of the certificate is malformed: {source}")]
    MalformedExtension {
        /// Its object identifier.
        extension: String,
        /// What the decoder met.
        source: der::Error,
    },
    /// An extension is there twice.
    #[error("the certificate has the extension {extension} twice")]
    DuplicateExtension {
        /// Its object identifier.
        extension: String,
    },
    /// The version is not 1, 2 or 3, or too low for what the certificate contains.
    #[error("a certificate of version {version} cannot contain this")]
    Version {
        /// The version, counted from 1.
        version: u32,
    },
    /// The signature algorithm outside the signed part is not the one inside.
    #[error("the certificate names two different signature algorithms")]
    AlgorithmsDiffer,
    /// More octets than the limit.
    #[error("{size} bytes of certificate are more than the limit of {limit}")]
    TooLarge {
        /// The size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More certificates, distribution points or URLs than the limit.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The file holds no certificate.
    #[error("the file holds no certificate")]
    NoCertificate,
    /// The file is PEM but not well formed.
    #[error("the PEM text is malformed in its block number {block}")]
    Pem {
        /// The block, counted from 1.
        block: usize,
    },
    /// One of the certificates of a file cannot be read.
    #[error("certificate number {position} of the file: {source}")]
    InFile {
        /// The certificate, counted from 1.
        position: usize,
        /// What is wrong with it.
        source: Box<CertificateError>,
    },
}

impl From<der::Error> for CertificateError {
    fn from(source: der::Error) -> Self {
        Self::Malformed { source }
    }
}

impl Diagnostic for CertificateError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => DiagnosticCode::LimitExceeded,
            Self::InFile { source, .. } => source.code(),
            _ => DiagnosticCode::CertificateMalformed,
        }
    }
}

/// Where in a chain something is wrong: counted from 0, the leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The certificate's position; 0 is the leaf.
    pub position: usize,
    /// The certificate's subject.
    pub subject: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "certificate {} of the chain (\"{}\")", self.position.saturating_add(1), self.subject)
    }
}

/// Why a chain does not hold together, does not conform, or does not lead to an anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// No certificate at all.
    #[error("the certificate chain is empty")]
    Empty,
    /// More certificates than the limit.
    #[error("the certificate chain holds {count} certificates, more than the limit of {limit}")]
    TooLong {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The issuer that a certificate names is not the subject of the next.
    #[error("{place} was issued by \"{issuer}\", but the next certificate belongs to \"{next}\"")]
    NameMismatch {
        /// The certificate.
        place: Place,
        /// The issuer that it names.
        issuer: String,
        /// The subject of the next certificate.
        next: String,
    },
    /// The next certificate's key did not make a certificate's signature.
    #[error("the signature of {place} is not its issuer's: {source}")]
    NotSignedBy {
        /// The certificate.
        place: Place,
        /// Why its signature is not accepted.
        source: SignatureError,
    },
    /// The last certificate is not a self-signed root.
    #[error("the chain does not end in a self-signed root: {place} was issued by \"{issuer}\"")]
    NoRoot {
        /// The last certificate.
        place: Place,
        /// Who issued it.
        issuer: String,
    },
    /// A self-signed certificate is followed by another.
    #[error("{place} is self-signed but is not the last of the chain")]
    RootInside {
        /// The certificate.
        place: Place,
    },
    /// A certificate breaks a rule of the profile.
    #[error("{place} breaks a rule for {profile}: {violation}")]
    Profile {
        /// The certificate.
        place: Place,
        /// The profile.
        profile: Profile,
        /// The rule and what was found.
        violation: Violation,
    },
    /// A certificate is not valid at the time that counts.
    #[error("{source}")]
    Validity {
        /// Which one and when.
        source: ValidityFailure,
    },
    /// A certificate has a critical extension that is not processed.
    #[error("{place} has the extension {extension}, which is not supported in an authority's path")]
    UnsupportedExtension {
        /// The certificate.
        place: Place,
        /// The extension's object identifier.
        extension: String,
    },
    /// Path validation refuses it for another reason: constraints on names or policies, a malformed extension.
    #[error("{source}")]
    Path {
        /// Why.
        source: Box<super::validation::PathError>,
    },
    /// No certificate of the chain is among the trusted ones.
    #[error("no certificate of the chain of \"{subject}\", which ends at \"{root}\", is trusted")]
    Untrusted {
        /// The leaf's subject.
        subject: String,
        /// The subject of the chain's last certificate.
        root: String,
    },
    /// No path leads to a trusted root.
    #[error("no path leads from \"{subject}\" to a trusted root")]
    NoPath {
        /// The leaf's subject.
        subject: String,
    },
    /// The search for a path was given up.
    #[error("the search for a path from \"{subject}\" to a trusted root took too many steps")]
    TooManyPaths {
        /// The leaf's subject.
        subject: String,
    },
}

impl ChainError {
    /// Whether the chain may be well made but leads to nothing trusted.
    pub const fn is_untrusted(&self) -> bool {
        matches!(self, Self::Untrusted { .. } | Self::NoPath { .. })
    }
}

impl Diagnostic for ChainError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooLong { .. } | Self::TooManyPaths { .. } => DiagnosticCode::LimitExceeded,
            Self::NotSignedBy { source, .. } if *source != SignatureError::Mismatch => source.code(),
            Self::Empty
            | Self::NameMismatch { .. }
            | Self::NotSignedBy { .. }
            | Self::NoRoot { .. }
            | Self::RootInside { .. } => DiagnosticCode::ChainInvalid,
            Self::Profile { .. } | Self::UnsupportedExtension { .. } => DiagnosticCode::CertificateProfileViolated,
            Self::Validity { source } => source.code(),
            Self::Path { source } => source.code(),
            Self::Untrusted { .. } | Self::NoPath { .. } => DiagnosticCode::ChainUntrusted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            // Anybody can make a certificate with any name: what is rejected here may just as well be a forgery.
            Self::Untrusted { .. } | Self::NoPath { .. } => Some(
                "a forgery looks like this too; only if the publisher confirms that root certificate by another way, put it into \
                 a trust store that the trust policy names"
                    .into(),
            ),
            _ => None,
        }
    }
}

/// A rule of a certificate profile that is broken (conformance 5.02, 5.07 to 5.14).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A leaf that is a CA (conformance 5.11).
    #[error("basicConstraints must not say cA for a signer")]
    LeafIsCa,
    /// An issuer that is no CA (conformance 5.08).
    #[error("basicConstraints must say cA for an issuer")]
    NotCa,
    /// An issuer's basicConstraints may be ignored by others (conformance 5.08).
    #[error("basicConstraints must be critical for an issuer")]
    BasicConstraintsNotCritical,
    /// More CA certificates below than allowed (conformance 5.09).
    #[error("pathLenConstraint allows {allowed} CA certificates below and there are {below}")]
    PathTooLong {
        /// The constraint.
        allowed: u32,
        /// How many there are.
        below: usize,
    },
    /// No keyUsage (conformance 5.10, 5.12).
    #[error("keyUsage is missing")]
    KeyUsageMissing,
    /// A keyUsage that may be ignored by others (conformance 5.10, 5.12).
    #[error("keyUsage must be critical")]
    KeyUsageNotCritical,
    /// A usage that must be there (conformance 5.10, 5.12).
    #[error("keyUsage lacks {usage}")]
    KeyUsageLacks {
        /// The usage.
        usage: &'static str,
    },
    /// A usage that must not be there (conformance 5.12).
    #[error("keyUsage must not have {usage}")]
    KeyUsageForbidden {
        /// The usage.
        usage: &'static str,
    },
    /// No extKeyUsage (conformance 5.14).
    #[error("extKeyUsage is missing")]
    ExtendedKeyUsageMissing,
    /// An extKeyUsage that may be ignored by others (conformance 5.14).
    #[error("extKeyUsage must be critical")]
    ExtendedKeyUsageNotCritical,
    /// A purpose that must be the only one (conformance 5.14).
    #[error("extKeyUsage must be timeStamping and nothing else")]
    ExtendedKeyUsageNotOnlyTimestamping,
    /// A purpose that must not be there (conformance 5.13).
    #[error("extKeyUsage must not have {purpose}")]
    ExtendedKeyUsageForbidden {
        /// The purpose.
        purpose: &'static str,
    },
    /// An issuer whose extKeyUsage excludes what the leaf does (conformance 9.23).
    #[error("extKeyUsage of an issuer must have timeStamping")]
    ExtendedKeyUsageLacksTimestamping,
    /// A key that no signer may have (conformance 5.02).
    #[error("the key {key} is none of {}", KeyKind::ALL.map(KeyKind::as_str).join(", "))]
    Key {
        /// The key.
        key: String,
    },
}

/// Why a CRL says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CrlError {
    /// Not DER, or not a CRL.
    #[error("not a CRL in DER: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
    /// An extension cannot be read, or is there twice.
    #[error("the extension {extension} of the CRL is malformed or repeated")]
    MalformedExtension {
        /// Its object identifier.
        extension: String,
    },
    /// The CRL is not of version 2.
    #[error("the CRL is not of version 2")]
    Version,
    /// The signature algorithm outside the signed part is not the one inside.
    #[error("the CRL names two different signature algorithms")]
    AlgorithmsDiffer,
    /// More octets than the limit.
    #[error("{size} bytes of CRL are more than the limit of {limit}")]
    TooLarge {
        /// The size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More CRLs in a file than the limit.
    #[error("more than {limit} CRLs in one file")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The file holds no CRL.
    #[error("the file holds no CRL")]
    NoCrl,
    /// The file is PEM but not well formed, or holds something other than CRLs.
    #[error("block number {block} of the PEM text is no CRL")]
    Pem {
        /// The block, counted from 1.
        block: usize,
    },
    /// Another authority issued it.
    #[error("the CRL was issued by \"{found}\", not by \"{expected}\"")]
    IssuerMismatch {
        /// The issuer's name.
        expected: String,
        /// The CRL's.
        found: String,
    },
    /// The issuer's certificate does not allow it to sign CRLs.
    #[error("\"{issuer}\" may not sign CRLs: it is no CA, or its keyUsage lacks cRLSign")]
    IssuerMayNotSign {
        /// The issuer.
        issuer: String,
    },
    /// The signature is not the issuer's.
    #[error("the CRL's signature is not that of \"{issuer}\": {source}")]
    Signature {
        /// The issuer.
        issuer: String,
        /// Why it is not accepted.
        source: SignatureError,
    },
    /// A critical extension that is not processed.
    #[error("the CRL of \"{issuer}\" has the critical extension {extension}, which is not supported")]
    UnsupportedExtension {
        /// The issuer.
        issuer: String,
        /// The extension's object identifier.
        extension: String,
    },
    /// A delta CRL where a whole one is needed.
    #[error("the CRL of \"{issuer}\" is a delta CRL; a complete one is needed")]
    Delta {
        /// The issuer.
        issuer: String,
    },
    /// A complete CRL where a list of changes is meant.
    #[error("the CRL of \"{issuer}\" is no delta CRL")]
    NotDelta {
        /// The issuer.
        issuer: String,
    },
    /// A delta CRL that does not continue this base.
    #[error("the delta CRL of \"{issuer}\" cannot be applied to the CRL at hand: {why}")]
    DeltaMismatch {
        /// The issuer.
        issuer: String,
        /// What does not fit.
        why: &'static str,
    },
    /// A CRL that lists certificates of other issuers.
    #[error("the CRL of \"{issuer}\" is an indirect CRL, which is not supported")]
    Indirect {
        /// The issuer.
        issuer: String,
    },
    /// A CRL that does not cover the certificate.
    #[error("the CRL of \"{issuer}\" does not cover \"{subject}\": {scope}")]
    OutOfScope {
        /// The issuer.
        issuer: String,
        /// The certificate's subject.
        subject: String,
        /// What the CRL covers instead.
        scope: &'static str,
    },
    /// The entry of the certificate cannot be interpreted.
    #[error("the CRL's entry for serial number {serial} cannot be interpreted: {why}")]
    Entry {
        /// The serial number.
        serial: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl From<der::Error> for CrlError {
    fn from(source: der::Error) -> Self {
        Self::Malformed { source }
    }
}

impl Diagnostic for CrlError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooLarge { .. } | Self::TooMany { .. } => DiagnosticCode::LimitExceeded,
            Self::UnsupportedExtension { .. }
            | Self::Delta { .. }
            | Self::NotDelta { .. }
            | Self::DeltaMismatch { .. }
            | Self::Indirect { .. }
            | Self::OutOfScope { .. } => DiagnosticCode::CrlOutOfScope,
            _ => DiagnosticCode::CrlInvalid,
        }
    }
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature is not one of these bytes under this key.
    #[error("the signature does not verify")]
    Mismatch,
    /// The key is too small, too large or of a kind that is not supported.
    #[error("the key {key} cannot be used")]
    KeyUnusable {
        /// The key.
        key: String,
    },
    /// The algorithm is for another kind of key.
    #[error("{scheme} does not go with the key {key}")]
    SchemeMismatch {
        /// The key.
        key: String,
        /// The algorithm.
        scheme: String,
    },
    /// The algorithm is broken: SHA-1, MD5.
    #[error("the signature algorithm {oid} is too weak to be accepted")]
    WeakAlgorithm {
        /// Its object identifier.
        oid: String,
    },
    /// The algorithm is not supported.
    #[error("the signature algorithm {oid} is not supported")]
    UnknownAlgorithm {
        /// Its object identifier.
        oid: String,
    },
}

impl Diagnostic for SignatureError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Mismatch => DiagnosticCode::SignatureInvalid,
            Self::SchemeMismatch { .. } => DiagnosticCode::AlgorithmMismatch,
            Self::KeyUnusable { .. } | Self::WeakAlgorithm { .. } | Self::UnknownAlgorithm { .. } => {
                DiagnosticCode::AlgorithmUnsupported
            }
        }
    }
}

impl Diagnostic for ValidityFailure {
    fn code(&self) -> DiagnosticCode {
        if self.is_expired() { DiagnosticCode::CertificateExpired } else { DiagnosticCode::CertificateNotYetValid }
    }
}
