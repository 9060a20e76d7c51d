//! The JWS envelope (conformance section 3), byte for byte as the reference implementation lays it out.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Serialize;

use super::check;
use super::error::SigningError;
use super::local::Signer;
use crate::json;
use crate::notary::{EnvelopeType, Payload, SignatureAlgorithm, SigningScheme, TargetArtifact, annotation, attribute};
use crate::oci::Descriptor;
use crate::pki::{HashAlgorithm, KeyKind};
use crate::time::UnixTime;

/// What bulla calls itself in an envelope (conformance 2.22).
pub const SIGNING_AGENT: &str = concat!("bulla/", env!("CARGO_PKG_VERSION"));

/// Where RFC 3161 timestamps come from: an authority on the network, or one in the process.
pub trait TimestampSource {
    /// The DER of a TimeStampToken for `digest`, made with `hash` (conformance 9.01).
    ///
    /// # Errors
    /// No token; then no signature is made either (conformance 9.05).
    fn timestamp(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What a signature says beside its target.
#[derive(Clone)]
pub struct SigningOptions<'a> {
    /// When it is made, by the signer's own clock. A fraction of a second is cut off (conformance 2.24).
    pub signing_time: UnixTime,
    /// When it ends, if ever.
    pub expiry: Option<UnixTime>,
    /// What the signer adds to the signed annotations (conformance 2.05).
    pub user_metadata: BTreeMap<String, String>,
    /// What made it: opaque to verifiers.
    pub signing_agent: String,
    /// Who confirms the time.
    pub timestamp: Option<&'a dyn TimestampSource>,
}

impl SigningOptions<'_> {
    /// A signature made at `signing_time`, without expiry, user metadata or timestamp.
    pub fn new(signing_time: UnixTime) -> Self {
        Self {
            signing_time,
            expiry: None,
            user_metadata: BTreeMap::new(),
            signing_agent: SIGNING_AGENT.to_owned(),
            timestamp: None,
        }
    }
}

/// A signature envelope as made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The signed time, in whole seconds.
    pub signing_time: UnixTime,
    /// The DER certificates in it, leaf first.
    pub certificates: Vec<Vec<u8>>,
}

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
    let signing_time = whole_seconds(options.signing_time);
    let expiry = checked_expiry(signing_time, options.expiry)?;
    let annotations = signed_annotations(target, &options.user_metadata)?;
    check::chain(signer, signing_time)?;
    let payload = encode(&payload(target, annotations))?;
    let protected = encode(&Protected::new(signer.key_kind(), signing_time, expiry))?;
    let signing_input = format!("{protected}.{payload}");
    let signature = signer.sign(signing_input.as_bytes())?;
    let header = Header {
        timestamp_signature: timestamp(signer.key_kind(), &signature, options)?,
        x5c: signer.certificates().iter().map(|der| BASE64_STANDARD.encode(der)).collect(),
        signing_agent: &options.signing_agent,
    };
    let signature = BASE64_URL_SAFE_NO_PAD.encode(&signature);
    let bytes = go_json(&Flattened { payload: &payload, protected: &protected, header, signature: &signature })?;
    let descriptor = Descriptor::of(EnvelopeType::Jws.media_type(), &bytes);
    check::envelope(&descriptor.media_type, &bytes)?;
    Ok(Envelope { descriptor, bytes, signing_time, certificates: signer.certificates().to_vec() })
}

const fn whole_seconds(time: UnixTime) -> UnixTime {
    UnixTime::from_seconds(time.seconds())
}

fn checked_expiry(signing_time: UnixTime, expiry: Option<UnixTime>) -> Result<Option<UnixTime>, SigningError> {
    match expiry.map(whole_seconds) {
        Some(expiry) if expiry <= signing_time => Err(SigningError::Expiry { expiry, signing_time }),
        expiry => Ok(expiry),
    }
}

/// The target's annotations and the user's, which may neither replace one nor claim the reserved prefix
/// (conformance 1.12).
fn signed_annotations(
    target: &Descriptor,
    user_metadata: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, SigningError> {
    let mut annotations = target.annotations.clone();
    for (key, value) in user_metadata {
        if key.is_empty() || value.is_empty() {
            return Err(SigningError::EmptyMetadata { key: key.clone() });
        }
        if key.starts_with(annotation::RESERVED_PREFIX) {
            return Err(SigningError::ReservedMetadata { key: key.clone() });
        }
        if annotations.insert(key.clone(), value.clone()).is_some() {
            return Err(SigningError::RepeatedMetadata { key: key.clone() });
        }
    }
    Ok(annotations)
}

fn timestamp(kind: KeyKind, signature: &[u8], options: &SigningOptions<'_>) -> Result<Option<String>, SigningError> {
    let Some(source) = options.timestamp else { return Ok(None) };
    let hash = kind.hash();
    let token = source.timestamp(hash, &hash.digest(signature)).map_err(SigningError::Timestamp)?;
    Ok(Some(BASE64_STANDARD.encode(token)))
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

/// JSON with the characters escaped that Go escapes: `<`, `>`, `&`, U+2028 and U+2029 (conformance 2.06). Outside
/// strings none of them occurs.
fn go_json<T: Serialize>(value: &T) -> Result<Vec<u8>, SigningError> {
    let bytes = json::to_vec(value)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            other => escaped.push(other),
        }
    }
    Ok(escaped.into_bytes())
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

    #[test]
    fn user_metadata_adds_and_never_replaces() {
        let with = |key: &str, value: &str| {
            signed_annotations(&target(), &BTreeMap::from([(key.to_owned(), value.to_owned())]))
        };
        assert_eq!(with("new", "value").unwrap().len(), 2);
        assert!(matches!(with("given", "after"), Err(SigningError::RepeatedMetadata { .. })));
        assert!(matches!(with("io.cncf.notary.x", "y"), Err(SigningError::ReservedMetadata { .. })));
        assert!(matches!(with("", "y"), Err(SigningError::EmptyMetadata { .. })));
        assert!(matches!(with("x", ""), Err(SigningError::EmptyMetadata { .. })));
    }

    #[test]
    fn an_expiry_lies_a_whole_second_behind_the_signing_time() {
        let at = UnixTime::from_seconds(100);
        assert_eq!(checked_expiry(at, None).unwrap(), None);
        assert!(checked_expiry(at, Some(UnixTime::new(100, 999))).is_err());
        assert_eq!(checked_expiry(at, Some(UnixTime::new(101, 5))).unwrap(), Some(UnixTime::from_seconds(101)));
    }
}
