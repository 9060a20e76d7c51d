//! Notary Project envelopes, trust stores and policies, held against what the reference implementation and openssl made.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "notary/cose.rs"]
mod cose;
#[path = "notary/made.rs"]
mod made;
#[path = "notary/pki.rs"]
mod pki;
#[path = "support/skip.rs"]
mod skip;
#[path = "notary/stores.rs"]
mod stores;
#[path = "notary/vectors.rs"]
mod vectors;
