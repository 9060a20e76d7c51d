//! Plugins that sign bytes: the envelope is bulla's own (conformance 11.13 to 11.16, 11.24).

use super::PluginKey;
use super::error::PluginError;
use crate::notary::plugin::{Command, DescribeKey, DescribedKey, GenerateSignature, GeneratedSignature};
use crate::pki::KeyKind;
use crate::signer::{Signed, Signer, SigningError};

/// A key behind a plugin that signs bytes.
#[derive(Debug)]
pub struct RawPlugin {
    key: PluginKey,
    kind: KeyKind,
}

impl RawPlugin {
    /// Asks of which kind the key is: that decides the algorithm, and the hash of files (conformance 12.05).
    ///
    /// # Errors
    /// The plugin fails, or does not know the key.
    pub fn open(key: PluginKey) -> Result<Self, PluginError> {
        let kind = describe(&key)?;
        Ok(Self { key, kind })
    }
}

/// The kind of a key, by its plugin (conformance 11.13).
pub(super) fn describe(key: &PluginKey) -> Result<KeyKind, PluginError> {
    let request = DescribeKey::new(&key.id, &key.config);
    let described = key.plugin.ask(Command::DescribeKey, &request, |bytes| DescribedKey::parse(bytes, &key.id))?;
    Ok(described.kind)
}

impl Signer for RawPlugin {
    fn key_kind(&self) -> KeyKind {
        self.kind
    }

    /// None are known before it signs: the chain comes with the signature (conformance 11.14).
    fn certificates(&self) -> &[Vec<u8>] {
        &[]
    }

    fn sign(&self, signing_input: &[u8]) -> Result<Signed, SigningError> {
        let PluginKey { plugin, id, config } = &self.key;
        let request = GenerateSignature::new(id, self.kind, signing_input, config);
        let read = |bytes: &[u8]| GeneratedSignature::parse(bytes, id, self.kind);
        let GeneratedSignature { signature, certificates } = plugin.ask(Command::GenerateSignature, &request, read)?;
        Ok(Signed { signature, certificates })
    }
}
