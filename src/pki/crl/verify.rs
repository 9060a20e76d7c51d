//! From a CRL to a proof: who signed it, and that the signature holds.

use super::Crl;
use super::delta::VerifiedDelta;
use super::entry::Line;
use crate::pki::chain::shown;
use crate::pki::{Certificate, CrlError, Name, Revocation, SerialNumber, WeakHashes};

impl Crl {
    /// Checks that `issuer` may sign CRLs and signed this one, and that it needs nothing that is not supported. Times are not
    /// looked at.
    ///
    /// # Errors
    /// Another issuer, one that may not sign CRLs, a wrong or weak signature, an unknown critical extension, a delta CRL, an
    /// indirect CRL.
    pub fn verify(&self, issuer: &Certificate) -> Result<VerifiedCrl, CrlError> {
        self.verify_signature(issuer)?;
        if self.is_delta() {
            return Err(CrlError::Delta { issuer: shown(issuer.subject()) });
        }
        Ok(VerifiedCrl { crl: self.clone(), issuer: issuer.clone() })
    }

    /// As [`Crl::verify`], for a list of changes.
    ///
    /// # Errors
    /// Those of [`Crl::verify`], or it is a complete CRL.
    pub fn verify_delta(&self, issuer: &Certificate) -> Result<VerifiedDelta, CrlError> {
        self.verify_signature(issuer)?;
        if !self.is_delta() {
            return Err(CrlError::NotDelta { issuer: shown(issuer.subject()) });
        }
        Ok(VerifiedDelta { crl: self.clone(), issuer: issuer.clone() })
    }

    /// As [`Crl::verify`] and [`Crl::verify_delta`] by RFC 5280 alone: an indirect CRL is understood, and whoever has the name
    /// and the key may sign, CA or not, where `usage` allows it (§6.3.3 f and g). Whether to believe the signer is the
    /// caller's business.
    pub(crate) fn verify_general(
        &self,
        signer: &Certificate,
        usage: SignerUsage,
        weak: WeakHashes,
    ) -> Result<Verified, CrlError> {
        let name = || shown(signer.subject());
        if !signer.subject().matches(self.issuer()) {
            return Err(CrlError::IssuerMismatch { expected: name(), found: shown(self.issuer()) });
        }
        if usage == SignerUsage::Counts && signer.key_usage().is_some_and(|usage| !usage.crl_sign()) {
            return Err(CrlError::IssuerMayNotSign { issuer: name() });
        }
        self.verify_signed_by(signer, weak)?;
        self.check_entry_extensions()?;
        let (crl, issuer) = (self.clone(), signer.clone());
        Ok(if self.is_delta() {
            Verified::Delta(VerifiedDelta { crl, issuer })
        } else {
            Verified::Complete(VerifiedCrl { crl, issuer })
        })
    }

    fn verify_signature(&self, issuer: &Certificate) -> Result<(), CrlError> {
        let name = || shown(issuer.subject());
        if issuer.subject() != self.issuer() {
            return Err(CrlError::IssuerMismatch { expected: name(), found: shown(self.issuer()) });
        }
        if !issuer.may_sign_crls() {
            return Err(CrlError::IssuerMayNotSign { issuer: name() });
        }
        self.verify_signed_by(issuer, WeakHashes::Refused)?;
        if self.is_indirect() {
            return Err(CrlError::Indirect { issuer: name() });
        }
        Ok(())
    }

    /// The signature, and that nothing critical is left unread.
    fn verify_signed_by(&self, signer: &Certificate, weak: WeakHashes) -> Result<(), CrlError> {
        let issuer = || shown(signer.subject());
        let verified = match self.0.algorithm.sha1(weak) {
            // Not remembered: it must not count where SHA-1 does not.
            Some(scheme) => signer.public_key().verify_sha1(scheme, self.tbs(), &self.0.signature),
            None => self.0.algorithm.scheme().and_then(|scheme| {
                let check = || signer.public_key().verify(scheme, self.tbs(), &self.0.signature);
                self.0.checked.once(signer, check)
            }),
        };
        verified.map_err(|source| CrlError::Signature { issuer: issuer(), source })?;
        match self.0.extensions.unsupported {
            Some(oid) => Err(CrlError::UnsupportedExtension { issuer: issuer(), extension: oid.to_string() }),
            None => Ok(()),
        }
    }
}

/// Whether keyUsage of a CRL's signer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignerUsage {
    Counts,
    /// Of a trust anchor that is a name and a key, there is no usage.
    Unknown,
}

/// A CRL whose signature holds.
#[derive(Clone)]
pub(crate) enum Verified {
    Complete(VerifiedCrl),
    Delta(VerifiedDelta),
}

/// A base CRL whose signature holds under the issuer's key.
#[derive(Debug, Clone)]
pub struct VerifiedCrl {
    pub(super) crl: Crl,
    pub(super) issuer: Certificate,
}

impl VerifiedCrl {
    /// The CRL.
    pub fn crl(&self) -> &Crl {
        &self.crl
    }

    /// The certificate under whose key the signature holds.
    pub fn issuer(&self) -> &Certificate {
        &self.issuer
    }

    /// Checks that `certificate` is in the scope of the CRL: the same issuer, and what the issuing distribution point says
    /// (RFC 5280 §6.3.3 b).
    ///
    /// # Errors
    /// [`CrlError::OutOfScope`] with what it covers instead.
    pub fn covers(&self, certificate: &Certificate) -> Result<(), CrlError> {
        self.crl.covers(certificate)
    }

    /// What it says of the serial number. Only meaningful for a certificate that it [covers](Self::covers). Walks the list
    /// the first times, then makes an index of eight octets an entry.
    ///
    /// # Errors
    /// The entry is there but cannot be interpreted.
    pub fn lookup(&self, serial: &SerialNumber) -> Result<CrlEntry, CrlError> {
        self.lookup_of(serial, self.crl.issuer())
    }

    /// As [`VerifiedCrl::lookup`], for a certificate of `issuer`: an indirect CRL lists those of several.
    pub(crate) fn lookup_of(&self, serial: &SerialNumber, issuer: &Name) -> Result<CrlEntry, CrlError> {
        match self.crl.find(serial, issuer)? {
            None => Ok(CrlEntry::NotListed),
            Some(Line::Revoked(revocation)) => Ok(CrlEntry::Revoked(revocation)),
            Some(Line::Removed(_)) => {
                Err(CrlError::Entry { serial: serial.to_string(), why: "removeFromCRL belongs into delta CRLs only" })
            }
        }
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
