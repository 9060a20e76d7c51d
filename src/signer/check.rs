//! What is checked of a signer before and after it signs, so that bulla makes no signature that it would reject.

use super::error::SigningError;
use super::local::Signer;
use crate::limits::Limits;
use crate::pki::{Certificate, CertificateChain, ConformingChain, KeyKind, Profile, SignatureScheme};
use crate::time::UnixTime;

/// The signer's chain, if it keeps the Notary Project's rules and is valid at the signing time (conformance 5.04 to
/// 5.17).
pub(super) fn chain(signer: &dyn Signer, signing_time: UnixTime) -> Result<ConformingChain, SigningError> {
    let certificates = signer.certificates().iter().map(|der| Certificate::from_der(der));
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let chain = CertificateChain::new(certificates, &Limits::default())?.inspect(Profile::CodeSigning)?;
    chain.check_validity(signing_time, signing_time)?;
    let (certified, claimed) = (chain.key_kind(), signer.key_kind());
    if certified != claimed {
        return Err(SigningError::KeyKind { certified, claimed });
    }
    Ok(chain)
}

/// Whether `signature` is one by the chain's key over `signing_input` (conformance 2.28).
pub(super) fn signature(chain: &ConformingChain, signing_input: &[u8], signature: &[u8]) -> Result<(), SigningError> {
    let kind = chain.key_kind();
    let scheme = match kind {
        KeyKind::Rsa2048 | KeyKind::Rsa3072 | KeyKind::Rsa4096 => SignatureScheme::RsaPss(kind.hash()),
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => SignatureScheme::EcdsaRaw(kind.hash()),
    };
    Ok(chain.leaf().public_key().verify(scheme, signing_input, signature)?)
}
