//! The payload: what a signature says that it signs (Notary signature-specification, "Payload").

use std::collections::BTreeMap;
use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::purpose::{Purpose, PurposeMismatch};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::{Digest, shorten};
use crate::json::Object;
use crate::json::{self, JsonError};
use crate::oci::{Descriptor, MediaType};

/// A parsed payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    target: TargetArtifact,
}

/// The signed artifact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetArtifact {
    // In the order in which the reference writes a JWS payload (conformance 2.06).
    /// User metadata, beside what was on the artifact's descriptor.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The digest of the artifact's manifest, or of a blob (conformance 2.04).
    #[serde(deserialize_with = "signed_digest")]
    pub digest: Digest,
    /// The media type of the artifact's manifest.
    pub media_type: MediaType,
    /// The size of the artifact's manifest in bytes.
    pub size: u64,
}

fn null_is_empty<'de, D>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn signed_digest<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    Digest::parse_signed(&text).map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    target_artifact: Object<TargetArtifact>,
}

/// The same document, for the names of its members alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    target_artifact: BTreeMap<String, IgnoredAny>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    target_artifact: &'a TargetArtifact,
}

impl Payload {
    /// The content type of every payload (conformance 2.01).
    pub const MEDIA_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";

    /// Reads a payload. Members that are not known are passed over (conformance 2.08), except those that the reference,
    /// which ignores case, would take for known ones: two verifiers must not read two artifacts out of one payload.
    ///
    /// # Errors
    /// Not JSON, a member twice, or not the payload of a signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, PayloadError> {
        let top: BTreeMap<String, IgnoredAny> = json::from_slice(bytes)?;
        refuse_lookalike(&top, &["targetArtifact"])?;
        let names: Object<Names> = json::from_slice(bytes)?;
        refuse_lookalike(&names.0.target_artifact, &["mediaType", "digest", "size", "annotations"])?;
        let document: Object<Document> = json::from_slice(bytes)?;
        let target = document.0.target_artifact.0;
        if target.media_type.as_str().is_empty() {
            return Err(PayloadError::NoMediaType);
        }
        Ok(Self { target })
    }

    /// The payload of a signature over the manifest that `target` describes, with its annotations.
    pub fn for_target(target: &Descriptor) -> Self {
        Self {
            target: TargetArtifact {
                annotations: target.annotations.clone(),
                digest: target.digest,
                media_type: target.media_type.clone(),
                size: target.size,
            },
        }
    }

    /// The bytes to be signed; equal payloads give equal bytes.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn to_bytes(&self) -> Result<Vec<u8>, JsonError> {
        json::to_vec(&Written { target_artifact: &self.target })
    }

    /// The signed artifact.
    pub const fn target(&self) -> &TargetArtifact {
        &self.target
    }

    /// Compares the signed artifact with the one that is to be judged: digest, media type and size (conformance 2.09).
    ///
    /// # Errors
    /// Every value that differs.
    pub fn matches(&self, artifact: &Descriptor) -> Result<(), TargetMismatch> {
        let mut differences = Vec::new();
        if self.target.digest != artifact.digest {
            differences.push(TargetDifference::Digest { signed: self.target.digest, found: artifact.digest });
        }
        if self.target.media_type != artifact.media_type {
            let (signed, found) = (self.target.media_type.clone(), artifact.media_type.clone());
            differences.push(TargetDifference::MediaType { signed, found });
        }
        if self.target.size != artifact.size {
            differences.push(TargetDifference::Size { signed: self.target.size, found: artifact.size });
        }
        if differences.is_empty() { Ok(()) } else { Err(TargetMismatch { differences }) }
    }

    /// Checks that the signer signed for this purpose.
    ///
    /// # Errors
    /// The payload does not say so.
    pub fn check_purpose(&self, purpose: Purpose) -> Result<(), PurposeMismatch> {
        purpose.check(&self.target.annotations)
    }

    /// Checks that the signature carries all metadata that the operator asks for (conformance 8.39).
    ///
    /// # Errors
    /// The first entry that is absent or has another value.
    pub fn check_user_metadata(&self, wanted: &BTreeMap<String, String>) -> Result<(), UserMetadataMismatch> {
        for (key, value) in wanted {
            let found = self.target.annotations.get(key);
            if found != Some(value) {
                return Err(UserMetadataMismatch {
                    key: key.clone(),
                    wanted: value.clone(),
                    found: found.map(|text| shorten(text)),
                });
            }
        }
        Ok(())
    }
}

/// Go's JSON reader, which the reference uses, ignores the case of member names (conformance 2.08).
fn refuse_lookalike(
    members: &BTreeMap<String, IgnoredAny>,
    known: &'static [&'static str],
) -> Result<(), PayloadError> {
    for name in members.keys() {
        if let Some(known) = known.iter().find(|known| name != **known && name.eq_ignore_ascii_case(known)) {
            return Err(PayloadError::Lookalike { name: shorten(name), known });
        }
    }
    Ok(())
}

/// Why bytes are no payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Not the JSON of a payload.
    #[error("the signed payload is malformed: {}", shorten(&.0.to_string()))]
    Json(#[from] JsonError),
    /// A member that differs from a known one in case only.
    #[error("the signed payload has a member {name:?}, which some take for {known:?}")]
    Lookalike {
        /// The member.
        name: String,
        /// What it looks like.
        known: &'static str,
    },
    /// The media type of the artifact is empty.
    #[error("the signed payload gives no media type")]
    NoMediaType,
}

impl Diagnostic for PayloadError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::PayloadMalformed
    }
}

/// One value in which the signed artifact differs from the one at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetDifference {
    /// The digests.
    Digest {
        /// In the payload.
        signed: Digest,
        /// Of the artifact.
        found: Digest,
    },
    /// The media types.
    MediaType {
        /// In the payload.
        signed: MediaType,
        /// Of the artifact.
        found: MediaType,
    },
    /// The sizes.
    Size {
        /// In the payload.
        signed: u64,
        /// Of the artifact.
        found: u64,
    },
}

impl fmt::Display for TargetDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest { signed, found } => write!(f, "it signs {signed}, this is {found}"),
            Self::MediaType { signed, found } => {
                write!(f, "it signs the media type {:?}, this has {:?}", shorten(signed.as_str()), found.as_str())
            }
            Self::Size { signed, found } => write!(f, "it signs {signed} bytes, this has {found}"),
        }
    }
}

/// A genuine signature over something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature is for another artifact: {}", join(.differences))]
pub struct TargetMismatch {
    /// Never empty.
    pub differences: Vec<TargetDifference>,
}

fn join(differences: &[TargetDifference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Diagnostic for TargetMismatch {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::TargetMismatch
    }
}

/// The signature does not carry the metadata that the operator asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature's metadata {key:?} is {}, not {wanted:?}", .found.as_ref().map_or("absent".to_owned(), |text| format!("{text:?}")))]
pub struct UserMetadataMismatch {
    /// The key.
    pub key: String,
    /// The value asked for.
    pub wanted: String,
    /// The value that the signature carries.
    pub found: Option<String>,
}

impl Diagnostic for UserMetadataMismatch {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::UserMetadataMismatch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn payload(annotations: &str) -> Payload {
        let text = format!(
            r#"{{"targetArtifact":{{"mediaType":"a/b","size":0,"digest":"{D}","annotations":{annotations},"x":[1]}},"y":2}}"#
        );
        Payload::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn reads_any_order_and_passes_over_what_it_does_not_know() {
        // Conformance 2.02, 2.06, 2.08.
        let payload = payload(r#"{"a":"1"}"#);
        assert_eq!((payload.target().media_type.as_str(), payload.target().size), ("a/b", 0));
        assert_eq!(payload.target().annotations.len(), 1);
        let bytes = payload.to_bytes().unwrap();
        let text =
            format!(r#"{{"targetArtifact":{{"annotations":{{"a":"1"}},"digest":"{D}","mediaType":"a/b","size":0}}}}"#);
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
        assert_eq!(Payload::parse(&bytes).unwrap(), payload);
    }

    #[test]
    fn refuses_what_is_ambiguous_or_incomplete() {
        let target = format!(r#"{{"mediaType":"a/b","digest":"{D}","size":0}}"#);
        for (why, text) in [
            ("2.07 empty", String::new()),
            ("no object", "[]".into()),
            ("no target", "{}".into()),
            ("target is an array", format!(r#"{{"targetArtifact":[null,"{D}","a/b",0]}}"#)),
            ("payload is an array", format!("[{target}]")),
            ("twice", format!(r#"{{"targetArtifact":{target},"targetArtifact":{target}}}"#)),
            ("2.08 other case", format!(r#"{{"targetArtifact":{target},"TARGETARTIFACT":{target}}}"#)),
            (
                "2.08 other case",
                format!(r#"{{"targetArtifact":{}}}"#, target.replace("\"size\"", "\"Size\":1,\"size\"")),
            ),
            ("no digest", r#"{"targetArtifact":{"mediaType":"a/b","size":0}}"#.into()),
            ("no size", format!(r#"{{"targetArtifact":{{"mediaType":"a/b","digest":"{D}"}}}}"#)),
            ("empty type", format!(r#"{{"targetArtifact":{}}}"#, target.replace("a/b", ""))),
            ("size is a fraction", format!(r#"{{"targetArtifact":{}}}"#, target.replace(":0", ":0.5"))),
            ("negative size", format!(r#"{{"targetArtifact":{}}}"#, target.replace(":0", ":-1"))),
            ("weak digest", format!(r#"{{"targetArtifact":{}}}"#, target.replace("sha256", "md5"))),
            ("bytes behind", format!(r#"{{"targetArtifact":{target}}} x"#)),
        ] {
            assert!(Payload::parse(text.as_bytes()).is_err(), "{why}: {text}");
        }
    }

    #[test]
    fn every_value_that_differs_is_named() {
        // Conformance 2.09, 8.38.
        let payload = payload("null");
        let same = Descriptor::new("a/b", D.parse().unwrap(), 0);
        assert_eq!(payload.matches(&same), Ok(()));
        let other = Descriptor::new("a/c", Digest::sha256(b"x"), 1);
        let mismatch = payload.matches(&other).unwrap_err();
        assert_eq!(mismatch.differences.len(), 3);
        let text = mismatch.to_string();
        for part in [D, &other.digest.to_string(), "\"a/b\"", "\"a/c\"", "0 bytes"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(payload.matches(&Descriptor::new("a/b", same.digest, 1)).is_err());
        assert!(payload.matches(&Descriptor::new("A/b", same.digest, 0)).is_err());
    }

    #[test]
    fn metadata_is_a_subset_of_the_annotations() {
        // Conformance 8.39.
        let payload = payload(r#"{"a":"1","b":"2"}"#);
        let wanted = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(payload.check_user_metadata(&BTreeMap::new()), Ok(()));
        assert_eq!(payload.check_user_metadata(&wanted("a", "1")), Ok(()));
        assert_eq!(payload.check_user_metadata(&wanted("a", "2")).unwrap_err().found.as_deref(), Some("1"));
        assert_eq!(payload.check_user_metadata(&wanted("c", "2")).unwrap_err().found, None);
    }
}
