//! A signature as it is stored beside the artifact that it signs.

use super::error::SigningError;
use super::request::Envelope;
use crate::digest::Digest;
use crate::notary::{SignatureManifest, SignatureManifestForm};
use crate::oci::{Descriptor, Manifest, MediaType};

/// A signature as a registry or layout stores it: put envelope and config, then the manifest (conformance 1.14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureArtifact {
    /// The manifest's descriptor, with the annotations and artifact type that a list of referrers shows.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The config's descriptor; its content is [`SignatureManifest::CONFIG`].
    pub config: Descriptor,
    /// The envelope.
    pub envelope: Envelope,
}

impl SignatureArtifact {
    /// Wraps an envelope that signs `subject`.
    ///
    /// # Errors
    /// The withdrawn form, which is not written.
    pub fn build(form: SignatureManifestForm, subject: &Descriptor, envelope: Envelope) -> Result<Self, SigningError> {
        let thumbprints: Vec<_> = envelope.certificates.iter().map(|der| Digest::sha256(der)).collect();
        let (signing_time, added) = (envelope.signing_time, &envelope.annotations);
        let manifest =
            SignatureManifest::build(form, subject, &envelope.descriptor, &thumbprints, signing_time, added)?;
        let parsed = Manifest::parse(&Descriptor::of(MediaType::OCI_MANIFEST, &manifest), manifest.as_slice())?;
        let empty = Descriptor::of(MediaType::OCI_EMPTY, SignatureManifest::CONFIG);
        let config = parsed.config().map_or(empty, Descriptor::bare);
        Ok(Self { descriptor: parsed.referrer_descriptor(), manifest, config, envelope })
    }
}
