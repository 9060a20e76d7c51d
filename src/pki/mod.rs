//! X.509 certificates and CRLs (RFC 5280): bytes to types to proofs. Pure: no I/O and no clock.
//!
//! Everything that is hashed is a slice of the received bytes, never a re-encoding.

mod certificate;
mod chain;
mod crl;
mod error;
mod file;
mod key;
mod name;
mod path;

pub use certificate::{Certificate, DistributionPoint, RevocationSources, SerialNumber};
pub use chain::{CertificateChain, ConformingChain, Profile, TrustedChain, ValidityFailure};
pub use crl::{Crl, CrlEntry, IssuingDistributionPoint, Revocation, RevocationReason, VerifiedCrl};
pub use error::{CertificateError, ChainError, CrlError, SignatureError};
pub use file::{certificates_from_file, crls_from_file};
pub use key::{HashAlgorithm, KeyKind, PublicKey, SignatureScheme};
pub use name::{Attribute, Name};
pub use path::build_timestamping_chain;
