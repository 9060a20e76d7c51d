//! What a plugin says of itself (conformance 11.10, 11.12, 11.21).

use serde::Deserialize;

use super::{CONTRACT_VERSION, Command, PluginAnswerError, PluginName};
use crate::digest::shorten;
use crate::json::{self, Object};

/// What a plugin can do (conformance 11.21). Only these: no plugin replaces the checks of integrity, trust stores or
/// policies (11.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// It signs bytes, for artifacts and files.
    RawSignature,
    /// It makes whole envelopes, for artifacts.
    Envelope,
    /// It makes whole envelopes, for files.
    EnvelopeForBlob,
    /// It judges whose signature is accepted.
    TrustedIdentity,
    /// It judges whether certificates were revoked.
    RevocationCheck,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 5] =
        [Self::RawSignature, Self::Envelope, Self::EnvelopeForBlob, Self::TrustedIdentity, Self::RevocationCheck];

    /// The name in the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RawSignature => "SIGNATURE_GENERATOR.RAW",
            Self::Envelope => "SIGNATURE_GENERATOR.ENVELOPE",
            Self::EnvelopeForBlob => "SIGNATURE_GENERATOR.ENVELOPE_FOR_BLOB",
            Self::TrustedIdentity => "SIGNATURE_VERIFIER.TRUSTED_IDENTITY",
            Self::RevocationCheck => "SIGNATURE_VERIFIER.REVOCATION_CHECK",
        }
    }

    /// The capability of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.name() == name)
    }
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The metadata of a plugin, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginMetadata {
    /// Its name, that of its folder.
    pub name: PluginName,
    /// What it is, in its own words, kept printable.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Where there is more about it.
    pub url: String,
    /// What it can do. What is not in [`Capability`] is left out: nobody would ask for it.
    pub capabilities: Vec<Capability>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    name: String,
    description: String,
    version: String,
    url: String,
    supported_contract_versions: Vec<String>,
    capabilities: Vec<String>,
}

impl PluginMetadata {
    /// Reads the answer to `get-plugin-metadata` of the plugin that is installed as `name`.
    ///
    /// # Errors
    /// Malformed, incomplete, of another name, or of another contract.
    pub fn parse(bytes: &[u8], name: &PluginName) -> Result<Self, PluginAnswerError> {
        let command = Command::GetMetadata;
        let document: Object<Document> =
            json::from_slice(bytes).map_err(|source| PluginAnswerError::Json { command, source })?;
        let document = document.0;
        for (member, is_empty) in [
            ("name", document.name.is_empty()),
            ("description", document.description.is_empty()),
            ("version", document.version.is_empty()),
            ("url", document.url.is_empty()),
            ("supportedContractVersions", document.supported_contract_versions.is_empty()),
            ("capabilities", document.capabilities.is_empty()),
        ] {
            if is_empty {
                return Err(PluginAnswerError::Lacking { member });
            }
        }
        if document.name != name.as_str() {
            return Err(PluginAnswerError::Name { found: shorten(&document.name), expected: name.to_string() });
        }
        if !document.supported_contract_versions.iter().any(|version| version == CONTRACT_VERSION) {
            let found = shorten(&document.supported_contract_versions.join(", "));
            return Err(PluginAnswerError::Contract { found });
        }
        Ok(Self {
            name: name.clone(),
            description: shorten(&document.description),
            version: shorten(&document.version),
            url: shorten(&document.url),
            capabilities: document.capabilities.iter().filter_map(|name| Capability::find(name)).collect(),
        })
    }

    /// Whether it can do that.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(change: impl FnOnce(&mut Value)) -> Result<PluginMetadata, PluginAnswerError> {
        let mut document = json!({"name": "vault", "description": "d", "version": "1.0.0", "url": "u",
            "supportedContractVersions": ["1.0"], "capabilities": ["SIGNATURE_GENERATOR.RAW", "LATER"], "later": {}});
        change(&mut document);
        PluginMetadata::parse(document.to_string().as_bytes(), &PluginName::new("vault").unwrap())
    }

    #[test]
    fn metadata_are_whole_and_about_the_plugin_that_was_called() {
        // Conformance 11.11, 11.12, 11.21.
        let read = parse(|_| {}).unwrap();
        assert_eq!(read.capabilities, [Capability::RawSignature]);
        for member in ["name", "description", "version", "url", "supportedContractVersions", "capabilities"] {
            let absent = parse(|document| drop(document.as_object_mut().unwrap().remove(member)));
            assert!(matches!(absent, Err(PluginAnswerError::Lacking { .. })), "{member}");
            let empty = parse(|document| {
                document[member] = if document[member].is_string() { json!("") } else { json!([]) };
            });
            assert!(matches!(empty, Err(PluginAnswerError::Lacking { .. })), "{member}");
        }
        assert!(matches!(parse(|document| document["name"] = "other".into()), Err(PluginAnswerError::Name { .. })));
        assert!(matches!(parse(|document| document["url"] = 7.into()), Err(PluginAnswerError::Json { .. })));
    }

    #[test]
    fn the_contract_is_1_0() {
        // Conformance 11.10.
        assert!(parse(|document| document["supportedContractVersions"] = json!(["2.0", "1.0"])).is_ok());
        for other in [json!(["2.0"]), json!(["1"]), json!(["1.1"]), json!(["01.0"])] {
            let refused = parse(|document| document["supportedContractVersions"] = other.clone());
            assert!(matches!(refused, Err(PluginAnswerError::Contract { .. })), "{other}");
        }
    }
}
