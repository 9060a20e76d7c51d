//! Public-key operations that are done once.
//!
//! A signed object remembers under which keys its signature was checked, and with what result. The memory is a private part
//! of the immutable object that it is about, so it cannot be asked about another one; it is keyed by the SHA-256 of the
//! signer's whole certificate, on whose key the result depends and on nothing else: no time, no trust, no scope. So whatever
//! is found with it is what would be found without it, and several threads find it once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::{Certificate, SignatureError};
use crate::digest::Digest;

type Slot = Arc<OnceLock<Result<(), SignatureError>>>;

/// What became of checking one object's signature, by the certificate whose key was used. An honest object has one signer.
/// Others come from those who want to waste time, and are remembered all the same: whoever has signatures checked has a
/// budget for it, counts each pair once, and pays for a line here with a public-key operation.
#[derive(Debug, Default)]
pub(super) struct CheckedUnder(Mutex<HashMap<Digest, Slot>>);

impl CheckedUnder {
    /// The result of `check`, which must depend on the object that holds this and on `signer` alone.
    pub(super) fn once(
        &self,
        signer: &Certificate,
        check: impl FnOnce() -> Result<(), SignatureError>,
    ) -> Result<(), SignatureError> {
        let slot = self.slot(signer.fingerprint());
        slot.get_or_init(check).clone()
    }

    fn slot(&self, signer: Digest) -> Slot {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(signer).or_default())
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
    fn a_crowd_of_strangers_is_asked_once_each() {
        let (checked, calls) = (CheckedUnder::default(), Cell::new(0));
        let crowd: Vec<Certificate> = (0..20).map(|_| certificate()).collect();
        for stranger in crowd.iter().chain(&crowd) {
            let found = checked.once(stranger, || {
                calls.set(calls.get() + 1);
                Err(SignatureError::Mismatch)
            });
            assert_eq!(found, Err(SignatureError::Mismatch));
        }
        assert_eq!(calls.get(), crowd.len());
    }
}
