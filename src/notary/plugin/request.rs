//! What bulla asks of plugins (conformance 11.12 to 11.17). Every request names the contract's version (11.09).

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Serialize, Serializer};

use super::CONTRACT_VERSION;
use crate::pki::KeyKind;

/// What a plugin is told beside the request itself.
pub type PluginConfig = BTreeMap<String, String>;

/// `get-plugin-metadata`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetMetadata<'a> {
    contract_version: &'static str,
    #[serde(skip_serializing_if = "is_empty")]
    plugin_config: &'a PluginConfig,
}

impl<'a> GetMetadata<'a> {
    /// The request.
    pub const fn new(plugin_config: &'a PluginConfig) -> Self {
        Self { contract_version: CONTRACT_VERSION, plugin_config }
    }
}

/// `describe-key`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescribeKey<'a> {
    contract_version: &'static str,
    key_id: &'a str,
    #[serde(skip_serializing_if = "is_empty")]
    plugin_config: &'a PluginConfig,
}

impl<'a> DescribeKey<'a> {
    /// The request.
    pub const fn new(key_id: &'a str, plugin_config: &'a PluginConfig) -> Self {
        Self { contract_version: CONTRACT_VERSION, key_id, plugin_config }
    }
}

/// `generate-signature`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateSignature<'a> {
    contract_version: &'static str,
    key_id: &'a str,
    key_spec: &'static str,
    hash_algorithm: &'static str,
    #[serde(serialize_with = "base64")]
    payload: &'a [u8],
    #[serde(skip_serializing_if = "is_empty")]
    plugin_config: &'a PluginConfig,
}

impl<'a> GenerateSignature<'a> {
    /// The request; `payload` are the exact bytes to be signed, which the plugin hashes itself (conformance 11.15).
    pub const fn new(key_id: &'a str, kind: KeyKind, payload: &'a [u8], plugin_config: &'a PluginConfig) -> Self {
        let hash_algorithm = kind.hash().as_str();
        Self {
            contract_version: CONTRACT_VERSION,
            key_id,
            key_spec: key_spec(kind),
            hash_algorithm,
            payload,
            plugin_config,
        }
    }
}

/// `generate-envelope`
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerateEnvelope<'a> {
    /// The version of the contract.
    pub contract_version: &'static str,
    /// The key.
    pub key_id: &'a str,
    /// The type of the payload.
    pub payload_type: &'static str,
    /// The format that is wanted, a media type.
    pub signature_envelope_type: &'static str,
    /// What is to be signed.
    #[serde(serialize_with = "base64")]
    pub payload: &'a [u8],
    /// From the signing time to the expiry, in seconds; 0 is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub expiry_duration_in_seconds: u64,
    /// What the plugin is told beside.
    #[serde(skip_serializing_if = "is_empty")]
    pub plugin_config: &'a PluginConfig,
}

fn is_empty(config: &&PluginConfig) -> bool {
    config.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(seconds: &u64) -> bool {
    *seconds == 0
}

fn base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
}

/// How the protocol calls a kind of key (conformance 11.13).
pub(super) const fn key_spec(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa2048 => "RSA-2048",
        KeyKind::Rsa3072 => "RSA-3072",
        KeyKind::Rsa4096 => "RSA-4096",
        KeyKind::P256 => "EC-256",
        KeyKind::P384 => "EC-384",
        KeyKind::P521 => "EC-521",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_have_the_members_of_the_specification() {
        // Conformance 11.09, 11.12 to 11.14, 11.17.
        let (none, some) = (PluginConfig::new(), PluginConfig::from([("a".to_owned(), "b".to_owned())]));
        let written = |value: &dyn erased::Written| value.value();
        assert_eq!(written(&GetMetadata::new(&none)), json!({"contractVersion": "1.0"}));
        assert_eq!(
            written(&DescribeKey::new("k", &some)),
            json!({"contractVersion": "1.0", "keyId": "k", "pluginConfig": {"a": "b"}})
        );
        assert_eq!(
            written(&GenerateSignature::new("k", KeyKind::P384, b"\xff\xfe", &none)),
            json!({"contractVersion": "1.0", "keyId": "k", "keySpec": "EC-384", "hashAlgorithm": "SHA-384",
                "payload": "//4="})
        );
        let mut envelope = GenerateEnvelope {
            contract_version: CONTRACT_VERSION,
            key_id: "k",
            payload_type: "p",
            signature_envelope_type: "e",
            payload: b"x",
            expiry_duration_in_seconds: 0,
            plugin_config: &none,
        };
        let mut wanted = json!({"contractVersion": "1.0", "keyId": "k", "payloadType": "p",
            "signatureEnvelopeType": "e", "payload": "eA=="});
        assert_eq!(written(&envelope), wanted);
        envelope.expiry_duration_in_seconds = 60;
        wanted["expiryDurationInSeconds"] = 60.into();
        assert_eq!(written(&envelope), wanted);
    }

    mod erased {
        pub(super) trait Written {
            fn value(&self) -> serde_json::Value;
        }
        impl<T: serde::Serialize> Written for T {
            fn value(&self) -> serde_json::Value {
                serde_json::to_value(self).unwrap()
            }
        }
    }
}
