//! Evidence that judging is given: CRLs, wherever they came from.
//!
//! Evidence may come from anybody, because an authority that the operator already trusts has signed it. So nothing
//! here depends on where a CRL lay or under which URL it was fetched.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::pki::{Certificate, Crl, CrlError, VerifiedCrl};
use crate::time::UnixTime;

/// CRLs at hand, found by their issuer's name.
#[derive(Debug, Clone, Default)]
pub struct CarriedEvidence {
    by_issuer: BTreeMap<Vec<u8>, Vec<Crl>>,
}

impl CarriedEvidence {
    /// Adds a CRL; one that is there already changes nothing.
    pub fn insert(&mut self, crl: Crl) {
        let crls = self.by_issuer.entry(crl.issuer().der().to_vec()).or_default();
        if crls.iter().all(|known| known.digest() != crl.digest()) {
            crls.push(crl);
            // Newest first, then by digest: the order in which they came must not show.
            crls.sort_by(|a, b| b.this_update().cmp(&a.this_update()).then_with(|| a.digest().cmp(&b.digest())));
        }
    }

    /// Adds everything that `other` holds.
    pub fn extend(&mut self, other: Self) {
        for crl in other.by_issuer.into_values().flatten() {
            self.insert(crl);
        }
    }

    /// The CRLs that name the issuer of `certificate` as theirs, newest first.
    pub fn candidates(&self, certificate: &Certificate) -> &[Crl] {
        self.by_issuer.get(certificate.issuer().der()).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many CRLs there are.
    pub fn len(&self) -> usize {
        self.by_issuer.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_issuer.is_empty()
    }
}

/// Checks that `crl` is one of `issuer` and speaks of `certificate`.
///
/// # Errors
/// Why it says nothing about the certificate.
pub fn accept(crl: &Crl, issuer: &Certificate, certificate: &Certificate) -> Result<VerifiedCrl, CrlError> {
    let verified = crl.verify(issuer)?;
    verified.covers(certificate)?;
    Ok(verified)
}

/// A piece of evidence that a judgement rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvidenceUse {
    /// The CRL.
    pub digest: Digest,
    /// Its issuer.
    pub issuer: String,
    /// When it was issued.
    pub this_update: UnixTime,
    /// Until when it is current.
    pub next_update: Option<UnixTime>,
    /// The certificate that it was asked about.
    pub certificate: String,
}

impl EvidenceUse {
    pub(super) fn of(crl: &Crl, certificate: &Certificate) -> Self {
        Self {
            digest: crl.digest(),
            issuer: crl.issuer().to_string(),
            this_update: crl.this_update(),
            next_update: crl.next_update(),
            certificate: certificate.subject().to_string(),
        }
    }
}
