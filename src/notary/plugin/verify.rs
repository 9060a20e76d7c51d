//! `verify-signature`: what a verification plugin is asked, and what it answers (conformance 11.18 to 11.20).

use std::collections::{BTreeMap, BTreeSet};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::read;
use super::{CONTRACT_VERSION, Capability, Command, PluginAnswerError, PluginConfig};
use crate::digest::shorten;
use crate::notary::{AuthenticEnvelope, PluginDemand};
use crate::time::UnixTime;

/// The request. Integrity is settled before it is made (conformance 11.27).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifySignature {
    contract_version: &'static str,
    signature: SignatureToVerify,
    trust_policy: PolicyToVerify,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    plugin_config: PluginConfig,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignatureToVerify {
    critical_attributes: CriticalAttributes,
    unprocessed_attributes: Vec<String>,
    certificate_chain: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct CriticalAttributes {
    content_type: String,
    signing_scheme: &'static str,
    expiry: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentic_signing_time: Option<UnixTime>,
    verification_plugin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_plugin_min_version: Option<String>,
    extended_attributes: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyToVerify {
    trusted_identities: Vec<String>,
    signature_verification: Vec<&'static str>,
}

impl VerifySignature {
    /// Asks for `wanted` about a genuine envelope. An expiry is always sent, Go's zero time where there is none, as plugins
    /// are used to (conformance 11.19).
    pub fn new(
        envelope: &AuthenticEnvelope,
        demand: &PluginDemand,
        trusted_identities: Vec<String>,
        wanted: &[Capability],
    ) -> Self {
        let attributes = envelope.attributes();
        let extended: BTreeMap<String, Value> =
            attributes.for_plugin().map(|(name, one)| (name.to_owned(), one.value.clone())).collect();
        let certificates = envelope.chain().certificates().iter();
        Self {
            contract_version: CONTRACT_VERSION,
            signature: SignatureToVerify {
                unprocessed_attributes: extended.keys().cloned().collect(),
                critical_attributes: CriticalAttributes {
                    content_type: attributes.content_type.clone(),
                    signing_scheme: attributes.scheme.name(),
                    expiry: attributes.expiry.unwrap_or(UnixTime::GO_ZERO),
                    authentic_signing_time: attributes.authentic_signing_time,
                    verification_plugin: demand.plugin.to_string(),
                    verification_plugin_min_version: demand.least.as_ref().map(ToString::to_string),
                    extended_attributes: extended,
                },
                certificate_chain: certificates.map(|one| BASE64_STANDARD.encode(one.der())).collect(),
            },
            trust_policy: PolicyToVerify {
                trusted_identities,
                signature_verification: wanted.iter().map(|capability| capability.name()).collect(),
            },
            plugin_config: PluginConfig::new(),
        }
    }

    /// The same with what the operator tells the plugin.
    #[must_use]
    pub fn telling(mut self, config: &PluginConfig) -> Self {
        self.plugin_config.clone_from(config);
        self
    }
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginVerdict {
    /// What it found, by capability: `Err` says why something is bad. What was not asked for is there too, and is nobody's
    /// business (conformance 8.36).
    pub results: BTreeMap<Capability, Result<(), String>>,
    /// The attributes that it dealt with.
    pub processed: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    verification_results: BTreeMap<String, ResultDocument>,
    #[serde(default)]
    processed_attributes: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct ResultDocument {
    success: bool,
    #[serde(default)]
    reason: Option<String>,
}

impl PluginVerdict {
    /// Reads the answer.
    ///
    /// # Errors
    /// Malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, PluginAnswerError> {
        let document: Document = read(bytes, Command::VerifySignature)?;
        let results = document.verification_results.into_iter().filter_map(|(name, result)| {
            let reason = result.reason.as_deref().map_or_else(|| "it gives no reason".to_owned(), shorten);
            Some((Capability::find(&name)?, if result.success { Ok(()) } else { Err(reason) }))
        });
        let processed = document.processed_attributes.unwrap_or_default().into_iter();
        let processed = processed.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Ok(Self { results: results.collect(), processed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_capability() {
        // Conformance 11.11, 11.20.
        let parse = |text: &str| PluginVerdict::parse(text.as_bytes());
        let read = parse(
            r#"{"verificationResults":{"SIGNATURE_VERIFIER.TRUSTED_IDENTITY":{"success":true,"more":1},
            "SIGNATURE_VERIFIER.REVOCATION_CHECK":{"success":false,"reason":"revoked"},"LATER":{"success":true}},
            "processedAttributes":["a",7]}"#,
        )
        .unwrap();
        assert_eq!(read.results[&Capability::TrustedIdentity], Ok(()));
        assert_eq!(read.results[&Capability::RevocationCheck], Err("revoked".into()));
        assert_eq!((read.results.len(), read.processed), (2, BTreeSet::from(["a".to_owned()])));
        for nothing in [r#"{"verificationResults":{}}"#, r#"{"verificationResults":{},"processedAttributes":null}"#] {
            assert_eq!(parse(nothing).unwrap(), PluginVerdict::default());
        }
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"verificationResults":{"x":{}}}"#,
            r#"{"verificationResults":{"x":{"success":"yes"}}}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
