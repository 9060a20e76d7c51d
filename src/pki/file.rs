//! Certificate and CRL files: PEM or DER.

use super::{Certificate, CertificateError, CrlError};
use crate::limits::Limits;

/// The certificates of a file: PEM if it holds any PEM block (then every block must be a certificate), otherwise DER,
/// one behind the other. Never empty.
pub fn certificates_from_file(_bytes: &[u8], _limits: &Limits) -> Result<Vec<Certificate>, CertificateError> {
    unimplemented!()
}

/// The DER of the CRLs of a file: PEM blocks `X509 CRL`, or one DER CRL. Never empty.
pub fn crls_from_file(_bytes: &[u8], _limits: &Limits) -> Result<Vec<Vec<u8>>, CrlError> {
    unimplemented!()
}
