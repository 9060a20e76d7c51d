//! X.509 certificates, CRLs (RFC 5280) and OCSP (RFC 6960): bytes to types to proofs. Pure: no I/O and no clock.
//!
//! Everything that is hashed is a slice of the received bytes, never a re-encoding.

mod algorithm;
mod asn1_time;
mod certificate;
mod chain;
mod crl;
mod error;
mod extension;
mod file;
mod key;
mod name;
mod ocsp;
mod path;
mod pool;
mod profile;
mod remembered;
mod revocation;
mod scope;
mod tlv;

pub(crate) use algorithm::{SignatureAlgorithm, parse_hash};
pub(crate) use asn1_time::{parse_generalized, parse_time};
pub(crate) use chain::check_valid_at;
pub(crate) use extension::first_critical;
pub(crate) use tlv::{Cursor, Tlv, constructed, only, primitive, to_u32};

pub use certificate::{Certificate, DistributionPoint, RevocationSources, SerialNumber};
pub use chain::{CertificateChain, ConformingChain, TrustedChain, ValidityFailure};
pub use crl::{Crl, CrlEntry, DeltaEntry, VerifiedCrl, VerifiedDelta};
pub use error::{CertificateError, ChainError, CrlError, Place, SignatureError, Violation};
pub use file::{certificates_from_file, crls_from_file};
pub use key::{HashAlgorithm, KeyKind, PublicKey, SignatureScheme};
pub use name::{Attribute, Name};
pub use ocsp::{CertIdHash, OcspError, OcspRequest, OcspResponse, OcspStatus, Responder, VerifiedOcsp};
pub use path::build_timestamping_chain;
pub use pool::CertificatePool;
pub use profile::Profile;
pub use revocation::{Revocation, RevocationReason};
pub use scope::IssuingDistributionPoint;
