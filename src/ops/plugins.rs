//! The plugins of this host, for whoever judges signatures that demand one.

use crate::code::DiagnosticCode;
use crate::notary::plugin::{Command, PluginConfig, PluginMetadata, PluginName, PluginVerdict, VerifySignature};
use crate::signer::plugin::{PluginDirectory, PluginError};
use crate::verification::{Failure, VerificationPlugins};

/// What is installed, and what it is told.
#[derive(Debug, Clone)]
pub struct InstalledPlugins {
    directory: PluginDirectory,
    config: PluginConfig,
}

impl InstalledPlugins {
    /// The plugins of a directory, which are told `config`.
    pub const fn new(directory: PluginDirectory, config: PluginConfig) -> Self {
        Self { directory, config }
    }
}

impl VerificationPlugins for InstalledPlugins {
    fn metadata(&self, plugin: &PluginName) -> Result<PluginMetadata, Failure> {
        self.directory.find(plugin).and_then(|plugin| plugin.metadata(&self.config)).map_err(failure)
    }

    fn verify(&self, plugin: &PluginName, request: VerifySignature) -> Result<PluginVerdict, Failure> {
        let request = request.telling(&self.config);
        self.directory
            .find(plugin)
            .and_then(|plugin| plugin.ask(Command::VerifySignature, &request, PluginVerdict::parse))
            .map_err(failure)
    }
}

/// A signature that demands what is not there is told apart from a plugin that fails (conformance 14.16).
fn failure(error: PluginError) -> Failure {
    match error {
        PluginError::Missing { plugin, folder } => {
            let message =
                format!("the signature can be verified only with the plugin {plugin}, which is not installed");
            let hint = format!(
                "if you trust it, bulla plugin install puts it into {}; otherwise ask for a signature that needs none",
                folder.display()
            );
            Failure::new(DiagnosticCode::PluginRequired, message).with_hint(hint)
        }
        error => Failure::from(error),
    }
}
