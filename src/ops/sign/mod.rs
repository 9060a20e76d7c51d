//! Signing: an envelope over an artifact that is there, stored beside it. The artifact, its digest and its tags stay
//! what they are, and so do the signatures that it has (conformance 1.14, 1.30).

pub mod authority;

use std::sync::Arc;

use crate::archive::names;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::notary::{EnvelopeType, SignatureManifest, SignatureManifestForm};
use crate::oci::Descriptor;
use crate::signer::{EnvelopeSource, SignatureArtifact, SigningError, SigningOptions};
use crate::store::{
    ContentKind, ContentSink, ContentStore, NameRule, Publication, RawContent, StoreError, fetch_manifest,
};

/// How a signature is made.
pub struct SignRequest<'a> {
    /// The format of its envelope.
    pub envelope: EnvelopeType,
    /// The form of its manifest.
    pub form: SignatureManifestForm,
    /// What it says.
    pub options: SigningOptions<'a>,
}

/// Signs the manifest `target` of `store`, which is read first: what is signed is what is there (conformance 1.14), by
/// media type, digest and size. Annotations of an entry in a list are its owner's, and are not signed.
///
/// # Errors
/// The artifact is not there or is no manifest, or no signature could be made.
pub fn sign(
    store: &dyn ContentStore,
    target: &Descriptor,
    signer: &dyn EnvelopeSource,
    request: &SignRequest<'_>,
    limits: &Limits,
) -> Result<SignatureArtifact, SignError> {
    let subject = present(store, target, limits)?;
    let envelope = signer.envelope(request.envelope, &subject, &request.options)?;
    Ok(SignatureArtifact::build(request.form, &subject, envelope)?)
}

/// The descriptor of a manifest that is there, by its own bytes. What a bundle lists is vouched for by a seal, which is not
/// made here: a signature on its manifest as an artifact is none ([`crate::notary::Purpose`]), and was hardly meant.
fn present(store: &dyn ContentStore, target: &Descriptor, limits: &Limits) -> Result<Descriptor, SignError> {
    match fetch_manifest(store, target, limits)? {
        Some(manifest) if manifest.artifact_type().is_some_and(|kind| *kind == names::BUNDLE) => {
            Err(SignError::Bundle { digest: manifest.descriptor().digest })
        }
        Some(manifest) => {
            Ok(Descriptor::new(manifest.media_type().clone(), manifest.descriptor().digest, manifest.descriptor().size))
        }
        None => Err(StoreError::missing(target, "the reference").into()),
    }
}

/// Stores a signature beside its artifact: envelope, config, manifest (conformance 1.14), and last the entry by which it
/// is found.
///
/// # Errors
/// The sink does not take it. What it took before is harmless: nothing leads to it.
pub fn attach(sink: &dyn ContentSink, artifact: &SignatureArtifact, subject: &Descriptor) -> Result<(), StoreError> {
    let envelope = &artifact.envelope;
    put(sink, &envelope.descriptor, ContentKind::Blob, &envelope.bytes)?;
    put(sink, &artifact.config, ContentKind::Blob, SignatureManifest::CONFIG)?;
    put(sink, &artifact.descriptor, ContentKind::Manifest, &artifact.manifest)?;
    let publication = Publication {
        descriptor: artifact.descriptor.clone(),
        tag: None,
        reference: None,
        subject: Some(subject.digest),
        rule: NameRule::Stays,
    };
    sink.publish(&[publication])?;
    Ok(())
}

/// Stores content that is not there yet.
pub(super) fn put(
    sink: &dyn ContentSink,
    descriptor: &Descriptor,
    kind: ContentKind,
    bytes: &[u8],
) -> Result<(), StoreError> {
    if sink.has(descriptor, kind)? {
        return Ok(());
    }
    sink.put(descriptor, kind, RawContent::from_bytes(Arc::<[u8]>::from(bytes)))
}

/// Why no signature was made or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The place of the artifact fails, or does not have it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key, the chain, or the timestamp.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// What is to be signed says what a bundle holds.
    #[error("{digest} is the manifest of a bundle, which is sealed and not signed")]
    Bundle {
        /// Its digest.
        digest: Digest,
    },
}

impl Diagnostic for SignError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Bundle { .. } => DiagnosticCode::UsageInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Signing(error) => error.hint(),
            Self::Bundle { .. } => Some("bulla export --seal seals a bundle".into()),
        }
    }
}
