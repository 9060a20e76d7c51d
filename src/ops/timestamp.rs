//! Timestamps for signatures that were made before: in a new envelope beside the old one, or, where nothing may change,
//! as a token that is carried as evidence.

use std::sync::Arc;

use super::closure::{ClosureError, NotarySignature, WalkOptions, walk};
use super::progress::Progress;
use super::sign::put;
use super::signatures::{SignatureFlood, check_amount, fetch_blob};
use crate::archive::{EMPTY_CONFIG, empty_config, names};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::EvidenceManifest;
use crate::json::JsonError;
use crate::limits::Limits;
use crate::notary::{SignatureEnvelope, SignatureManifest, SignatureManifestForm, SigningScheme};
use crate::oci::{Descriptor, Manifest};
use crate::signer::{SignatureArtifact, SigningError, TimestampSource, request_token, with_timestamp};
use crate::store::{ContentKind, ContentSink, ContentStore, StoreError};

/// Which signatures get a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Those that have none.
    Missing,
    /// Those that have one as well.
    All,
}

/// A signature of an artifact, and whether it is to be stamped.
#[derive(Debug)]
pub struct Candidate {
    manifest: Arc<Manifest>,
    subject: Descriptor,
    form: SignatureManifestForm,
    envelope: SignatureEnvelope,
    bytes: Vec<u8>,
}

/// What is not stamped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// The signature manifest.
    pub signature: Digest,
    /// Why.
    pub reason: String,
}

/// The signatures that are found on `root` and on what belongs to it, as far as they are to be stamped.
///
/// # Errors
/// The store fails or gives damaged content. A signature that is itself no good is passed over.
pub fn candidates(
    store: &dyn ContentStore,
    root: &Descriptor,
    stamp: Stamp,
    options: &WalkOptions,
    limits: &Limits,
    progress: &dyn Progress,
) -> Result<(Vec<Candidate>, Vec<PassedOver>), StampError> {
    let closure = walk(store, root, options, limits, progress)?;
    let (mut found, mut passed) = (Vec::new(), Vec::new());
    let signatures = closure.notary_signatures();
    // All envelopes are held at once.
    check_amount(&signatures, closure.manifests.values(), std::iter::empty(), limits)?;
    for signature in &signatures {
        match Candidate::read(store, signature, stamp, limits)? {
            Ok(candidate) => found.push(candidate),
            Err(reason) => passed.push(PassedOver { signature: signature.manifest.descriptor().digest, reason }),
        }
    }
    Ok((found, passed))
}

impl Candidate {
    fn read(
        store: &dyn ContentStore,
        signature: &NotarySignature,
        stamp: Stamp,
        limits: &Limits,
    ) -> Result<Result<Self, String>, StampError> {
        let manifest = Arc::clone(&signature.manifest);
        let read = match SignatureManifest::read(&manifest) {
            Ok(read) => read,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let layer = read.envelope();
        if layer.size > limits.envelope_bytes {
            return Ok(Err(format!("its envelope has {} bytes", layer.size)));
        }
        let bytes = fetch_blob(store, layer, limits.envelope_bytes, &manifest.descriptor().digest)?;
        let envelope = match SignatureEnvelope::parse(&layer.media_type, &bytes, limits) {
            Ok(envelope) => envelope,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Err(error) = envelope.verify() {
            return Ok(Err(error.to_string()));
        }
        if envelope.claims().scheme != SigningScheme::X509 {
            return Ok(Err("its signing authority vouches for its time".to_owned()));
        }
        if stamp == Stamp::Missing && envelope.timestamp().is_some() {
            return Ok(Err("it has a timestamp".to_owned()));
        }
        Ok(Ok(Self { subject: read.subject().clone(), form: read.form(), manifest, envelope, bytes }))
    }

    /// The signature manifest.
    pub fn digest(&self) -> Digest {
        self.manifest.descriptor().digest
    }

    /// What it signs.
    pub const fn subject(&self) -> &Descriptor {
        &self.subject
    }

    /// The signature with a timestamp in its envelope: another envelope and another manifest for the same artifact. The
    /// withdrawn form of manifests is not written any more.
    ///
    /// # Errors
    /// There is no token.
    pub fn stamped(&self, source: &dyn TimestampSource) -> Result<SignatureArtifact, SigningError> {
        let token = request_token(&self.envelope, source)?;
        let media_type = self.envelope.envelope_type().media_type().into();
        let envelope = with_timestamp(&media_type, &self.bytes, &token)?;
        let form = match self.form {
            SignatureManifestForm::ArtifactManifest => SignatureManifestForm::ArtifactType,
            form => form,
        };
        SignatureArtifact::build(form, &self.subject, envelope)
    }

    /// A token beside the signature, which stays as it is: an evidence manifest with the token as its layer.
    ///
    /// # Errors
    /// There is no token.
    pub fn detached(&self, source: &dyn TimestampSource) -> Result<DetachedToken, StampError> {
        let token = request_token(&self.envelope, source)?;
        let layer = Descriptor::of(names::TIMESTAMP, &token);
        let manifest = EvidenceManifest::new(self.manifest.descriptor(), [(layer.clone(), Vec::new())]);
        let (descriptor, manifest) = manifest.encode()?;
        Ok(DetachedToken { layer, token, descriptor, manifest })
    }
}

/// A timestamp token that is carried as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedToken {
    layer: Descriptor,
    token: Vec<u8>,
    descriptor: Descriptor,
    manifest: Vec<u8>,
}

impl DetachedToken {
    /// Stores it, so that it is found as a referrer of its signature.
    ///
    /// # Errors
    /// The sink does not take it.
    pub fn put(&self, sink: &dyn ContentSink) -> Result<(), StoreError> {
        put(sink, &self.layer, ContentKind::Blob, &self.token)?;
        put(sink, &empty_config(), ContentKind::Blob, EMPTY_CONFIG)?;
        put(sink, &self.descriptor, ContentKind::Manifest, &self.manifest)
    }
}

/// Why no timestamp was added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// The store fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Content is missing, or does not fit together.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// More signatures or evidence than could be judged.
    #[error(transparent)]
    Flood(#[from] SignatureFlood),
    /// There is no token.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A document of our own could not be written.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Diagnostic for StampError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Closure(error) => error.code(),
            Self::Flood(error) => error.code(),
            Self::Signing(error) => error.code(),
            Self::Json(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Closure(error) => error.hint(),
            Self::Flood(error) => error.hint(),
            Self::Signing(error) => error.hint(),
            Self::Json(_) => None,
        }
    }
}
