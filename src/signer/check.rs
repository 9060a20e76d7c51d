//! What is checked of a signer before and after it signs, so that bulla makes no signature that it would reject.

use super::error::SigningError;
use crate::limits::Limits;
use crate::notary::SignatureEnvelope;
use crate::oci::MediaType;
use crate::pki::{Certificate, CertificateChain, KeyKind, Profile};
use crate::time::UnixTime;

/// Whether a signer's chain keeps the Notary Project's rules, is valid at the signing time and is for the kind of
/// key that the signer says it has (conformance 5.04 to 5.17).
pub(super) fn chain(certificates: &[Vec<u8>], claimed: KeyKind, signing_time: UnixTime) -> Result<(), SigningError> {
    let certificates = certificates.iter().map(|der| Certificate::from_der(der));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let chain = CertificateChain::new(certificates, &Limits::default())?.inspect(Profile::CodeSigning)?;
    chain.check_validity(signing_time, signing_time)?;
    let certified = chain.key_kind();
    if certified != claimed {
        return Err(SigningError::KeyKind { certified, claimed });
    }
    Ok(())
}

/// Reads the finished envelope as a verifier would (conformance 2.28).
pub(super) fn envelope(media_type: &MediaType, bytes: &[u8]) -> Result<(), SigningError> {
    let envelope = SignatureEnvelope::parse(media_type, bytes, &Limits::default())?;
    envelope.verify()?;
    Ok(())
}
