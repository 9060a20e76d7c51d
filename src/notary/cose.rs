//! COSE envelopes (RFC 9052 §4.2, Notary signature-envelope-cose): `COSE_Sign1_Tagged`, read strictly.

use std::collections::BTreeMap;

use coset::cbor::Value;
use coset::iana::{self, EnumI64 as _};
use coset::{AsCborValue as _, Header, Label, ProtectedHeader, SignatureContext, TaggedCborSerializable as _};

use super::envelope::EnvelopeParts;
use super::{EnvelopeError, ExtendedAttribute, SignatureAlgorithm, SignedAttributes, SigningScheme, attribute};
use crate::digest::shorten;
use crate::limits::Limits;
use crate::pki::{CertificateChain, CertificatePool};
use crate::time::UnixTime;

mod cbor;
mod common;
mod shown;

pub use cbor::CborError;

/// One bucket of headers. Labels are integers or texts (RFC 9052 §1.5).
type Bucket = BTreeMap<Label, Value>;

const PROTECTED: &str = "protected header";
const UNPROTECTED: &str = "unprotected header";
const ALG: &str = "alg";
const CRIT: &str = "crit";
const CONTENT_TYPE: &str = "content type";
const X5CHAIN: &str = "x5chain";

/// Reads a COSE envelope. Which values the attributes may have together is for
/// [`super::SignatureEnvelope::verify`] to say.
pub(super) fn parse(bytes: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<EnvelopeParts, EnvelopeError> {
    let [protected, unprotected, payload, signature] = sign1(bytes)?;
    let protected_bytes = byte_string(PROTECTED, protected)?;
    let payload = filled("payload", payload)?;
    let signature = filled("signature", signature)?;
    let signing_input = sig_structure(&protected_bytes, &payload);
    let mut protected = bucket(PROTECTED, decode(PROTECTED, &protected_bytes)?)?;
    let mut unprotected = bucket(UNPROTECTED, unprotected)?;
    refuse_repeated(&protected, &unprotected)?;
    common::check(&protected, &unprotected)?;
    // Conformance 4.12: either header may carry the chain, not both.
    let x5chain = integer_label(iana::HeaderParameter::X5Chain);
    let chain = protected.remove(&x5chain).or_else(|| unprotected.remove(&x5chain));
    let (algorithm, attributes) = read_protected(protected)?;
    let agent = unprotected.remove(&text_label(attribute::SIGNING_AGENT));
    Ok(EnvelopeParts {
        signing_input,
        signature,
        payload,
        algorithm,
        attributes,
        timestamp: read_timestamp(unprotected.remove(&text_label(attribute::TIMESTAMP_SIGNATURE)))?,
        // Whatever it is, it must not make the envelope fail (conformance 2.22).
        signing_agent: agent.as_ref().and_then(Value::as_text).map(shorten),
        chain: read_chain(chain, limits, pool)?,
    })
}

/// The four parts (conformance 4.01). The tag is not optional: without it the bytes could be some other structure.
fn sign1(bytes: &[u8]) -> Result<[Value; 4], EnvelopeError> {
    const MEMBER: &str = "COSE_Sign1";
    let problem = |problem| EnvelopeError::Member { member: MEMBER, problem };
    let Value::Tag(coset::CoseSign1::TAG, content) = decode("COSE envelope", bytes)? else {
        return Err(problem("does not have the tag 18"));
    };
    let Value::Array(parts) = *content else { return Err(problem("is not an array")) };
    parts.try_into().map_err(|_| problem("does not have four parts"))
}

/// What was signed (conformance 4.02), over the protected header as received, not a re-encoding (14.12).
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let received = ProtectedHeader { original_data: Some(protected.to_vec()), header: Header::default() };
    coset::sig_structure_data(SignatureContext::CoseSign1, received, None, &[], payload)
}

fn decode(part: &'static str, bytes: &[u8]) -> Result<Value, EnvelopeError> {
    cbor::decode(bytes).map_err(|source| EnvelopeError::Cbor { part, source })
}

fn byte_string(member: &'static str, value: Value) -> Result<Vec<u8>, EnvelopeError> {
    value.into_bytes().map_err(|_| EnvelopeError::Member { member, problem: "is not a byte string" })
}

/// A byte string that says something: neither nil, as where the payload is detached, nor empty (conformance 2.07, 4.15).
fn filled(member: &'static str, value: Value) -> Result<Vec<u8>, EnvelopeError> {
    let bytes = byte_string(member, value)?;
    if bytes.is_empty() { Err(EnvelopeError::Member { member, problem: "is empty" }) } else { Ok(bytes) }
}

fn bucket(member: &'static str, value: Value) -> Result<Bucket, EnvelopeError> {
    let problem = |problem| EnvelopeError::Member { member, problem };
    let pairs = value.into_map().map_err(|_| problem("is not a map"))?;
    let mut bucket = Bucket::new();
    for (label, value) in pairs {
        let label = Label::from_cbor_value(label)
            .map_err(|_| problem("has a label that is neither a text nor an integer of 64 bits"))?;
        if bucket.insert(label, value).is_some() {
            return Err(problem("has a label twice"));
        }
    }
    Ok(bucket)
}

/// RFC 9052 §3: the same label in both headers leaves open which one counts.
fn refuse_repeated(protected: &Bucket, unprotected: &Bucket) -> Result<(), EnvelopeError> {
    if unprotected.keys().any(|label| protected.contains_key(label)) {
        return Err(EnvelopeError::Member { member: UNPROTECTED, problem: "repeats a label of the protected header" });
    }
    Ok(())
}

fn integer_label(parameter: iana::HeaderParameter) -> Label {
    Label::Int(parameter.to_i64())
}

fn text_label(name: &str) -> Label {
    Label::Text(name.to_owned())
}

/// How a label is called among the attributes, which have names: an integer becomes `label 5`.
fn name(label: Label) -> String {
    match label {
        Label::Int(number) => format!("label {number}"),
        Label::Text(text) => text,
    }
}

/// The protected header, of which the chain is already taken (conformance 4.03).
fn read_protected(mut bucket: Bucket) -> Result<(SignatureAlgorithm, SignedAttributes), EnvelopeError> {
    let algorithm = take_algorithm(&mut bucket)?;
    let scheme = take_text(&mut bucket, attribute::SIGNING_SCHEME, &text_label(attribute::SIGNING_SCHEME))?;
    let scheme =
        SigningScheme::find(&scheme).ok_or_else(|| EnvelopeError::SchemeUnsupported { scheme: shorten(&scheme) })?;
    // Conformance 4.09: never the number of a CoAP content format.
    let content_type = take_text(&mut bucket, CONTENT_TYPE, &integer_label(iana::HeaderParameter::ContentType))?;
    let critical = take_critical(&mut bucket)?;
    let signing_time = take_time(&mut bucket, attribute::SIGNING_TIME)?;
    let authentic_signing_time = take_time(&mut bucket, attribute::AUTHENTIC_SIGNING_TIME)?;
    let expiry = take_time(&mut bucket, attribute::EXPIRY)?;
    let extended = read_extended(bucket, &critical)?;
    let attributes =
        SignedAttributes { scheme, signing_time, authentic_signing_time, expiry, content_type, critical, extended };
    Ok((algorithm, attributes))
}

fn take_algorithm(bucket: &mut Bucket) -> Result<SignatureAlgorithm, EnvelopeError> {
    let value = bucket.remove(&integer_label(iana::HeaderParameter::Alg));
    let value = value.ok_or(EnvelopeError::Member { member: ALG, problem: "is absent" })?;
    let known = value.as_integer().and_then(|id| i64::try_from(id).ok()).and_then(SignatureAlgorithm::find_cose);
    known.ok_or_else(|| EnvelopeError::AlgorithmUnsupported { algorithm: shorten(&shown::json(&value).to_string()) })
}

fn take_text(bucket: &mut Bucket, member: &'static str, label: &Label) -> Result<String, EnvelopeError> {
    match bucket.remove(label) {
        Some(Value::Text(text)) => Ok(text),
        Some(_) => Err(EnvelopeError::Member { member, problem: "is not a text string" }),
        None => Err(EnvelopeError::Member { member, problem: "is absent" }),
    }
}

/// The labels of `crit`, by name (conformance 4.06).
fn take_critical(bucket: &mut Bucket) -> Result<Vec<String>, EnvelopeError> {
    let problem = |problem| EnvelopeError::Member { member: CRIT, problem };
    let Some(Value::Array(values)) = bucket.remove(&integer_label(iana::HeaderParameter::Crit)) else {
        return Err(problem("is not an array"));
    };
    let label = |value| Label::from_cbor_value(value).map_err(|_| problem("holds something that is not a label"));
    values.into_iter().map(|value| label(value).map(name)).collect()
}

/// Tag 1 around an integer (conformance 4.05). A fraction, which nobody should write, is refused: in floating point two
/// readers may round to two moments. So is Go's zero time, which the reference takes for none.
fn take_time(bucket: &mut Bucket, member: &'static str) -> Result<Option<UnixTime>, EnvelopeError> {
    let Some(value) = bucket.remove(&text_label(member)) else { return Ok(None) };
    let seconds = match value {
        Value::Tag(1, seconds) => seconds.as_integer().and_then(|seconds| i64::try_from(seconds).ok()),
        _ => None,
    };
    let time = seconds.map(UnixTime::from_seconds).filter(|time| *time != UnixTime::GO_ZERO);
    time.map(Some).ok_or(EnvelopeError::Member { member, problem: "is not a time in whole seconds under the tag 1" })
}

/// What is left. Attributes with integer labels are no exception: who marks them as critical means it (conformance 4.17).
fn read_extended(bucket: Bucket, critical: &[String]) -> Result<BTreeMap<String, ExtendedAttribute>, EnvelopeError> {
    let mut extended = BTreeMap::new();
    for (label, value) in bucket {
        let name = name(label);
        let attribute = ExtendedAttribute { value: shown::json(&value), critical: critical.contains(&name) };
        if extended.insert(name, attribute).is_some() {
            return Err(EnvelopeError::Member { member: PROTECTED, problem: "has two labels of one name" });
        }
    }
    Ok(extended)
}

/// A byte string, or the policy would not know that there is a token (stricter than the reference, conformance 4.13). An
/// empty token is no token (8.20).
fn read_timestamp(value: Option<Value>) -> Result<Option<Vec<u8>>, EnvelopeError> {
    let token = value.map(|value| byte_string(attribute::TIMESTAMP_SIGNATURE, value)).transpose()?;
    Ok(token.filter(|token| !token.is_empty()))
}

/// `x5chain`, leaf first, an array even where it holds one certificate (conformance 4.11).
fn read_chain(
    value: Option<Value>,
    limits: &Limits,
    pool: &CertificatePool,
) -> Result<CertificateChain, EnvelopeError> {
    let problem = |problem| EnvelopeError::Member { member: X5CHAIN, problem };
    let values = match value {
        Some(Value::Array(values)) if !values.is_empty() => values,
        Some(Value::Array(_)) | None => return Err(problem("is absent or empty")),
        Some(_) => return Err(problem("is not an array")),
    };
    if values.len() > limits.certificates {
        return Err(problem("holds more certificates than any honest chain"));
    }
    let mut certificates = Vec::with_capacity(values.len());
    for (position, value) in (1..).zip(values) {
        let der = byte_string(X5CHAIN, value)?;
        let certificate = pool.read(&der).map_err(|source| EnvelopeError::Certificate { position, source })?;
        certificates.push(certificate);
    }
    Ok(CertificateChain::new(certificates, limits)?)
}

#[cfg(test)]
mod tests;
