//! Why a docker archive cannot be written.

use std::io;

use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::Digest;
use crate::json::JsonError;
use crate::oci::{Platform, Reference};
use crate::ops::closure::{ClosureError, list};
use crate::ops::import::MappingError;
use crate::ops::progress::Cancelled;
use crate::store::StoreError;

/// Why a docker archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DockerArchiveError {
    /// The source failed, or gave something that is not what it said; or the output did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output did not take it.
    #[error("writing the archive: {0}")]
    Io(#[from] io::Error),
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
    /// Not a container image.
    #[error("{reference}: {digest} is no container image, and a docker archive holds nothing else")]
    NotAnImage {
        /// The artifact.
        reference: Reference,
        /// The manifest.
        digest: Digest,
    },
    /// An index with several images, and nothing says which is meant.
    #[error("{reference} holds several images, for {}; a docker archive takes one", list(offered))]
    SeveralImages {
        /// The artifact.
        reference: Reference,
        /// What there is.
        offered: Vec<Platform>,
    },
    /// No image for the platform that was asked for.
    #[error("{reference} holds no image for {wanted}; there is {}", list(offered))]
    PlatformUnknown {
        /// The artifact.
        reference: Reference,
        /// What was asked for.
        wanted: Platform,
        /// What there is.
        offered: Vec<Platform>,
    },
    /// Configuration and manifest do not fit together.
    #[error("{reference} has {layers} layers, but its configuration knows of {diff_ids}")]
    LayerCount {
        /// The artifact.
        reference: Reference,
        /// Layers in the manifest.
        layers: usize,
        /// Layers in the configuration.
        diff_ids: usize,
    },
    /// Two descriptors of the same content give different sizes.
    #[error("{digest} is said to have {first} bytes in one place and {second} in another")]
    SizeConflict {
        /// The content.
        digest: Digest,
        /// One size.
        first: u64,
        /// The other.
        second: u64,
    },
    /// A blob is missing.
    #[error("the blob {digest} is missing; {parent} leads to it")]
    BlobMissing {
        /// The blob.
        digest: Digest,
        /// The manifest that names it.
        parent: Digest,
    },
    /// Two images would get one name.
    #[error("{reference} would name both {first} and {second} in the archive")]
    NameTwice {
        /// The name.
        reference: Box<Reference>,
        /// One image.
        first: Digest,
        /// The other.
        second: Digest,
    },
    /// A document of the archive cannot be written.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The work was told to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Diagnostic for DockerArchiveError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Io(error) => io_code(error),
            Self::Mapping(error) => error.code(),
            Self::Closure { error, .. } => error.code(),
            Self::NotAnImage { .. } | Self::LayerCount { .. } => DiagnosticCode::DestinationUnsupported,
            Self::SeveralImages { .. } | Self::PlatformUnknown { .. } => DiagnosticCode::PlatformUnknown,
            Self::SizeConflict { .. } => DiagnosticCode::BlobSizeMismatch,
            Self::BlobMissing { .. } => DiagnosticCode::BlobMissing,
            Self::NameTwice { .. } => DiagnosticCode::UsageInvalid,
            Self::Json(_) => DiagnosticCode::InternalError,
            Self::Cancelled(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Store(error) => return error.hint(),
            Self::Mapping(error) => return error.hint(),
            Self::Closure { error, .. } => return error.hint(),
            Self::Cancelled(error) => return error.hint(),
            Self::SeveralImages { offered, .. } | Self::PlatformUnknown { offered, .. } => {
                return Some(format!("select one of {}, or import into a layout, which takes all", list(offered)));
            }
            Self::NotAnImage { .. } => "import it into a layout or registry, which take any artifact",
            Self::LayerCount { .. } => "import it into a layout or registry, which take it as it is",
            Self::NameTwice { .. } => "map one of them to another name",
            Self::BlobMissing { .. } => "the source is incomplete; bring it over again",
            _ => return None,
        };
        Some(text.into())
    }
}
