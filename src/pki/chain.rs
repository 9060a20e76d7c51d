//! Certificate chains as the Notary Project wants them (conformance 5.04 to 5.16).

use super::{Certificate, ChainError, KeyKind};
use crate::limits::Limits;
use crate::time::{UnixTime, ValidityPeriod};

/// What the leaf signs, which decides the rules of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Notary Project signatures.
    CodeSigning,
    /// RFC 3161 timestamps.
    Timestamping,
}

/// Certificates, leaf first, about which nothing was checked but their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain(Vec<Certificate>);

impl CertificateChain {
    /// A chain of at least one certificate.
    pub fn new(_certificates: Vec<Certificate>, _limits: &Limits) -> Result<Self, ChainError> {
        unimplemented!()
    }
    /// Leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.0
    }
    /// The signer's certificate.
    pub fn leaf(&self) -> &Certificate {
        unimplemented!()
    }
    /// Checks links, signatures and the rules of the profile.
    pub fn inspect(self, _profile: Profile) -> Result<ConformingChain, ChainError> {
        unimplemented!()
    }
}

/// A chain that holds together up to a self-signed root and keeps the rules of its profile. Not yet trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConformingChain {
    chain: CertificateChain,
    kind: KeyKind,
}

impl ConformingChain {
    /// Leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        self.chain.certificates()
    }
    /// The signer's certificate.
    pub fn leaf(&self) -> &Certificate {
        self.chain.leaf()
    }
    /// The kind of the leaf's key.
    pub fn key_kind(&self) -> KeyKind {
        self.kind
    }
    /// The chain.
    pub fn chain(&self) -> &CertificateChain {
        &self.chain
    }
    /// Checks that every certificate is valid from `from` to `to`, both inclusive.
    pub fn check_validity(&self, _from: UnixTime, _to: UnixTime) -> Result<(), ValidityFailure> {
        unimplemented!()
    }
    /// Looks for a certificate of the chain among `anchors`, byte for byte, leaf upward (conformance 6.10).
    pub fn verify_anchor(&self, _anchors: &[Certificate]) -> Result<TrustedChain, ChainError> {
        unimplemented!()
    }
}

/// A conforming chain that contains a trusted certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedChain {
    chain: ConformingChain,
    anchor: Certificate,
}

impl TrustedChain {
    /// The chain.
    pub fn chain(&self) -> &ConformingChain {
        &self.chain
    }
    /// The certificate that is trusted.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }
}

/// A certificate was not valid at a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate {:?} was valid from {} to {}, not at {at}", .certificate.short_name(), .period.not_before, .period.not_after)]
pub struct ValidityFailure {
    /// The certificate.
    pub certificate: Certificate,
    /// When it is valid.
    pub period: ValidityPeriod,
    /// The time that lies outside.
    pub at: UnixTime,
}

impl ValidityFailure {
    /// Whether the time is behind the end; otherwise it is before the beginning.
    pub fn is_expired(&self) -> bool {
        self.period.ended(self.at)
    }
}
