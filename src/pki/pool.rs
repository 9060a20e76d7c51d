//! Certificates that are read once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Certificate, CertificateError};
use crate::digest::Digest;

/// How many certificates a pool keeps: more than the authorities of any host, and about 20 MB of real ones.
const MOST: usize = 10_000;

/// Certificates by their DER. Ten thousand signatures of one signer bring the same three certificates ten thousand times;
/// read through a pool, equal ones become one, which also [remembers](Certificate::verify_signed_by) who signed it.
///
/// It holds what [`Certificate::from_der`] made of exactly these bytes and nothing about whether anybody trusts it. A full
/// pool takes nothing in and still reads.
#[derive(Debug)]
pub struct CertificatePool {
    known: Mutex<HashMap<Digest, Certificate>>,
    most: usize,
}

impl Default for CertificatePool {
    fn default() -> Self {
        Self { known: Mutex::default(), most: MOST }
    }
}

impl CertificatePool {
    /// As [`Certificate::from_der`].
    ///
    /// # Errors
    /// Those of [`Certificate::from_der`]; failures are not kept.
    pub fn read(&self, der: &[u8]) -> Result<Certificate, CertificateError> {
        let digest = Digest::sha256(der);
        if let Some(known) = self.lock().get(&digest) {
            return Ok(known.clone());
        }
        let certificate = Certificate::from_der(der)?;
        let mut known = self.lock();
        if known.len() >= self.most && !known.contains_key(&digest) {
            return Ok(certificate);
        }
        // Of two threads that read it, one wins, so that what is found about it is found once.
        Ok(known.entry(digest).or_insert(certificate).clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Certificate>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(feature = "demo")]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::signer::authority::{Authority, Request};
    use crate::time::{UnixTime, ValidityPeriod};

    #[test]
    fn equal_ones_become_one_and_a_full_pool_still_reads() {
        let now = UnixTime::from_seconds(1_800_000_000);
        let validity = ValidityPeriod { not_before: now, not_after: now.saturating_add(Duration::from_secs(60)) };
        let request = Request { subject: "CN=r,O=o,ST=st,C=NL", validity, crl_url: None };
        let der = || Authority::root(&request).unwrap().root_certificate().to_vec();
        let (first, second) = (der(), der());
        let pool = CertificatePool { known: Mutex::default(), most: 1 };
        let read = |der| pool.read(der).unwrap();
        assert!(std::ptr::eq(read(&first).der(), read(&first).der()));
        assert_eq!(read(&second).der(), second);
        assert!(!std::ptr::eq(read(&second).der(), read(&second).der()));
        assert!(pool.read(b"\x30\x00").is_err());
        assert_eq!(pool.lock().len(), 1);
    }
}
