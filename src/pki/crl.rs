//! Certificate revocation lists (RFC 5280 §5), read without an allocation per entry.

use std::sync::Arc;

use super::{Certificate, CrlError, Name, SerialNumber};
use crate::digest::Digest;
use crate::time::UnixTime;

/// A CRL that can be read; nothing about its signature is known yet. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Crl(Arc<[u8]>);

impl Crl {
    /// Reads one version 2 CRL, with nothing behind it.
    pub fn from_der(_der: impl Into<Arc<[u8]>>) -> Result<Self, CrlError> {
        unimplemented!()
    }
    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        unimplemented!()
    }
    /// SHA-256 of the received bytes.
    pub fn digest(&self) -> Digest {
        unimplemented!()
    }
    /// Who signed it, by its own claim.
    pub fn issuer(&self) -> &Name {
        unimplemented!()
    }
    /// When it was issued.
    pub fn this_update(&self) -> UnixTime {
        unimplemented!()
    }
    /// By when the next one will be issued.
    pub fn next_update(&self) -> Option<UnixTime> {
        unimplemented!()
    }
    /// The CRL number.
    pub fn number(&self) -> Option<&SerialNumber> {
        unimplemented!()
    }
    /// Whether it only lists changes.
    pub fn is_delta(&self) -> bool {
        unimplemented!()
    }
    /// Of a delta CRL: the number of the base that it needs.
    pub fn base_crl_number(&self) -> Option<&SerialNumber> {
        unimplemented!()
    }
    /// The scope, if it has a limited one.
    pub fn idp(&self) -> Option<&IssuingDistributionPoint> {
        unimplemented!()
    }
    /// URLs of delta CRLs.
    pub fn freshest_urls(&self) -> &[String] {
        unimplemented!()
    }
    /// How many certificates it lists.
    pub fn entry_count(&self) -> usize {
        unimplemented!()
    }
    /// Checks that `issuer` may sign CRLs and signed this one, and that it needs nothing that is not supported.
    pub fn verify(&self, _issuer: &Certificate) -> Result<VerifiedCrl, CrlError> {
        unimplemented!()
    }
}

/// The scope of a CRL (RFC 5280 §5.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// URLs of the distribution point's full name.
    pub urls: Vec<String>,
    /// Lists end-entity certificates only.
    pub only_user_certs: bool,
    /// Lists CA certificates only.
    pub only_ca_certs: bool,
    /// Lists attribute certificates only.
    pub only_attribute_certs: bool,
    /// Lists some revocation reasons only.
    pub only_some_reasons: bool,
    /// Lists certificates of other issuers too.
    pub indirect: bool,
}

/// A base CRL whose signature holds under the issuer's key.
#[derive(Debug, Clone)]
pub struct VerifiedCrl(Crl);

impl VerifiedCrl {
    /// The CRL.
    pub fn crl(&self) -> &Crl {
        &self.0
    }
    /// Checks that `certificate` is in the scope of the CRL.
    pub fn covers(&self, _certificate: &Certificate) -> Result<(), CrlError> {
        unimplemented!()
    }
    /// What it says of the serial number. Only meaningful for a certificate that it [covers](Self::covers).
    pub fn lookup(&self, _serial: &SerialNumber) -> Result<CrlEntry, CrlError> {
        unimplemented!()
    }
}

/// What a CRL says of one serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlEntry {
    /// It is not on the list.
    NotListed,
    /// It is revoked.
    Revoked(Revocation),
}

/// A revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// When the authority processed it.
    pub date: UnixTime,
    /// Why.
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to have been in the wrong hands.
    pub invalidity_date: Option<UnixTime>,
}

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RevocationReason {
    /// unspecified (0), also if the entry names no reason.
    Unspecified,
    /// keyCompromise (1)
    KeyCompromise,
    /// cACompromise (2)
    CaCompromise,
    /// affiliationChanged (3)
    AffiliationChanged,
    /// superseded (4)
    Superseded,
    /// cessationOfOperation (5)
    CessationOfOperation,
    /// certificateHold (6)
    CertificateHold,
    /// privilegeWithdrawn (9)
    PrivilegeWithdrawn,
    /// aACompromise (10)
    AaCompromise,
}

impl RevocationReason {
    /// The name of RFC 5280, in its spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}
