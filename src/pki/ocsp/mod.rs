//! The Online Certificate Status Protocol (RFC 6960): requests for one certificate, and responses that travel.

mod error;
mod request;
mod response;
mod verify;

pub use error::OcspError;
pub use request::{CertIdHash, OcspRequest};
pub use response::OcspResponse;
pub use verify::{OcspStatus, Responder, VerifiedOcsp};
