//! Certificate chains as the Notary Project wants them (conformance 5.04 to 5.17, 6.10).

use super::error::{Place, Violation};
use super::{Certificate, ChainError, KeyKind, Profile};
use crate::limits::Limits;
use crate::time::{UnixTime, ValidityPeriod};

/// Certificates, leaf first, about which nothing was checked but their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain {
    leaf: Certificate,
    /// All of them, the leaf included.
    all: Vec<Certificate>,
}

impl CertificateChain {
    /// A chain of at least one certificate.
    ///
    /// # Errors
    /// No certificate, or more than the limit.
    pub fn new(certificates: Vec<Certificate>, limits: &Limits) -> Result<Self, ChainError> {
        let (count, limit) = (certificates.len(), limits.certificates);
        if count > limit {
            return Err(ChainError::TooLong { count, limit });
        }
        let leaf = certificates.first().cloned().ok_or(ChainError::Empty)?;
        Ok(Self { leaf, all: certificates })
    }

    /// Leaf first.
    pub fn certificates(&self) -> &[Certificate] {
        &self.all
    }

    /// The signer's certificate.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// Checks links, signatures and the rules of the profile. The time is not looked at.
    ///
    /// # Errors
    /// The first broken rule, with the certificate that breaks it.
    pub fn inspect(self, profile: Profile) -> Result<ConformingChain, ChainError> {
        for (position, pair) in self.all.windows(2).enumerate() {
            if let [certificate, issuer] = pair {
                check_link(position, certificate, issuer)?;
            }
        }
        let last = self.all.len().saturating_sub(1);
        let root = self.all.last().unwrap_or(&self.leaf);
        check_root(last, root)?;
        let broken = |position, certificate: &Certificate, violation: Violation| ChainError::Profile {
            place: place(position, certificate),
            profile,
            violation,
        };
        let kind = profile.check_leaf(&self.leaf).map_err(|violation| broken(0, &self.leaf, violation))?;
        for (position, issuer) in self.all.iter().enumerate().skip(1) {
            let below = position.saturating_sub(1);
            profile.check_issuer(issuer, below).map_err(|violation| broken(position, issuer, violation))?;
        }
        Ok(ConformingChain { chain: self, kind })
    }
}

/// 5.05 and 5.06: names byte-equal, signature by the next key, no root before the last place.
fn check_link(position: usize, certificate: &Certificate, issuer: &Certificate) -> Result<(), ChainError> {
    if certificate.is_self_signed() {
        return Err(ChainError::RootInside { place: place(position, certificate) });
    }
    if certificate.issuer() != issuer.subject() {
        return Err(ChainError::NameMismatch {
            place: place(position, certificate),
            issuer: shown(certificate.issuer()),
            next: shown(issuer.subject()),
        });
    }
    certificate
        .verify_signed_by(issuer)
        .map_err(|source| ChainError::NotSignedBy { place: place(position, certificate), source })
}

/// 5.04: the last certificate is self-signed, with a signature that is not SHA-1 (5.15).
fn check_root(position: usize, root: &Certificate) -> Result<(), ChainError> {
    if !root.is_self_issued() {
        return Err(ChainError::NoRoot { place: place(position, root), issuer: shown(root.issuer()) });
    }
    root.verify_signed_by(root).map_err(|source| ChainError::NotSignedBy { place: place(position, root), source })
}

/// Names a certificate in an error.
pub(crate) fn place(position: usize, certificate: &Certificate) -> Place {
    Place { position, subject: shown(certificate.subject()) }
}

pub(crate) fn shown(name: &super::Name) -> String {
    crate::digest::shorten(&name.to_string())
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
    ///
    /// # Errors
    /// The first certificate, leaf upward, that is not, and which of the two times lies outside.
    pub fn check_validity(&self, from: UnixTime, to: UnixTime) -> Result<(), ValidityFailure> {
        for certificate in self.certificates() {
            for at in [from, to] {
                check_valid_at(certificate, at)?;
            }
        }
        Ok(())
    }

    /// Looks for a certificate of the chain among `anchors`, byte for byte, leaf upward (conformance 6.10).
    ///
    /// # Errors
    /// [`ChainError::Untrusted`]
    pub fn verify_anchor(&self, anchors: &[Certificate]) -> Result<TrustedChain, ChainError> {
        let anchor = self.certificates().iter().find(|certificate| anchors.contains(certificate));
        match anchor {
            Some(anchor) => Ok(TrustedChain { chain: self.clone(), anchor: anchor.clone() }),
            None => {
                let root = self.certificates().last().unwrap_or(self.leaf());
                let (subject, root) = (shown(self.leaf().subject()), shown(root.subject()));
                Err(ChainError::Untrusted { subject, root })
            }
        }
    }
}

pub(crate) fn check_valid_at(certificate: &Certificate, at: UnixTime) -> Result<(), ValidityFailure> {
    let period = certificate.validity();
    if period.contains(at) { Ok(()) } else { Err(ValidityFailure { certificate: certificate.clone(), period, at }) }
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
#[error("the certificate {:?} is valid from {} to {}, not at {at}", .certificate.short_name(), .period.not_before, .period.not_after)]
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
