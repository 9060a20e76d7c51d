//! The plugin protocol, contract version 1.0 (Notary plugin-extensibility): names, commands, and what is said on both
//! sides. Nothing here runs anything.
//!
//! What bulla writes has the members of the specification and no others; what a plugin writes may have more (conformance
//! 11.11).

mod answer;
mod error;
mod metadata;
mod name;
mod request;
mod verify;

pub use answer::{DescribedKey, GeneratedEnvelope, GeneratedSignature};
pub use error::{PluginAnswerError, PluginRefusal};
pub use metadata::{Capability, PluginMetadata};
pub use name::{PluginName, PluginNameError};
pub use request::{DescribeKey, GenerateEnvelope, GenerateSignature, GetMetadata, PluginConfig};
pub use verify::{PluginVerdict, VerifySignature};

/// The version of the contract that bulla speaks (conformance 11.09).
pub const CONTRACT_VERSION: &str = "1.0";

/// What a plugin can be asked for: the only argument of its program (conformance 11.04).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Who it is and what it can do.
    GetMetadata,
    /// Of which kind a key is.
    DescribeKey,
    /// A signature over given bytes.
    GenerateSignature,
    /// A whole signature envelope.
    GenerateEnvelope,
    /// A judgement about a signature.
    VerifySignature,
}

impl Command {
    /// The argument.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetMetadata => "get-plugin-metadata",
            Self::DescribeKey => "describe-key",
            Self::GenerateSignature => "generate-signature",
            Self::GenerateEnvelope => "generate-envelope",
            Self::VerifySignature => "verify-signature",
        }
    }
}

impl std::fmt::Display for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
