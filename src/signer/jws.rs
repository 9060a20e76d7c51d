//! The JWS envelope (conformance section 3), byte for byte as the reference implementation lays it out.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Serialize;

use super::error::SigningError;
use super::local::Signer;
use super::request::{Envelope, Request, SigningOptions, go_json, token};
use crate::notary::{EnvelopeType, Payload, SignatureAlgorithm, SigningScheme, TargetArtifact, attribute};
use crate::oci::Descriptor;
use crate::pki::KeyKind;
use crate::time::UnixTime;

/// Signs `target` into a flattened JWS envelope under the scheme `notary.x509` (conformance 2.26).
///
/// Media type, digest, size and annotations of `target` are signed, nothing else of it (conformance 2.03).
///
/// # Errors
/// The options contradict themselves, the chain breaks a rule or is not valid at the signing time, the key did not
/// sign, or no timestamp could be had.
pub fn sign_jws(
    target: &Descriptor,
    signer: &dyn Signer,
    options: &SigningOptions<'_>,
) -> Result<Envelope, SigningError> {
    let request = Request::prepare(target, signer, options)?;
    let payload = encode(&payload(target, request.annotations.clone()))?;
    let protected = encode(&Protected::new(signer.key_kind(), request.signing_time, request.expiry))?;
    let signing_input = format!("{protected}.{payload}");
    let signed = request.signed(signer, signing_input.as_bytes())?;
    let header = Header {
        timestamp_signature: token(signer.key_kind(), &signed.signature, options)?
            .map(|token| BASE64_STANDARD.encode(token)),
        x5c: signed.certificates.iter().map(|der| BASE64_STANDARD.encode(der)).collect(),
        signing_agent: &options.signing_agent,
    };
    let signature = BASE64_URL_SAFE_NO_PAD.encode(&signed.signature);
    let bytes = go_json(&Flattened { payload: &payload, protected: &protected, header, signature: &signature })?;
    Envelope::checked(EnvelopeType::Jws, bytes, request.signing_time, signed.certificates)
}

/// `{"targetArtifact":{…}}`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedPayload {
    target_artifact: TargetArtifact,
}

/// Media type, digest and size of the target (conformance 2.03), with the annotations that are signed.
fn payload(target: &Descriptor, annotations: BTreeMap<String, String>) -> SignedPayload {
    SignedPayload {
        target_artifact: TargetArtifact {
            annotations,
            digest: target.digest,
            media_type: target.media_type.clone(),
            size: target.size,
        },
    }
}

/// The protected header (conformance 3.05 to 3.13), alphabetical.
#[derive(Serialize)]
struct Protected {
    alg: &'static str,
    crit: Vec<&'static str>,
    cty: &'static str,
    #[serde(rename = "io.cncf.notary.expiry", skip_serializing_if = "Option::is_none")]
    expiry: Option<UnixTime>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    signing_scheme: &'static str,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: UnixTime,
}

impl Protected {
    fn new(kind: KeyKind, signing_time: UnixTime, expiry: Option<UnixTime>) -> Self {
        let mut crit = vec![attribute::SIGNING_SCHEME];
        crit.extend(expiry.map(|_| attribute::EXPIRY));
        Self {
            alg: SignatureAlgorithm::of_key(kind).name(),
            crit,
            cty: Payload::MEDIA_TYPE,
            expiry,
            signing_scheme: SigningScheme::X509.name(),
            signing_time,
        }
    }
}

/// The unprotected header (conformance 3.16 to 3.18), in the reference's order.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "io.cncf.notary.timestampSignature", skip_serializing_if = "Option::is_none")]
    timestamp_signature: Option<String>,
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingAgent")]
    signing_agent: &'a str,
}

/// RFC 7515 §7.2.2, in the reference's order.
#[derive(Serialize)]
struct Flattened<'a> {
    payload: &'a str,
    protected: &'a str,
    header: Header<'a>,
    signature: &'a str,
}

fn encode<T: Serialize>(value: &T) -> Result<String, SigningError> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(go_json(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Descriptor {
        let mut target = Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"{}");
        target.annotations.insert("given".into(), "before".into());
        target
    }

    #[test]
    fn the_payload_is_written_as_the_reference_writes_it() {
        let mut target = target();
        target.annotations.clear();
        target.artifact_type = Some("dropped/type".into());
        let plain = go_json(&payload(&target, BTreeMap::new())).unwrap();
        let digest = target.digest.to_string();
        assert_eq!(
            String::from_utf8(plain).unwrap(),
            format!(
                r#"{{"targetArtifact":{{"digest":"{digest}","mediaType":"application/vnd.oci.image.manifest.v1+json","size":2}}}}"#
            )
        );
        let annotations = BTreeMap::from([("k<".to_owned(), "a&b>\u{2028}\"é".to_owned())]);
        let escaped = String::from_utf8(go_json(&payload(&target, annotations)).unwrap()).unwrap();
        let start = r#"{"targetArtifact":{"annotations":{"k\u003c":"a\u0026b\u003e\u2028\"é"},"digest""#;
        assert!(escaped.starts_with(start), "{escaped}");
    }

    #[test]
    fn the_protected_header_is_alphabetical_and_marks_what_is_critical() {
        // Conformance 3.06 and 3.12, against the header in vectors/notation/p256-jws-expiry.
        let time = |text: &str| text.parse().unwrap();
        let header = Protected::new(KeyKind::P256, time("2026-11-21T19:55:52Z"), Some(time("2026-11-21T20:55:52Z")));
        assert_eq!(
            String::from_utf8(go_json(&header).unwrap()).unwrap(),
            concat!(
                r#"{"alg":"ES256","crit":["io.cncf.notary.signingScheme","io.cncf.notary.expiry"],"#,
                r#""cty":"application/vnd.cncf.notary.payload.v1+json","io.cncf.notary.expiry":"2026-11-21T20:55:52Z","#,
                r#""io.cncf.notary.signingScheme":"notary.x509","io.cncf.notary.signingTime":"2026-11-21T19:55:52Z"}"#
            )
        );
    }
}
