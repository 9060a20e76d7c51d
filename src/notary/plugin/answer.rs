//! What plugins answer to requests for signatures, held against what was asked (conformance 11.13 to 11.17).

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use super::request::key_spec;
use super::{Command, PluginAnswerError};
use crate::digest::shorten;
use crate::json::{self, Object};
use crate::notary::{EnvelopeType, SignatureAlgorithm};
use crate::pki::KeyKind;

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], command: Command) -> Result<T, PluginAnswerError> {
    let document: Object<T> = json::from_slice(bytes).map_err(|source| PluginAnswerError::Json { command, source })?;
    Ok(document.0)
}

/// Bytes in standard base64.
#[derive(Default)]
struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text.as_bytes()).map(Self).map_err(|_| D::Error::custom("no standard base64"))
    }
}

fn same_key(command: Command, found: &str, asked: &str) -> Result<(), PluginAnswerError> {
    if found != asked {
        return Err(PluginAnswerError::KeyId { command, found: shorten(found), asked: shorten(asked) });
    }
    Ok(())
}

/// The answer to `describe-key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DescribedKey {
    /// The kind of the key, which decides algorithm and hash.
    pub kind: KeyKind,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedDocument {
    key_id: String,
    key_spec: String,
}

impl DescribedKey {
    /// Reads the answer about the key `asked`.
    ///
    /// # Errors
    /// Malformed, about another key, or of an unknown kind.
    pub fn parse(bytes: &[u8], asked: &str) -> Result<Self, PluginAnswerError> {
        let document: DescribedDocument = read(bytes, Command::DescribeKey)?;
        same_key(Command::DescribeKey, &document.key_id, asked)?;
        let kind = KeyKind::ALL.into_iter().find(|kind| key_spec(*kind) == document.key_spec);
        let kind = kind.ok_or_else(|| PluginAnswerError::KeySpec { found: shorten(&document.key_spec) })?;
        Ok(Self { kind })
    }
}

/// The answer to `generate-signature`. Nothing of it is verified yet but that it is an answer to the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedSignature {
    /// The signature value, in JOSE's and COSE's form (conformance 11.15).
    pub signature: Vec<u8>,
    /// The certificates in DER, leaf first, root last.
    pub certificates: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureDocument {
    key_id: String,
    signature: Base64,
    signing_algorithm: String,
    certificate_chain: Vec<Base64>,
}

impl GeneratedSignature {
    /// Reads the answer for the key `asked` of that kind. The algorithm must be the key's (conformance 11.16), where the
    /// reference does not look.
    ///
    /// # Errors
    /// Malformed, about another key, or by another algorithm.
    pub fn parse(bytes: &[u8], asked: &str, kind: KeyKind) -> Result<Self, PluginAnswerError> {
        let document: SignatureDocument = read(bytes, Command::GenerateSignature)?;
        same_key(Command::GenerateSignature, &document.key_id, asked)?;
        let prescribed = SignatureAlgorithm::of_key(kind).plugin_name();
        if document.signing_algorithm != prescribed {
            let found = shorten(&document.signing_algorithm);
            return Err(PluginAnswerError::Algorithm { found, kind, prescribed });
        }
        let certificates = document.certificate_chain.into_iter().map(|certificate| certificate.0).collect();
        Ok(Self { signature: document.signature.0, certificates })
    }
}

/// The answer to `generate-envelope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedEnvelope {
    /// The envelope.
    pub bytes: Vec<u8>,
    /// What the plugin wants said in the signature manifest (conformance 1.13, 11.17).
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeDocument {
    signature_envelope: Base64,
    signature_envelope_type: String,
    annotations: Option<BTreeMap<String, String>>,
}

impl GeneratedEnvelope {
    /// Bytes that all annotations may have together. They become part of a manifest, of which registries take 4 MiB and
    /// readers of a seal 256 KiB; real ones have a few hundred bytes.
    pub const ANNOTATION_BYTES: usize = 64 << 10;

    /// Reads the answer to the request for an envelope of that format.
    ///
    /// # Errors
    /// Malformed, of another format, or with too much to annotate.
    pub fn parse(bytes: &[u8], asked: EnvelopeType) -> Result<Self, PluginAnswerError> {
        let document: EnvelopeDocument = read(bytes, Command::GenerateEnvelope)?;
        let asked = asked.media_type();
        if document.signature_envelope_type != asked {
            let found = shorten(&document.signature_envelope_type);
            return Err(PluginAnswerError::EnvelopeType { found, asked });
        }
        let annotations = document.annotations.unwrap_or_default();
        let found =
            annotations.iter().map(|(key, value)| key.len().saturating_add(value.len())).fold(0, usize::saturating_add);
        if found > Self::ANNOTATION_BYTES {
            return Err(PluginAnswerError::Annotations { found, limit: Self::ANNOTATION_BYTES });
        }
        Ok(Self { bytes: document.signature_envelope.0, annotations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_key_is_described_in_the_words_of_the_protocol() {
        // Conformance 11.13.
        let parse = |id: &str, spec: &str| {
            DescribedKey::parse(json!({"keyId": id, "keySpec": spec, "more": 1}).to_string().as_bytes(), "k")
        };
        let names = ["RSA-2048", "RSA-3072", "RSA-4096", "EC-256", "EC-384", "EC-521"];
        for (kind, name) in KeyKind::ALL.into_iter().zip(names) {
            assert_eq!(parse("k", name).unwrap().kind, kind);
        }
        assert!(matches!(parse("other", "EC-256"), Err(PluginAnswerError::KeyId { .. })));
        for unknown in ["", "EC-512", "ec-256", "RSA-1024"] {
            assert!(matches!(parse("k", unknown), Err(PluginAnswerError::KeySpec { .. })), "{unknown}");
        }
        for bad in ["", "{}", "[\"k\",\"EC-256\"]", r#"{"keyId":"k","keyId":"k","keySpec":"EC-256"}"#] {
            assert!(matches!(DescribedKey::parse(bad.as_bytes(), "k"), Err(PluginAnswerError::Json { .. })), "{bad}");
        }
    }

    #[test]
    fn a_signature_is_by_the_key_and_the_algorithm_that_were_asked_for() {
        // Conformance 11.14, 11.16.
        let parse = |id: &str, algorithm: &str, signature: &str| {
            let document = json!({"keyId": id, "signature": signature, "signingAlgorithm": algorithm,
                "certificateChain": ["MAA="]});
            GeneratedSignature::parse(document.to_string().as_bytes(), "k", KeyKind::P256)
        };
        let read = parse("k", "ECDSA-SHA-256", "//4=").unwrap();
        assert_eq!((read.signature, read.certificates), (vec![0xff, 0xfe], vec![vec![0x30, 0]]));
        assert!(matches!(parse("x", "ECDSA-SHA-256", ""), Err(PluginAnswerError::KeyId { .. })));
        for other in ["", "ES256", "ECDSA-SHA-384", "RSASSA-PSS-SHA-256"] {
            assert!(matches!(parse("k", other, ""), Err(PluginAnswerError::Algorithm { .. })), "{other}");
        }
        // URL-safe base64 is another alphabet.
        assert!(matches!(parse("k", "ECDSA-SHA-256", "__4="), Err(PluginAnswerError::Json { .. })));
    }

    #[test]
    fn annotations_are_texts_and_few() {
        // Conformance 1.13, 11.17.
        let parse = |annotations: serde_json::Value| {
            let document = json!({"signatureEnvelope": "MAA=", "annotations": annotations,
                "signatureEnvelopeType": EnvelopeType::Jws.media_type()});
            GeneratedEnvelope::parse(document.to_string().as_bytes(), EnvelopeType::Jws).map(|read| read.annotations)
        };
        assert_eq!(parse(json!({"a": "b"})).unwrap(), BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        assert!(parse(json!(null)).unwrap().is_empty() && parse(json!({})).unwrap().is_empty());
        for bad in [json!({"a": 1}), json!(["a"]), json!("a")] {
            assert!(matches!(parse(bad.clone()), Err(PluginAnswerError::Json { .. })), "{bad}");
        }
        let long = |size| parse(json!({"key": "x".repeat(size - 3)}));
        assert!(long(GeneratedEnvelope::ANNOTATION_BYTES).is_ok());
        let found = GeneratedEnvelope::ANNOTATION_BYTES + 1;
        assert!(matches!(long(found), Err(PluginAnswerError::Annotations { found: told, .. }) if told == found));
    }
}
