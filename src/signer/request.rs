//! What every envelope format shares when a signature is made: the request, its checks, and the finished envelope.

use std::collections::BTreeMap;

use serde::Serialize;

use super::check;
use super::error::SigningError;
use super::local::{Signed, Signer};
use crate::json;
use crate::notary::annotation::{BULLA_PREFIX, PURPOSE};
use crate::notary::{EnvelopeType, Purpose};
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
    /// What the signature is for.
    pub purpose: Purpose,
    /// What the signer adds to the signed annotations (conformance 2.05).
    pub user_metadata: BTreeMap<String, String>,
    /// What made it: opaque to verifiers.
    pub signing_agent: String,
    /// Who confirms the time.
    pub timestamp: Option<&'a dyn TimestampSource>,
}

impl SigningOptions<'_> {
    /// A signature of an artifact made at `signing_time`, without expiry, user metadata or timestamp.
    pub fn new(signing_time: UnixTime) -> Self {
        Self {
            signing_time,
            expiry: None,
            purpose: Purpose::Artifact,
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
    /// What its maker wants said in the manifest that carries it (conformance 1.13). Nobody signs that.
    pub annotations: BTreeMap<String, String>,
}

impl Envelope {
    /// An envelope that was read back as a verifier would read it.
    pub(super) fn checked(
        kind: EnvelopeType,
        bytes: Vec<u8>,
        signing_time: UnixTime,
        certificates: Vec<Vec<u8>>,
    ) -> Result<Self, SigningError> {
        let descriptor = Descriptor::of(kind.media_type(), &bytes);
        check::envelope(&descriptor.media_type, &bytes)?;
        Ok(Self { descriptor, bytes, signing_time, certificates, annotations: BTreeMap::new() })
    }
}

/// What is to be signed, checked before a key is asked.
pub(super) struct Request {
    pub(super) signing_time: UnixTime,
    pub(super) expiry: Option<UnixTime>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl Request {
    pub(super) fn prepare(
        target: &Descriptor,
        signer: &dyn Signer,
        options: &SigningOptions<'_>,
    ) -> Result<Self, SigningError> {
        let signing_time = whole_seconds(options.signing_time);
        let expiry = checked_expiry(signing_time, options.expiry)?;
        let annotations = signed_annotations(target, options)?;
        if !signer.certificates().is_empty() {
            check::chain(signer.certificates(), signer.key_kind(), signing_time)?;
        }
        Ok(Self { signing_time, expiry, annotations })
    }

    /// The signature, with the chain that came with it, which keeps the rules (conformance 11.24).
    pub(super) fn signed(&self, signer: &dyn Signer, input: &[u8]) -> Result<Signed, SigningError> {
        let signed = signer.sign(input)?;
        check::chain(&signed.certificates, signer.key_kind(), self.signing_time)?;
        Ok(signed)
    }
}

pub(super) const fn whole_seconds(time: UnixTime) -> UnixTime {
    UnixTime::from_seconds(time.seconds())
}

pub(super) fn checked_expiry(
    signing_time: UnixTime,
    expiry: Option<UnixTime>,
) -> Result<Option<UnixTime>, SigningError> {
    match expiry.map(whole_seconds) {
        Some(expiry) if expiry <= signing_time => Err(SigningError::Expiry { expiry, signing_time }),
        expiry => Ok(expiry),
    }
}

/// The target's annotations and the user's, which may neither replace one nor claim a reserved prefix (conformance 1.12),
/// and what the signature is for. That alone decides what is said of it: neither who describes the target nor who asks for a
/// signature may.
pub(super) fn signed_annotations(
    target: &Descriptor,
    options: &SigningOptions<'_>,
) -> Result<BTreeMap<String, String>, SigningError> {
    let mut annotations = target.annotations.clone();
    if let Some(key) = annotations.keys().find(|key| key.starts_with(BULLA_PREFIX)) {
        return Err(SigningError::ReservedMetadata { key: key.clone(), prefix: BULLA_PREFIX });
    }
    if let Some(mark) = options.purpose.mark() {
        annotations.insert(PURPOSE.to_owned(), mark.to_owned());
    }
    for (key, value) in &options.user_metadata {
        if key.is_empty() || value.is_empty() {
            return Err(SigningError::EmptyMetadata { key: key.clone() });
        }
        if let Some(prefix) = Purpose::reserved_prefix(key) {
            return Err(SigningError::ReservedMetadata { key: key.clone(), prefix });
        }
        if annotations.insert(key.clone(), value.clone()).is_some() {
            return Err(SigningError::RepeatedMetadata { key: key.clone() });
        }
    }
    Ok(annotations)
}

/// The timestamp token over a signature value (conformance 9.01), where there is somebody to ask.
pub(super) fn token(
    kind: KeyKind,
    signature: &[u8],
    options: &SigningOptions<'_>,
) -> Result<Option<Vec<u8>>, SigningError> {
    let Some(source) = options.timestamp else { return Ok(None) };
    let hash = kind.hash();
    source.timestamp(hash, &hash.digest(signature)).map(Some).map_err(SigningError::Timestamp)
}

/// JSON with the characters escaped that Go escapes: `<`, `>`, `&`, U+2028 and U+2029 (conformance 2.06). Outside
/// strings none of them occurs.
pub(super) fn go_json<T: Serialize>(value: &T) -> Result<Vec<u8>, SigningError> {
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

    fn options<'a>(purpose: Purpose, key: &str, value: &str) -> SigningOptions<'a> {
        let user_metadata = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        SigningOptions { purpose, user_metadata, ..SigningOptions::new(UnixTime::from_seconds(0)) }
    }

    #[test]
    fn the_purpose_alone_says_what_a_signature_is_for() {
        let seal = signed_annotations(&target(), &options(Purpose::Seal, "new", "value")).unwrap();
        assert_eq!(seal.get(PURPOSE).map(String::as_str), Some("bundle-seal"));
        assert_eq!((seal.len(), Purpose::Seal.mark()), (3, Some("bundle-seal")));
        let more = signed_annotations(&target(), &options(Purpose::Seal, PURPOSE, "other"));
        assert!(matches!(more, Err(SigningError::ReservedMetadata { .. })));
        // Neither does who describes what is signed.
        let mut target = target();
        target.annotations.insert(PURPOSE.into(), "bundle-seal".into());
        let described = signed_annotations(&target, &options(Purpose::Artifact, "new", "value"));
        assert!(matches!(described, Err(SigningError::ReservedMetadata { key, .. }) if key == PURPOSE));
    }

    #[test]
    fn user_metadata_adds_and_never_replaces() {
        let with = |key: &str, value: &str| signed_annotations(&target(), &options(Purpose::Artifact, key, value));
        assert_eq!(with("new", "value").unwrap().len(), 2);
        assert!(matches!(with("given", "after"), Err(SigningError::RepeatedMetadata { .. })));
        for reserved in ["io.cncf.notary.x", PURPOSE, "vnd.bulla.x"] {
            assert!(matches!(with(reserved, "y"), Err(SigningError::ReservedMetadata { .. })), "{reserved}");
        }
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
