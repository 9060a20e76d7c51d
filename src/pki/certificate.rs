//! Certificates (RFC 5280 §4).

use std::fmt;
use std::sync::Arc;

use super::{CertificateError, Name, PublicKey, SignatureError};
use crate::digest::Digest;
use crate::time::ValidityPeriod;

/// One certificate. Cheap to clone; equal when the DER is equal.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject())
    }
}

impl Certificate {
    /// Reads one certificate, with nothing behind it.
    pub fn from_der(_der: &[u8]) -> Result<Self, CertificateError> {
        unimplemented!()
    }
    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }
    /// The signed part, as received.
    pub fn tbs(&self) -> &[u8] {
        unimplemented!()
    }
    /// Whose key this is.
    pub fn subject(&self) -> &Name {
        unimplemented!()
    }
    /// Who signed it, by its own claim.
    pub fn issuer(&self) -> &Name {
        unimplemented!()
    }
    /// The serial number.
    pub fn serial(&self) -> &SerialNumber {
        unimplemented!()
    }
    /// From when until when it is valid.
    pub fn validity(&self) -> ValidityPeriod {
        unimplemented!()
    }
    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> Digest {
        Digest::sha256(self.der())
    }
    /// The subject's common name, or the whole name where there is none: for messages.
    pub fn short_name(&self) -> String {
        unimplemented!()
    }
    /// The subject's public key. A key of an unsupported kind is a value; using it is the error.
    pub fn public_key(&self) -> &PublicKey {
        unimplemented!()
    }
    /// Whether issuer and subject are byte-equal.
    pub fn is_self_issued(&self) -> bool {
        unimplemented!()
    }
    /// Whether it is self-issued and its own key verifies its signature.
    pub fn is_self_signed(&self) -> bool {
        unimplemented!()
    }
    /// Whether basicConstraints says cA.
    pub fn is_ca(&self) -> bool {
        unimplemented!()
    }
    /// Where its revocation can be asked about.
    pub fn revocation_sources(&self) -> Result<RevocationSources, CertificateError> {
        unimplemented!()
    }
    /// Checks the signature by `issuer`'s key over the received TBS bytes; names are not compared. SHA-1 is refused.
    pub fn verify_signed_by(&self, _issuer: &Certificate) -> Result<(), SignatureError> {
        unimplemented!()
    }
}

/// A serial number: the content octets of the INTEGER, as received. `Display` is lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// The content octets of the INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::digest::hex(&self.0))
    }
}

/// Where a certificate says its revocation can be asked about (CRLDistributionPoints, AuthorityInfoAccess).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationSources {
    /// The distribution points, in order.
    pub crl_points: Vec<DistributionPoint>,
    /// URLs of OCSP responders, whatever their scheme.
    pub ocsp_urls: Vec<String>,
    /// Whether the certificate itself has a freshestCRL extension.
    pub has_freshest_crl: bool,
}

impl RevocationSources {
    /// All `http:` and `https:` URLs of all points, in order, without repetition.
    pub fn http_crl_urls(&self) -> Vec<&str> {
        unimplemented!()
    }
    /// Whether nothing is offered at all.
    pub fn is_empty(&self) -> bool {
        self.crl_points.is_empty() && self.ocsp_urls.is_empty()
    }
}

/// One CRL distribution point (RFC 5280 §4.2.1.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionPoint {
    /// The URLs of its full name, whatever their scheme: alternatives for one CRL.
    pub urls: Vec<String>,
    /// Whether it is for some revocation reasons only.
    pub has_reasons: bool,
    /// Whether another authority than the certificate's issuer signs its CRL (indirect CRL).
    pub has_crl_issuer: bool,
}
