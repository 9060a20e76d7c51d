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
mod general_name;
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
pub mod validation;

pub(crate) use algorithm::{SignatureAlgorithm, named_hash};
pub(crate) use asn1_time::{parse_generalized, parse_time};
pub(crate) use chain::check_valid_at;
pub(crate) use extension::{ExtensionsError, read_extensions};
pub(crate) use general_name::GeneralName;
pub(crate) use tlv::{Cursor, Tlv, constructed, only, primitive, to_u32};

pub use algorithm::{NamedHash, WeakHashes};
pub use certificate::{Certificate, DistributionPoint, RevocationSources, SerialNumber};
pub use chain::{CertificateChain, ConformingChain, TrustedChain, ValidityFailure};
pub use crl::{Crl, CrlEntry, CrlLine, DeltaEntry, LineSays, VerifiedCrl, VerifiedDelta};
pub use der::asn1::ObjectIdentifier;
pub use error::{CertificateError, ChainError, CrlError, Place, SignatureError, Violation};
pub use file::{
    certificate_encodings, certificates_from_file, crl_encodings, crls_from_file, ocsp_encodings, single_encoding,
};
pub use key::{HashAlgorithm, KeyKind, PublicKey, SignatureScheme};
pub use name::{Attribute, Name};
pub use ocsp::{CertIdHash, OcspError, OcspRequest, OcspResponse, OcspStatus, Responder, VerifiedOcsp};
pub(crate) use path::TimestampingPaths;
pub use path::build_timestamping_chain;
pub use pool::CertificatePool;
pub use profile::Profile;
pub use revocation::{Revocation, RevocationReason};
pub use scope::IssuingDistributionPoint;
