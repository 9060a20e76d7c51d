//! Signing through Notation's plugins (conformance section 11). A plugin is a program of the operator's: it is found under
//! one folder, started without a shell, told what to do on standard input, and believed in nothing.

mod directory;
mod envelope;
mod error;
mod installer;
mod process;
mod raw;

pub use directory::{InstalledPlugin, PluginDirectory};
pub use envelope::EnvelopePlugin;
pub use error::PluginError;
pub use installer::{PluginInstaller, StagedPlugin};
pub use process::{Bounds, Plugin};
pub use raw::RawPlugin;

use super::EnvelopeSource;
use crate::notary::plugin::{Capability, PluginConfig};

/// What a key behind a plugin is wanted for. Plugins that make whole envelopes can do one without the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningPurpose {
    /// Artifacts: manifests in registries, layouts and bundles.
    Artifact,
    /// Files with detached signatures.
    Blob,
}

/// A key behind a plugin.
#[derive(Debug, Clone)]
pub struct PluginKey {
    /// The plugin.
    pub plugin: Plugin,
    /// What it knows the key by.
    pub id: String,
    /// What it is told.
    pub config: PluginConfig,
}

impl PluginKey {
    /// Asks the plugin what it can do, and takes the way that suits: signatures over bytes come before whole envelopes
    /// (conformance 11.22). It is asked anew each time (11.12).
    ///
    /// # Errors
    /// The plugin fails, or cannot sign for that purpose.
    pub fn open(self, purpose: SigningPurpose) -> Result<Box<dyn EnvelopeSource>, PluginError> {
        let metadata = self.plugin.metadata(&self.config)?;
        if metadata.can(Capability::RawSignature) {
            return Ok(Box::new(RawPlugin::open(self)?));
        }
        match purpose {
            SigningPurpose::Artifact if metadata.can(Capability::Envelope) => {
                return Ok(Box::new(EnvelopePlugin::for_artifacts(self)));
            }
            SigningPurpose::Blob if metadata.can(Capability::EnvelopeForBlob) => {
                return Ok(Box::new(EnvelopePlugin::for_blobs(self)?));
            }
            _ => {}
        }
        Err(PluginError::Unsuitable {
            plugin: metadata.name,
            wanted: match purpose {
                SigningPurpose::Artifact => "sign artifacts",
                SigningPurpose::Blob => "sign files",
            },
        })
    }
}
