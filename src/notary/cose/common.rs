//! The header parameters that every COSE message may have (RFC 9052 §3.1), as far as nothing else reads them: they say nothing
//! here, but an envelope in which one is not what it must be is malformed, and other readers refuse it.

use coset::Label;
use coset::cbor::Value;

use super::{Bucket, PROTECTED, UNPROTECTED};
use crate::notary::EnvelopeError;

/// Key identifier, IV and Partial IV: byte strings (RFC 9052 §3.1, table 3).
const BYTE_STRINGS: [i64; 3] = [4, 5, 6];
/// The two of which a message has one at most (RFC 9052 §3.1).
const INITIALISATION_VECTORS: [i64; 2] = [5, 6];
/// Countersignatures, old and new: over a message, hence never inside what it protects (RFC 8152 §4.5, RFC 9338 §3).
const COUNTERSIGNATURES: [i64; 4] = [7, 9, 11, 12];

/// Checks both headers of a message.
pub(super) fn check(protected: &Bucket, unprotected: &Bucket) -> Result<(), EnvelopeError> {
    for (member, bucket) in [(PROTECTED, protected), (UNPROTECTED, unprotected)] {
        let of = |number: &i64| bucket.get(&Label::Int(*number));
        if BYTE_STRINGS.iter().filter_map(of).any(|value| !matches!(value, Value::Bytes(_))) {
            let problem = "has a key identifier or IV that is not a byte string";
            return Err(EnvelopeError::Member { member, problem });
        }
    }
    let has = |number: &i64| [protected, unprotected].iter().any(|bucket| bucket.contains_key(&Label::Int(*number)));
    if INITIALISATION_VECTORS.iter().all(has) {
        return Err(EnvelopeError::Member { member: PROTECTED, problem: "has an IV and a Partial IV" });
    }
    if COUNTERSIGNATURES.iter().any(|number| protected.contains_key(&Label::Int(*number))) {
        return Err(EnvelopeError::Member { member: PROTECTED, problem: "holds a countersignature" });
    }
    Ok(())
}
