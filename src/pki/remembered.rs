//! Public-key operations that are done once.
//!
//! A signed object remembers under which keys its signature was checked, and with what result. The memory is a private part
//! of the immutable object that it is about, so it cannot be asked about another one; it is keyed by the SHA-256 of the
//! signer's whole certificate, on whose key the result depends and on nothing else: no time, no trust, no scope. So whatever
//! is found with it is what would be found without it, and several threads find it once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Certificate, SignatureError};
use crate::digest::Digest;

/// How many signers one object remembers. It has one; others come from those who want to waste time, and are checked
/// without being remembered.
const MOST_SIGNERS: usize = 8;

type Slot = Arc<OnceLock<Result<(), SignatureError>>>;

/// What became of checking one object's signature, by the certificate whose key was used.
#[derive(Debug, Default)]
pub(super) struct CheckedUnder(Mutex<Vec<(Digest, Slot)>>);

impl CheckedUnder {
    /// The result of `check`, which must depend on the object that holds this and on `signer` alone.
    pub(super) fn once(
        &self,
        signer: &Certificate,
        check: impl FnOnce() -> Result<(), SignatureError>,
    ) -> Result<(), SignatureError> {
        match self.slot(signer.fingerprint()) {
            Some(slot) => slot.get_or_init(check).clone(),
            None => check(),
        }
    }

    fn slot(&self, signer: Digest) -> Option<Slot> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = known.iter().find(|(digest, _)| *digest == signer) {
            return Some(Arc::clone(slot));
        }
        if known.len() >= MOST_SIGNERS {
            return None;
        }
        let slot = Slot::default();
        known.push((signer, Arc::clone(&slot)));
        Some(slot)
    }
}

#[cfg(feature = "demo")]
#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::signer::authority::{Authority, Request};
    use crate::time::{UnixTime, ValidityPeriod};

    fn certificate() -> Certificate {
        let now = UnixTime::from_seconds(1_800_000_000);
        let validity = ValidityPeriod { not_before: now, not_after: now.saturating_add(Duration::from_secs(60)) };
        let root = Authority::root(&Request { subject: "CN=r,O=o,ST=st,C=NL", validity, crl_url: None }).unwrap();
        Certificate::from_der(root.root_certificate()).unwrap()
    }

    #[test]
    fn each_signer_is_asked_once_and_failures_are_remembered_as_they_were() {
        let (one, other) = (certificate(), certificate());
        let calls = Cell::new(0);
        let checked = CheckedUnder::default();
        let check = |signer: &Certificate, result: Result<(), SignatureError>| {
            checked.once(signer, || {
                calls.set(calls.get() + 1);
                result
            })
        };
        assert_eq!(check(&one, Ok(())), Ok(()));
        assert_eq!(check(&other, Err(SignatureError::Mismatch)), Err(SignatureError::Mismatch));
        // The same certificate, read anew.
        let again = Certificate::from_der(one.der()).unwrap();
        assert_eq!(check(&again, Err(SignatureError::Mismatch)), Ok(()));
        assert_eq!(check(&other, Ok(())), Err(SignatureError::Mismatch));
        assert_eq!(calls.get(), 2);
    }

    #[test]
    fn strangers_beyond_the_bound_are_checked_and_not_remembered() {
        let checked = CheckedUnder::default();
        for _ in 0..MOST_SIGNERS {
            assert_eq!(checked.once(&certificate(), || Err(SignatureError::Mismatch)), Err(SignatureError::Mismatch));
        }
        let late = certificate();
        assert_eq!(checked.once(&late, || Ok(())), Ok(()));
        assert_eq!(checked.once(&late, || Err(SignatureError::Mismatch)), Err(SignatureError::Mismatch));
        assert_eq!(checked.0.lock().unwrap().len(), MOST_SIGNERS);
    }
}
