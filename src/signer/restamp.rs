//! A timestamp for a signature that was made before: the token goes into the envelope's unsigned part, and nothing that
//! was signed changes by a byte.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use coset::CborSerializable as _;
use coset::cbor::Value;
use serde::{Deserialize, Serialize};

use super::check;
use super::cose::sorted;
use super::error::SigningError;
use super::request::{Envelope, TimestampSource, go_json};
use crate::json;
use crate::limits::Limits;
use crate::notary::{EnvelopeType, SignatureEnvelope, SigningScheme, attribute};
use crate::oci::{Descriptor, MediaType};

/// Asks `source` for a token over the signature value of an envelope (conformance 9.01), which must be a genuine one
/// under the scheme `notary.x509`: no other has a place for it (conformance 2.21).
///
/// # Errors
/// The envelope is not genuine or of another scheme, or there is no token.
pub fn request_token(envelope: &SignatureEnvelope, source: &dyn TimestampSource) -> Result<Vec<u8>, SigningError> {
    let authentic = envelope.verify()?;
    if authentic.attributes().scheme != SigningScheme::X509 {
        return Err(SigningError::SchemeWithoutTimestamp { scheme: authentic.attributes().scheme });
    }
    let hash = authentic.algorithm().hash();
    source.timestamp(hash, &hash.digest(authentic.signature())).map_err(SigningError::Timestamp)
}

/// The envelope with `token` as its timestamp, in place of one that it may have.
///
/// # Errors
/// The envelope cannot be read, or is not genuine.
pub fn with_timestamp(media_type: &MediaType, bytes: &[u8], token: &[u8]) -> Result<Envelope, SigningError> {
    let envelope = SignatureEnvelope::parse(media_type, bytes, &Limits::default())?;
    let stamped = match envelope.envelope_type() {
        EnvelopeType::Jws => into_jws(bytes, token)?,
        EnvelopeType::Cose => into_cose(bytes, token)?,
    };
    check::envelope(media_type, &stamped)?;
    let claims = envelope.claims();
    let signing_time = claims.signing_time.or(claims.authentic_signing_time);
    Ok(Envelope {
        descriptor: Descriptor::of(media_type.clone(), &stamped),
        bytes: stamped,
        signing_time: signing_time.unwrap_or(crate::time::UnixTime::from_seconds(0)),
        certificates: envelope.certificates().certificates().iter().map(|one| one.der().to_vec()).collect(),
        annotations: std::collections::BTreeMap::new(),
    })
}

/// The members that were signed are texts and stay what they are; so do those of the header that are not known.
#[derive(Serialize, Deserialize)]
struct Flattened {
    payload: String,
    protected: String,
    header: serde_json::Map<String, serde_json::Value>,
    signature: String,
}

fn into_jws(bytes: &[u8], token: &[u8]) -> Result<Vec<u8>, SigningError> {
    let mut document: Flattened = json::from_slice(bytes)?;
    document.header.insert(attribute::TIMESTAMP_SIGNATURE.to_owned(), BASE64_STANDARD.encode(token).into());
    go_json(&document)
}

/// The protected header and the payload are byte strings and stay what they are.
fn into_cose(bytes: &[u8], token: &[u8]) -> Result<Vec<u8>, SigningError> {
    let mut envelope = Value::from_slice(bytes).map_err(SigningError::Cbor)?;
    if let Value::Tag(_, content) = &mut envelope
        && let Value::Array(parts) = content.as_mut()
        && let Some(Value::Map(unprotected)) = parts.get_mut(1)
    {
        let label = Value::from(attribute::TIMESTAMP_SIGNATURE);
        let mut pairs = std::mem::take(unprotected);
        pairs.retain(|(known, _)| *known != label);
        pairs.push((label, Value::Bytes(token.to_vec())));
        if let Value::Map(pairs) = sorted(pairs)? {
            *unprotected = pairs;
        }
    }
    envelope.to_vec().map_err(SigningError::Cbor)
}
