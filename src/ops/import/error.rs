//! Why an import fails.

use super::mapping::MappingError;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::Reference;
use crate::ops::closure::ClosureError;
use crate::ops::progress::Cancelled;
use crate::store::StoreError;

/// Why an import fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The source or the destination failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A name cannot be mapped.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// What belongs to an artifact cannot be had.
    #[error("{reference}: {error}")]
    Closure {
        /// The artifact.
        reference: Reference,
        /// Why.
        #[source]
        error: Box<ClosureError>,
    },
    /// A blob is missing.
    #[error("the blob {digest} is missing; {parent} leads to it")]
    BlobMissing {
        /// The blob.
        digest: Digest,
        /// The manifest that names it.
        parent: Digest,
    },
    /// Two artifacts would get one name.
    #[error("{reference} would name both {first} and {second} at the destination")]
    NameTwice {
        /// The name.
        reference: Box<Reference>,
        /// One artifact.
        first: Digest,
        /// The other.
        second: Digest,
    },
    /// Nothing may be imported.
    #[error("no artifact was admitted, so there is nothing to import")]
    NothingAdmitted,
    /// The work was told to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Diagnostic for ImportError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Mapping(error) => error.code(),
            Self::Closure { error, .. } => error.code(),
            Self::BlobMissing { .. } => DiagnosticCode::BlobMissing,
            Self::NameTwice { .. } => DiagnosticCode::UsageInvalid,
            Self::NothingAdmitted => DiagnosticCode::ArtifactNotTrusted,
            Self::Cancelled(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Mapping(error) => error.hint(),
            Self::Closure { error, .. } => error.hint(),
            Self::BlobMissing { .. } => Some("the source is incomplete; bring it over again".into()),
            Self::NameTwice { .. } => Some("map one of them to another name".into()),
            Self::NothingAdmitted => None,
            Self::Cancelled(error) => error.hint(),
        }
    }
}
