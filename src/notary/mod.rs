//! Notary Project signatures: the manifest that carries one, its envelope, its attributes and its payload.
//!
//! A [`SignatureEnvelope`] is what somebody claims; only [`SignatureEnvelope::verify`] makes an [`AuthenticEnvelope`].
//! What an envelope format has of its own stays in its own file ([`EnvelopeType::Jws`] in `jws.rs`, [`EnvelopeType::Cose`] in
//! `cose.rs`); everything that the formats share (attributes, criticality, algorithms, chain, payload) is written once.

pub mod plugin;

mod algorithm;
mod attributes;
mod cose;
mod envelope;
mod jws;
mod manifest;
mod payload;
mod purpose;

pub use algorithm::SignatureAlgorithm;
pub use attributes::{AttributeError, ExtendedAttribute, PluginDemand, SignedAttributes, SigningScheme};
pub use cose::CborError;
pub use envelope::{AuthenticEnvelope, Authenticated, EnvelopeError, EnvelopeType, SignatureEnvelope};
pub use manifest::{SignatureManifest, SignatureManifestError, SignatureManifestForm};
pub use payload::{Payload, PayloadError, TargetArtifact, TargetDifference, TargetMismatch, UserMetadataMismatch};
pub use purpose::{Purpose, PurposeMismatch};

/// Names of signed and unsigned attributes, the same in every envelope format.
pub mod attribute {
    /// Which rules the signature follows.
    pub const SIGNING_SCHEME: &str = "io.cncf.notary.signingScheme";
    /// When the signer says to have signed (`notary.x509`).
    pub const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
    /// When a signing authority says to have signed (`notary.x509.signingAuthority`).
    pub const AUTHENTIC_SIGNING_TIME: &str = "io.cncf.notary.authenticSigningTime";
    /// From when on the signer no longer stands by the signature.
    pub const EXPIRY: &str = "io.cncf.notary.expiry";
    /// The plugin that must take part in verification.
    pub const VERIFICATION_PLUGIN: &str = "io.cncf.notary.verificationPlugin";
    /// The lowest version of that plugin.
    pub const VERIFICATION_PLUGIN_MIN_VERSION: &str = "io.cncf.notary.verificationPluginMinVersion";
    /// Unsigned: the RFC 3161 token over the signature value.
    pub const TIMESTAMP_SIGNATURE: &str = "io.cncf.notary.timestampSignature";
    /// Unsigned: what made the signature.
    pub const SIGNING_AGENT: &str = "io.cncf.notary.signingAgent";
}

/// Annotations and types of the manifest that carries a signature.
pub mod annotation {
    /// The fingerprints of the signing chain, a JSON array in a string.
    pub const THUMBPRINT: &str = "io.cncf.notary.x509chain.thumbprint#S256";
    /// The prefix that user metadata must not use (conformance 1.12).
    pub const RESERVED_PREFIX: &str = "io.cncf.notary";
    /// The prefix of bulla's own annotations in a signed payload. User metadata must not use it either: what a signature is
    /// for is said by the command that makes it, not by whoever asks for one.
    pub const BULLA_PREFIX: &str = "vnd.bulla.";
    /// In a signed payload: what the signature is for, where it is for more than an artifact.
    pub const PURPOSE: &str = "vnd.bulla.purpose";
}
