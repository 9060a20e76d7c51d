//! Why a plugin was not used.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::json::JsonError;
use crate::notary::plugin::{Command, PluginAnswerError, PluginName, PluginRefusal};

/// Why a plugin was not used, or did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PluginError {
    /// No such plugin.
    #[error("the plugin {plugin} is not installed in {}", folder.display())]
    Missing {
        /// The plugin.
        plugin: PluginName,
        /// Where it should be.
        folder: PathBuf,
    },
    /// A link, or something else than a file in a folder (conformance 11.02).
    #[error("{} is no plugin: the folder of one and its program may not be links, nor anything else", path.display())]
    NotRegular {
        /// What is there.
        path: PathBuf,
    },
    /// Two folders cannot be exchanged in one step there.
    #[error("the plugin {plugin} cannot be replaced in one step: the file system of {} does not allow it", path.display())]
    NotReplaceable {
        /// The plugin.
        plugin: PluginName,
        /// Its folder.
        path: PathBuf,
    },
    /// What is installed, or to be, cannot be read or written.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The program could not be started.
    #[error("the plugin {plugin} could not be started: {source}")]
    Start {
        /// The plugin.
        plugin: PluginName,
        /// Why.
        source: std::io::Error,
    },
    /// The connection to it broke.
    #[error("the plugin {plugin} could not be talked to: {source}")]
    Talk {
        /// The plugin.
        plugin: PluginName,
        /// Why.
        source: std::io::Error,
    },
    /// It did not end.
    #[error("the plugin {plugin} did not answer {command} within {} seconds, and was stopped", limit.as_secs())]
    TooSlow {
        /// The plugin.
        plugin: PluginName,
        /// What it was asked.
        command: Command,
        /// What it was given.
        limit: Duration,
    },
    /// It said more than any answer has (conformance 11.05).
    #[error("the plugin {plugin} wrote more than {limit} bytes to {stream}, and was stopped")]
    TooMuch {
        /// The plugin.
        plugin: PluginName,
        /// Which output.
        stream: &'static str,
        /// What is read.
        limit: u64,
    },
    /// It will not, or cannot (conformance 11.07).
    #[error("the plugin {plugin} declined {command}: {refusal}")]
    Declined {
        /// The plugin.
        plugin: PluginName,
        /// What it was asked.
        command: Command,
        /// What it says.
        refusal: PluginRefusal,
    },
    /// It ended badly without an error of the protocol (conformance 11.08).
    #[error("the plugin {plugin} failed at {command} ({status}): {}", if said.is_empty() { "it said nothing" } else { said })]
    Failed {
        /// The plugin.
        plugin: PluginName,
        /// What it was asked.
        command: Command,
        /// How it ended.
        status: ExitStatus,
        /// The beginning of what it said, kept printable.
        said: String,
    },
    /// Its answer breaks the protocol.
    #[error("the plugin {plugin} cannot be used: {source}")]
    Answer {
        /// The plugin.
        plugin: PluginName,
        /// What is wrong.
        source: PluginAnswerError,
    },
    /// It lacks a capability (conformance 11.21).
    #[error("the plugin {plugin} cannot {wanted}")]
    Unsuitable {
        /// The plugin.
        plugin: PluginName,
        /// What it is wanted for.
        wanted: &'static str,
    },
    /// The host may not touch the timestamps of plugins that make whole envelopes (conformance 11.25).
    #[error("the plugin {plugin} makes whole envelopes, and bulla adds no timestamp while it signs")]
    Timestamp {
        /// The plugin.
        plugin: PluginName,
    },
    /// A request could not be written.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Diagnostic for PluginError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Missing { .. } | Self::NotRegular { .. } => DiagnosticCode::PluginMissing,
            Self::Unreadable { source, .. } => io_code(source),
            Self::NotReplaceable { .. } => DiagnosticCode::AlreadyExists,
            Self::Timestamp { .. } => DiagnosticCode::UsageInvalid,
            Self::Unsuitable { .. } => DiagnosticCode::PluginUnsuitable,
            Self::Json(error) => error.code(),
            _ => DiagnosticCode::PluginFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("bulla plugin install installs one, bulla plugin list shows those that are there".into())
            }
            Self::NotReplaceable { plugin, .. } => {
                Some(format!("bulla plugin uninstall {plugin} first; what is installed is unchanged"))
            }
            Self::NotRegular { .. } => Some("put the program itself there, not a link".into()),
            Self::Start { .. } => {
                Some("a plugin is a program for this machine, and executable; scripts need their #! line".into())
            }
            Self::Timestamp { .. } => Some("sign first; bulla timestamp add stamps the signature afterwards".into()),
            Self::TooSlow { .. } => Some("check that the service behind the plugin can be reached from here".into()),
            Self::Declined { refusal, .. } => refusal.advice().map(str::to_owned),
            Self::Answer { source, .. } => source.hint(),
            Self::Failed { .. } | Self::TooMuch { .. } | Self::Talk { .. } => {
                Some("the fault is the plugin's; look into its documentation, or try another version of it".into())
            }
            _ => None,
        }
    }
}
