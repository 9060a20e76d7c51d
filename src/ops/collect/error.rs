//! Why artifacts cannot be located or collected.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::{Reference, Repository, Tag, Target};
use crate::ops::closure::ClosureError;
use crate::ops::signatures::SignatureFlood;
use crate::store::StoreError;

/// Why artifacts cannot be located or collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// A store failed, or gave something that is not what it said.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What belongs to an artifact cannot be had.
    #[error("{reference}: {error}")]
    Closure {
        /// The artifact.
        reference: Reference,
        /// Why.
        #[source]
        error: Box<ClosureError>,
    },
    /// The source does not have what was asked for.
    #[error("there is nothing under {target}")]
    NotFound {
        /// What was asked for.
        target: Target,
    },
    /// Nothing was asked for, and the source names nothing.
    #[error(
        "nothing says which artifact is meant{}",
        .repository.as_ref().map_or_else(String::new, |repository| format!(" in {repository}"))
    )]
    NothingNamed {
        /// The repository, if it is one.
        repository: Option<Repository>,
    },
    /// A layout or archive that lists nothing.
    #[error("the source is empty: it lists no artifact")]
    Empty,
    /// Several artifacts where one is meant.
    #[error("there are {count} artifacts, and nothing says which is meant")]
    Several {
        /// How many.
        count: usize,
    },
    /// The source has several full names for an artifact.
    #[error("{digest} has several names: {}", .names.iter().map(Reference::to_string).collect::<Vec<_>>().join(", "))]
    SeveralNames {
        /// The artifact.
        digest: Digest,
        /// Its names.
        names: Vec<Reference>,
    },
    /// Nothing says under which name an artifact is exported.
    #[error("{digest}{} has no name", .tag.as_ref().map_or_else(String::new, |tag| format!(", tagged {tag},")))]
    NameMissing {
        /// The artifact.
        digest: Digest,
        /// The tag that it has in its source.
        tag: Option<Tag>,
    },
    /// Tag and digest, or two digests, do not agree.
    #[error("it was to be {expected}, but it is {found}")]
    DigestMismatch {
        /// What was asked for.
        expected: Digest,
        /// What is there.
        found: Digest,
    },
    /// One name for two artifacts.
    #[error("{reference} would name both {first} and {second}")]
    NameTwice {
        /// The name.
        reference: Box<Reference>,
        /// One artifact.
        first: Digest,
        /// The other.
        second: Digest,
    },
    /// Two repositories have different content under the same digest tag.
    #[error("the tag {tag} stands for {first} in one place and for {second} in another")]
    DigestTagTwice {
        /// The tag.
        tag: Tag,
        /// What it is in one place.
        first: Digest,
        /// What it is in the other.
        second: Digest,
    },
    /// Two sources describe the same content differently.
    #[error("{digest} is said to have {first} bytes in one place and {second} in another")]
    SizeConflict {
        /// The content.
        digest: Digest,
        /// One size.
        first: u64,
        /// The other.
        second: u64,
    },
    /// More signatures, or more revocation data, than can be judged.
    #[error(transparent)]
    Flood(#[from] SignatureFlood),
    /// All sources together hold too much.
    #[error("there are more than {manifests} manifests or {blobs} blobs")]
    TooLarge {
        /// How many manifests may be.
        manifests: usize,
        /// How many blobs may be.
        blobs: usize,
    },
    /// A blob is in none of the places where it should be.
    #[error("the blob {digest} is missing; {parent} leads to it")]
    BlobMissing {
        /// The blob.
        digest: Digest,
        /// The manifest that names it.
        parent: Digest,
    },
    /// A blob that must be held in memory is larger than its limit.
    #[error("{digest} has {size} bytes; at most {limit} are read into memory")]
    BlobTooLarge {
        /// The blob.
        digest: Digest,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// Something was asked for that was not collected.
    #[error("{digest} is not part of what was collected")]
    NotCollected {
        /// What.
        digest: Digest,
    },
}

impl Diagnostic for CollectError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Closure { error, .. } => error.code(),
            Self::NotFound { .. } | Self::Empty => DiagnosticCode::NotFound,
            Self::NothingNamed { .. } | Self::Several { .. } | Self::SeveralNames { .. } => {
                DiagnosticCode::ReferenceAmbiguous
            }
            Self::NameMissing { .. } => DiagnosticCode::NameMissing,
            Self::DigestMismatch { .. } => DiagnosticCode::ManifestMismatch,
            Self::NameTwice { .. } | Self::DigestTagTwice { .. } => DiagnosticCode::UsageInvalid,
            Self::SizeConflict { .. } => DiagnosticCode::BlobSizeMismatch,
            Self::TooLarge { .. } => DiagnosticCode::ClosureTooLarge,
            Self::Flood(error) => error.code(),
            Self::BlobMissing { .. } => DiagnosticCode::BlobMissing,
            Self::BlobTooLarge { .. } => DiagnosticCode::LimitExceeded,
            Self::NotCollected { .. } => DiagnosticCode::InternalError,
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Store(error) => return error.hint(),
            Self::Closure { error, .. } => return error.hint(),
            Self::Flood(error) => return error.hint(),
            Self::NotFound { .. } => "check the tag or digest; the source may have moved on",
            Self::Empty => {
                "check the path; what is written to a layout appears in its index.json when all of it is there"
            }
            Self::NothingNamed { .. } => "add a tag or digest to the reference",
            Self::Several { .. } => "name one of them by tag or digest",
            Self::SeveralNames { .. } => "name the artifact by its tag, or say which name it is to have",
            Self::NameMissing { .. } => "say which name it is to have, as host/repository:tag",
            Self::DigestMismatch { .. } => "the tag may have moved since the digest was written down",
            Self::NameTwice { .. } => "export them one by one, or give one of them another name",
            Self::DigestTagTwice { .. } => "export the two artifacts one by one",
            Self::BlobMissing { .. } => "the source is incomplete; copy the artifact there whole",
            _ => return None,
        };
        Some(text.into())
    }
}
