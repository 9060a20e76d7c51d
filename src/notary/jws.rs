//! JWS envelopes (RFC 7515 §7.2.2, Notary signature-envelope-jws): flattened JSON, read strictly.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::envelope::EnvelopeParts;
use super::{EnvelopeError, ExtendedAttribute, SignatureAlgorithm, SignedAttributes, SigningScheme, attribute};
use crate::digest::shorten;
use crate::json;
use crate::json::Object;
use crate::limits::Limits;
use crate::pki::{CertificateChain, CertificatePool};
use crate::time::UnixTime;

/// The top level: these four members and no others (conformance 3.01).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    payload: String,
    protected: String,
    header: Object<UnprotectedHeader>,
    signature: String,
}

/// The unprotected header. Other members are passed over: real envelopes have them (conformance 3.02).
#[derive(Deserialize)]
struct UnprotectedHeader {
    x5c: Option<Vec<String>>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<String>,
    /// Whatever it is, it must not make the envelope fail (conformance 2.22).
    #[serde(rename = "io.cncf.notary.signingAgent")]
    agent: Option<Value>,
}

const ALG: &str = "alg";
const CTY: &str = "cty";
const CRIT: &str = "crit";

/// The protected members that are no extended attributes.
const SYSTEM: [&str; 7] = [
    ALG,
    CTY,
    CRIT,
    attribute::SIGNING_SCHEME,
    attribute::SIGNING_TIME,
    attribute::AUTHENTIC_SIGNING_TIME,
    attribute::EXPIRY,
];

/// Reads a JWS envelope. Which values the attributes may have together is for
/// [`super::SignatureEnvelope::verify`] to say.
pub(super) fn parse(bytes: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<EnvelopeParts, EnvelopeError> {
    let Object(document): Object<Document> =
        json::from_slice(bytes).map_err(|source| EnvelopeError::Json { part: "JWS envelope", source })?;
    let protected = base64url("protected", &document.protected)?;
    let payload = base64url("payload", &document.payload)?;
    let signature = base64url("signature", &document.signature)?;
    if payload.is_empty() {
        return Err(EnvelopeError::Member { member: "payload", problem: "is empty" });
    }
    let (algorithm, attributes) = read_protected(&protected)?;
    let Object(header) = document.header;
    Ok(EnvelopeParts {
        // The received texts, not a re-encoding (conformance 3.04).
        signing_input: [document.protected.as_bytes(), document.payload.as_bytes()].join(&b'.'),
        signature,
        payload,
        algorithm,
        attributes,
        chain: read_chain(header.x5c.as_deref().unwrap_or_default(), limits, pool)?,
        timestamp: read_timestamp(header.timestamp.as_deref())?,
        signing_agent: header.agent.as_ref().and_then(Value::as_str).map(shorten),
    })
}

/// Base64url without padding, line breaks or stray bits (RFC 7515 §2; stricter than the reference, conformance 3.03).
fn base64url(member: &'static str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    let problem = "is not base64url without padding";
    URL_SAFE_NO_PAD.decode(text).map_err(|_| EnvelopeError::Member { member, problem })
}

/// Standard base64 with padding (conformance 3.17, 3.18).
fn base64(member: &'static str, text: &str) -> Result<Vec<u8>, EnvelopeError> {
    STANDARD.decode(text).map_err(|_| EnvelopeError::Member { member, problem: "is not base64 with padding" })
}

/// `x5c`, leaf first (conformance 3.17).
fn read_chain(texts: &[String], limits: &Limits, pool: &CertificatePool) -> Result<CertificateChain, EnvelopeError> {
    if texts.is_empty() {
        return Err(EnvelopeError::Member { member: "x5c", problem: "is absent or empty" });
    }
    if texts.len() > limits.certificates {
        return Err(EnvelopeError::Member { member: "x5c", problem: "holds more certificates than any honest chain" });
    }
    let mut certificates = Vec::with_capacity(texts.len());
    for (position, text) in (1..).zip(texts) {
        let der = base64("x5c", text)?;
        let certificate = pool.read(&der).map_err(|source| EnvelopeError::Certificate { position, source })?;
        certificates.push(certificate);
    }
    Ok(CertificateChain::new(certificates, limits)?)
}

/// An empty token is no token; the policy decides whether there must be one (conformance 8.20).
fn read_timestamp(text: Option<&str>) -> Result<Option<Vec<u8>>, EnvelopeError> {
    let token = text.map(|text| base64(attribute::TIMESTAMP_SIGNATURE, text)).transpose()?;
    Ok(token.filter(|token| !token.is_empty()))
}

fn read_protected(bytes: &[u8]) -> Result<(SignatureAlgorithm, SignedAttributes), EnvelopeError> {
    let mut members: Map<String, Value> =
        json::from_slice(bytes).map_err(|source| EnvelopeError::Json { part: "protected header", source })?;
    refuse_lookalike(&members)?;
    let algorithm = take_text(&mut members, ALG)?;
    let algorithm = SignatureAlgorithm::find(&algorithm)
        .ok_or_else(|| EnvelopeError::AlgorithmUnsupported { algorithm: shorten(&algorithm) })?;
    let scheme = take_text(&mut members, attribute::SIGNING_SCHEME)?;
    let scheme =
        SigningScheme::find(&scheme).ok_or_else(|| EnvelopeError::SchemeUnsupported { scheme: shorten(&scheme) })?;
    let content_type = take_text(&mut members, CTY)?;
    let critical = take_critical(&mut members)?;
    let signing_time = take_signing_time(&mut members, attribute::SIGNING_TIME)?;
    let authentic_signing_time = take_signing_time(&mut members, attribute::AUTHENTIC_SIGNING_TIME)?;
    let expiry = take_time(&mut members, attribute::EXPIRY)?.filter(|time| *time != UnixTime::GO_ZERO);
    let extended = members
        .into_iter()
        .map(|(name, value)| {
            let critical = critical.contains(&name);
            (name, ExtendedAttribute { value, critical })
        })
        .collect();
    let attributes =
        SignedAttributes { scheme, signing_time, authentic_signing_time, expiry, content_type, critical, extended };
    Ok((algorithm, attributes))
}

/// The reference ignores the case of these names (conformance 3.02); a name that only it would take for one of them
/// makes two readings of one header.
fn refuse_lookalike(members: &Map<String, Value>) -> Result<(), EnvelopeError> {
    for name in members.keys() {
        if let Some(known) = SYSTEM.iter().find(|known| name != **known && name.eq_ignore_ascii_case(known)) {
            return Err(EnvelopeError::Lookalike { name: shorten(name), known });
        }
    }
    Ok(())
}

fn take_text(members: &mut Map<String, Value>, member: &'static str) -> Result<String, EnvelopeError> {
    match members.remove(member) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => Err(EnvelopeError::Member { member, problem: "is absent" }),
        Some(_) => Err(EnvelopeError::Member { member, problem: "is not a string" }),
    }
}

fn take_critical(members: &mut Map<String, Value>) -> Result<Vec<String>, EnvelopeError> {
    let problem = |problem| EnvelopeError::Member { member: CRIT, problem };
    let Some(Value::Array(values)) = members.remove(CRIT) else { return Err(problem("is not an array")) };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(name) => Ok(name),
            _ => Err(problem("holds something that is not a string")),
        })
        .collect()
}

/// Go's zero time stands for no expiry (conformance 3.15). As a time of signing it would be present for one reader and absent
/// for another, so that a scheme's rules about which times there are could be got round (conformance 3.14).
fn take_signing_time(
    members: &mut Map<String, Value>,
    member: &'static str,
) -> Result<Option<UnixTime>, EnvelopeError> {
    let problem = "is Go's zero time, which is none";
    match take_time(members, member)? {
        Some(UnixTime::GO_ZERO) => Err(EnvelopeError::Member { member, problem }),
        time => Ok(time),
    }
}

/// RFC 3339 with any offset; null means that there is none (conformance 3.13).
fn take_time(members: &mut Map<String, Value>, member: &'static str) -> Result<Option<UnixTime>, EnvelopeError> {
    let problem = "is not a time in RFC 3339 form";
    match members.remove(member) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let time: UnixTime = text.parse().map_err(|_| EnvelopeError::Member { member, problem })?;
            Ok(Some(time))
        }
        Some(_) => Err(EnvelopeError::Member { member, problem }),
    }
}

#[cfg(test)]
mod tests;
