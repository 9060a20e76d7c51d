//! The COSE envelope (conformance section 4), byte for byte as the reference implementation lays it out.

use std::collections::BTreeMap;

use coset::cbor::Value;
use coset::iana::{EnumI64 as _, HeaderParameter};
use coset::{CborSerializable as _, CoseSign1, Header, ProtectedHeader, SignatureContext, TaggedCborSerializable as _};
use serde::Serialize;

use super::error::SigningError;
use super::local::Signer;
use super::request::{Envelope, Request, SigningOptions, go_json, token};
use crate::digest::Digest;
use crate::notary::{EnvelopeType, Payload, SignatureAlgorithm, SigningScheme, attribute};
use crate::oci::{Descriptor, MediaType};
use crate::pki::KeyKind;
use crate::time::UnixTime;

/// Signs `target` into a `COSE_Sign1_Tagged` envelope under the scheme `notary.x509` (conformance 2.26).
///
/// Media type, digest, size and annotations of `target` are signed, nothing else of it (conformance 2.03).
///
/// # Errors
/// The options contradict themselves, the chain breaks a rule or is not valid at the signing time, the key did not
/// sign, or no timestamp could be had.
pub fn sign_cose(
    target: &Descriptor,
    signer: &dyn Signer,
    options: &SigningOptions<'_>,
) -> Result<Envelope, SigningError> {
    let request = Request::prepare(target, signer, options)?;
    let payload = go_json(&SignedPayload::new(target, &request.annotations))?;
    let protected = protected(signer.key_kind(), request.signing_time, request.expiry)?;
    let signed = request.signed(signer, &sig_structure(&protected, &payload))?;
    let token = token(signer.key_kind(), &signed.signature, options)?;
    let unprotected = unprotected(&signed.certificates, token, &options.signing_agent)?;
    let bytes = assemble(protected, unprotected, payload, signed.signature)?;
    Envelope::checked(EnvelopeType::Cose, bytes, request.signing_time, signed.certificates)
}

/// `{"targetArtifact":{…}}`, in the order that the reference keeps in COSE (conformance 2.06).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedPayload<'a> {
    target_artifact: Target<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Target<'a> {
    media_type: &'a MediaType,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

impl<'a> SignedPayload<'a> {
    pub(super) const fn new(target: &'a Descriptor, annotations: &'a BTreeMap<String, String>) -> Self {
        let Descriptor { media_type, digest, size, .. } = target;
        Self { target_artifact: Target { media_type, digest: *digest, size: *size, annotations } }
    }
}

/// The protected header (conformance 4.03 to 4.07), encoded.
fn protected(kind: KeyKind, signing_time: UnixTime, expiry: Option<UnixTime>) -> Result<Vec<u8>, SigningError> {
    let critical = [Some(attribute::SIGNING_SCHEME), expiry.map(|_| attribute::EXPIRY)];
    let critical = critical.into_iter().flatten().map(Value::from).collect();
    let mut pairs = vec![
        (label(HeaderParameter::Alg), SignatureAlgorithm::of_key(kind).cose_id().into()),
        (label(HeaderParameter::Crit), Value::Array(critical)),
        (label(HeaderParameter::ContentType), Payload::MEDIA_TYPE.into()),
        (attribute::SIGNING_SCHEME.into(), SigningScheme::X509.name().into()),
        (attribute::SIGNING_TIME.into(), epoch(signing_time)),
    ];
    pairs.extend(expiry.map(|expiry| (attribute::EXPIRY.into(), epoch(expiry))));
    encode(sorted(pairs)?)
}

/// The unprotected header (conformance 4.10, 4.11).
fn unprotected(chain: &[Vec<u8>], token: Option<Vec<u8>>, agent: &str) -> Result<Value, SigningError> {
    let chain = chain.iter().map(|der| Value::Bytes(der.clone())).collect();
    let mut pairs =
        vec![(label(HeaderParameter::X5Chain), Value::Array(chain)), (attribute::SIGNING_AGENT.into(), agent.into())];
    pairs.extend(token.map(|token| (attribute::TIMESTAMP_SIGNATURE.into(), Value::Bytes(token))));
    sorted(pairs)
}

fn label(parameter: HeaderParameter) -> Value {
    parameter.to_i64().into()
}

/// Tag 1 (conformance 4.05).
fn epoch(time: UnixTime) -> Value {
    Value::Tag(1, Box::new(time.seconds().into()))
}

/// Core deterministic order (RFC 8949 §4.2.1, conformance 4.14): by the bytes of the encoded keys.
pub(super) fn sorted(pairs: Vec<(Value, Value)>) -> Result<Value, SigningError> {
    let keyed = pairs.into_iter().map(|pair| Ok((encode(pair.0.clone())?, pair)));
    let ordered: BTreeMap<Vec<u8>, (Value, Value)> = keyed.collect::<Result<_, SigningError>>()?;
    Ok(Value::Map(ordered.into_values().collect()))
}

fn encode(value: Value) -> Result<Vec<u8>, SigningError> {
    value.to_vec().map_err(SigningError::Cbor)
}

/// Conformance 4.02.
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = ProtectedHeader { original_data: Some(protected.to_vec()), header: Header::default() };
    coset::sig_structure_data(SignatureContext::CoseSign1, header, None, &[], payload)
}

/// Conformance 4.01.
fn assemble(
    protected: Vec<u8>,
    unprotected: Value,
    payload: Vec<u8>,
    signature: Vec<u8>,
) -> Result<Vec<u8>, SigningError> {
    let parts = vec![Value::Bytes(protected), unprotected, Value::Bytes(payload), Value::Bytes(signature)];
    encode(Value::Tag(CoseSign1::TAG, Box::new(Value::Array(parts))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protected_header_has_the_order_of_the_reference() {
        // Conformance 4.07, 4.14.
        let (signed, expiry) = (UnixTime::from_seconds(1_795_290_950), UnixTime::from_seconds(1_795_294_550));
        let header = protected(KeyKind::Rsa2048, signed, Some(expiry)).unwrap();
        let header = Value::from_slice(&header).unwrap();
        let labels: Vec<_> = header.as_map().unwrap().iter().map(|(label, _)| label.clone()).collect();
        let names = [attribute::EXPIRY, attribute::SIGNING_TIME, attribute::SIGNING_SCHEME].map(Value::from);
        assert_eq!(labels, [&[1, 2, 3].map(Value::from)[..], &names].concat());
        let critical = header.as_map().unwrap()[1].1.clone();
        assert_eq!(critical, Value::Array([attribute::SIGNING_SCHEME, attribute::EXPIRY].map(Value::from).into()));
    }

    #[test]
    fn the_payload_has_the_order_of_the_reference() {
        // Conformance 2.06.
        let target = Descriptor::of("a/b", b"{}");
        let digest = target.digest.to_string();
        let annotations = BTreeMap::from([("k".to_owned(), "<".to_owned())]);
        let written = go_json(&SignedPayload::new(&target, &annotations)).unwrap();
        let wanted = format!(
            r#"{{"targetArtifact":{{"mediaType":"a/b","digest":"{digest}","size":2,"annotations":{{"k":"\u003c"}}}}}}"#
        );
        assert_eq!(String::from_utf8(written).unwrap(), wanted);
    }

    /// Every byte of the reference's envelopes, its signature and token being given.
    #[test]
    fn the_reference_writes_the_same_bytes() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = ["../shared", "../../shared"].map(|path| root.join(path).join("vectors/notation"));
        let Some(vectors) = found.into_iter().find(|path| path.is_dir()) else {
            return eprintln!("SKIP the_reference_writes_the_same_bytes: the reference's vectors are not here");
        };
        for (case, kind) in [("p256-cose", KeyKind::P256), ("rsa2048-cose-timestamped", KeyKind::Rsa2048)] {
            let blobs = std::fs::read_dir(vectors.join(case).join("layout/blobs/sha256")).unwrap();
            let blobs = blobs.map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
            let envelope = blobs.into_iter().find(|blob| blob.starts_with(&[0xd2, 0x84])).unwrap();
            assert_eq!(rewritten(&envelope, kind), envelope, "{case}");
        }
    }

    fn rewritten(envelope: &[u8], kind: KeyKind) -> Vec<u8> {
        let limits = crate::limits::Limits::default();
        let found = crate::notary::SignatureEnvelope::parse(&EnvelopeType::Cose.media_type().into(), envelope, &limits)
            .unwrap();
        let target = found.claimed_payload().unwrap().target().clone();
        let descriptor = Descriptor::new(target.media_type.as_str(), target.digest, target.size);
        let chain: Vec<_> = found.certificates().certificates().iter().map(|one| one.der().to_vec()).collect();
        assemble(
            protected(kind, found.claims().signing_time.unwrap(), found.claims().expiry).unwrap(),
            unprotected(&chain, found.timestamp().map(<[u8]>::to_vec), found.signing_agent().unwrap()).unwrap(),
            go_json(&SignedPayload::new(&descriptor, &target.annotations)).unwrap(),
            found.signature().to_vec(),
        )
        .unwrap()
    }
}
