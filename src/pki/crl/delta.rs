//! Delta CRLs (RFC 5280 §5.2.4): what has changed since a base.

use super::entry::Line;
use super::{Crl, CrlEntry, VerifiedCrl};
use crate::pki::chain::shown;
use crate::pki::{Certificate, CrlError, Name, Revocation, RevocationReason, SerialNumber};
use crate::time::UnixTime;

/// A delta CRL whose signature holds under the issuer's key. It says something only together with a base.
#[derive(Debug, Clone)]
pub struct VerifiedDelta {
    pub(super) crl: Crl,
    pub(super) issuer: Certificate,
}

/// What a delta CRL says of one serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaEntry {
    /// Nothing has changed.
    NotListed,
    /// It is revoked.
    Revoked(Revocation),
    /// It is no longer on the list, since then.
    Removed(UnixTime),
}

impl VerifiedDelta {
    /// The CRL.
    pub fn crl(&self) -> &Crl {
        &self.crl
    }

    /// The certificate under whose key the signature holds.
    pub fn issuer(&self) -> &Certificate {
        &self.issuer
    }

    /// Checks that `certificate` is in the scope, as [`VerifiedCrl::covers`].
    ///
    /// # Errors
    /// [`CrlError::OutOfScope`] with what it covers instead.
    pub fn covers(&self, certificate: &Certificate) -> Result<(), CrlError> {
        self.crl.covers(certificate)
    }

    /// Checks that it continues `base`: the same issuer and scope, the base not older than the one that the changes are
    /// counted from, and older than the delta (RFC 5280 §5.2.4 and §6.3.3 c, conformance 10.26, 10.28).
    ///
    /// # Errors
    /// [`CrlError::DeltaMismatch`] with what does not fit.
    pub fn applies_to(&self, base: &VerifiedCrl) -> Result<(), CrlError> {
        let fits = self.fits(base);
        fits.map_err(|why| CrlError::DeltaMismatch { issuer: shown(self.crl.issuer()), why })
    }

    fn fits(&self, base: &VerifiedCrl) -> Result<(), &'static str> {
        if self.issuer.public_key().bits() != base.issuer.public_key().bits() || self.crl.issuer() != base.crl.issuer()
        {
            return Err("another authority or key has signed it");
        }
        if self.crl.idp() != base.crl.idp() {
            return Err("it has another scope");
        }
        let number = self.crl.number().ok_or("it has no CRL number")?.magnitude();
        let counted_from = self.crl.base_crl_number().ok_or("it names no base")?.magnitude();
        let base = base.crl.number().ok_or("the base has no CRL number")?.magnitude();
        if counted_from > base {
            return Err("it needs a newer base");
        }
        if number <= base {
            return Err("it is no newer than the base");
        }
        Ok(())
    }

    /// What it says of the serial number. Only meaningful for a certificate that it [covers](Self::covers).
    ///
    /// # Errors
    /// The entry is there but cannot be interpreted.
    pub fn lookup(&self, serial: &SerialNumber) -> Result<DeltaEntry, CrlError> {
        self.lookup_of(serial, self.crl.issuer())
    }

    fn lookup_of(&self, serial: &SerialNumber, issuer: &Name) -> Result<DeltaEntry, CrlError> {
        Ok(match self.crl.find(serial, issuer)? {
            None => DeltaEntry::NotListed,
            Some(Line::Revoked(revocation)) => DeltaEntry::Revoked(revocation),
            Some(Line::Removed(date)) => DeltaEntry::Removed(date),
        })
    }
}

impl VerifiedCrl {
    /// What base and delta together say (conformance 10.24): a revocation for good stays; of a hold and its end, the later
    /// date decides, and on the same date the hold stays.
    ///
    /// # Errors
    /// The delta does not [apply](VerifiedDelta::applies_to), or an entry cannot be interpreted.
    pub fn lookup_with(&self, delta: &VerifiedDelta, serial: &SerialNumber) -> Result<CrlEntry, CrlError> {
        self.lookup_with_of(delta, serial, self.crl.issuer())
    }

    /// As [`VerifiedCrl::lookup_with`], for a certificate of `issuer`.
    pub(crate) fn lookup_with_of(
        &self,
        delta: &VerifiedDelta,
        serial: &SerialNumber,
        issuer: &Name,
    ) -> Result<CrlEntry, CrlError> {
        delta.applies_to(self)?;
        let known = self.lookup_of(serial, issuer)?;
        Ok(match (known, delta.lookup_of(serial, issuer)?) {
            (CrlEntry::Revoked(base), _) if base.reason != RevocationReason::CertificateHold => known,
            (_, DeltaEntry::Revoked(change)) if change.reason != RevocationReason::CertificateHold => {
                CrlEntry::Revoked(change)
            }
            (CrlEntry::Revoked(base), DeltaEntry::Removed(date)) if date > base.date => CrlEntry::NotListed,
            (CrlEntry::NotListed, DeltaEntry::Revoked(change)) => CrlEntry::Revoked(change),
            (CrlEntry::Revoked(base), DeltaEntry::Revoked(change)) if change.date > base.date => {
                CrlEntry::Revoked(change)
            }
            _ => known,
        })
    }
}
