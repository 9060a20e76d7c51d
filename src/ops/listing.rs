//! The signatures of one artifact, read and not judged: for those who want to see what is attached.

use std::sync::Arc;

use super::signatures::{fetch_blob, read_signature};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::limits::Limits;
use crate::notary::{Payload, SignatureEnvelope, SignatureManifest};
use crate::oci::{Descriptor, Manifest};
use crate::pki::CertificatePool;
use crate::store::{ContentStore, StoreError, fetch_manifest};
use crate::tsp::TimestampToken;
use crate::verification::{Failure, FoundSignature};

/// The signatures of an artifact.
#[derive(Debug)]
pub struct AttachedSignatures {
    /// The artifact.
    pub artifact: Descriptor,
    /// Their manifests, by digest, as many as were wanted.
    pub manifests: Vec<Arc<Manifest>>,
    /// Whether there are more than were wanted.
    pub more: More,
}

/// Whether there is more than was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// That is all.
    No,
    /// There are others.
    Yes,
}

/// Finds the signatures of an artifact, `most` of them. Their manifests are read, their envelopes are not.
///
/// # Errors
/// The store fails or gives damaged content.
pub fn attached(
    store: &dyn ContentStore,
    artifact: &Descriptor,
    most: usize,
    limits: &Limits,
) -> Result<AttachedSignatures, ListError> {
    let artifact = match fetch_manifest(store, artifact, limits)? {
        Some(manifest) => manifest.descriptor().bare(),
        None => return Err(ListError::Missing { digest: artifact.digest }),
    };
    let mut found = AttachedSignatures { artifact, manifests: Vec::new(), more: More::No };
    for referrer in store.referrers(&found.artifact)?.descriptors {
        let Some(manifest) = fetch_manifest(store, &referrer, limits)? else { continue };
        // The list of referrers is a claim; what the manifest itself says counts.
        let refers = manifest.subject().is_some_and(|subject| subject.digest == found.artifact.digest);
        if !refers || !SignatureManifest::recognise(&manifest) {
            continue;
        }
        if found.manifests.len() >= most {
            found.more = More::Yes;
            break;
        }
        found.manifests.push(Arc::new(manifest));
    }
    Ok(found)
}

impl AttachedSignatures {
    /// Reads the signatures themselves. What is wrong with one is a value, and hides none of the others.
    ///
    /// # Errors
    /// The store fails or gives damaged content.
    pub fn read(&self, store: &dyn ContentStore, limits: &Limits) -> Result<Vec<FoundSignature>, ListError> {
        let pool = CertificatePool::default();
        let read = |manifest: &Arc<Manifest>| {
            read_signature(manifest, limits, &pool, |layer| {
                fetch_blob(store, layer, limits.envelope_bytes, &manifest.descriptor().digest)
            })
        };
        Ok(self.manifests.iter().map(read).collect::<Result<_, _>>()?)
    }
}

/// What a signature says of itself, as far as it can be read.
#[derive(Debug)]
pub struct SignatureDetails {
    /// The signature manifest; a signature of a blob has none.
    pub digest: Option<Digest>,
    /// The envelope, unverified.
    pub envelope: SignatureEnvelope,
    /// What was signed, by its own word.
    pub payload: Payload,
    /// The timestamp, if there is one: unverified, but of this signature.
    pub timestamp: Option<Result<TimestampToken, Failure>>,
}

impl SignatureDetails {
    /// Reads what is inside an envelope.
    ///
    /// # Errors
    /// The payload is none.
    pub fn of(digest: Option<Digest>, envelope: SignatureEnvelope, limits: &Limits) -> Result<Self, Failure> {
        let payload = envelope.claimed_payload().map_err(Failure::from)?;
        let timestamp = envelope.timestamp().map(|token| {
            let token = TimestampToken::parse(token, limits).map_err(Failure::from)?;
            let info = token.info();
            if info.hash.digest(envelope.signature()) == info.imprint {
                Ok(token)
            } else {
                let message = "the timestamp is of another signature";
                Err(Failure::new(DiagnosticCode::TimestampInvalid, message))
            }
        });
        Ok(Self { digest, envelope, payload, timestamp })
    }

    /// Reads what is inside a signature that was found.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn of_found(found: FoundSignature, limits: &Limits) -> Result<Self, Failure> {
        Self::of(Some(found.digest), found.envelope?, limits)
    }
}

/// Why signatures could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The store fails or gives damaged content.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is named is not there.
    #[error("the artifact {digest} is not there")]
    Missing {
        /// The artifact.
        digest: Digest,
    },
}

impl Diagnostic for ListError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Missing { .. } => DiagnosticCode::BlobMissing,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Missing { .. } => None,
        }
    }
}
