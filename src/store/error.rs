//! What can go wrong between a store and its reader.

use std::io;
use std::path::PathBuf;

use super::ContentKind;
use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::Digest;
use crate::oci::{Descriptor, LayoutError, ManifestError, MediaType};

/// An error of a store or sink.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Content is not what its digest says.
    #[error("the content of {expected} is damaged or was exchanged: its digest is {found}")]
    DigestMismatch {
        /// What the descriptor says.
        expected: Digest,
        /// What the content gave.
        found: Digest,
    },
    /// Content goes on behind its size.
    #[error("the content of {digest} is longer than the {size} bytes that its descriptor says")]
    TooLong {
        /// The content.
        digest: Digest,
        /// What the descriptor says.
        size: u64,
    },
    /// Content that something names is not there.
    #[error("{digest} ({media_type}, {size} bytes), which {named_by} names, is not there")]
    Missing {
        /// The content.
        digest: Digest,
        /// Its media type.
        media_type: MediaType,
        /// Its size.
        size: u64,
        /// What leads to it.
        named_by: String,
    },
    /// Content ends before its size.
    #[error("the content of {digest} ends after {found} of {size} bytes")]
    TooShort {
        /// The content.
        digest: Digest,
        /// What the descriptor says.
        size: u64,
        /// What was there.
        found: u64,
    },
    /// Content that must be held in memory is larger than its limit.
    #[error("{digest} has {size} bytes; at most {limit} are read into memory")]
    OverLimit {
        /// The content.
        digest: Digest,
        /// Manifest or blob.
        kind: ContentKind,
        /// What the descriptor says.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A manifest cannot be used.
    #[error("{digest}: {source}")]
    Manifest {
        /// The manifest.
        digest: Digest,
        /// What is wrong with it.
        #[source]
        source: ManifestError,
    },
    /// A layout document cannot be used.
    #[error("{path}: {source}", path = .path.display())]
    Layout {
        /// The layout or archive.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: LayoutError,
    },
    /// Content broke off while it was read.
    #[error("reading {digest}: {source}")]
    Read {
        /// The content.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Content could not be written.
    #[error("writing {digest}: {source}")]
    Write {
        /// The content.
        digest: Digest,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be used.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something under a name that cannot be what it should be (a link, a folder, a device).
    #[error("{path} is not {expected}", path = .path.display())]
    NotA {
        /// The file or folder.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// An error with a code and hint of its own: an archive's, a registry's.
    #[error("{message}")]
    Other {
        /// The code.
        code: DiagnosticCode,
        /// What happened.
        message: String,
        /// The way out.
        hint: Option<String>,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// What a folder should be that is named as a source or destination.
pub(crate) const OCI_LAYOUT: &str = "an OCI layout";

impl StoreError {
    /// Content that `named_by` leads to is absent.
    pub fn missing(descriptor: &Descriptor, named_by: &str) -> Self {
        Self::Missing {
            digest: descriptor.digest,
            media_type: descriptor.media_type.clone(),
            size: descriptor.size,
            named_by: named_by.to_owned(),
        }
    }

    /// Wraps the error of a particular kind of store.
    pub fn from_diagnostic(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self::Other {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
            source: Some(Box::new(error)),
        }
    }
}

impl Diagnostic for StoreError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::DigestMismatch { .. } => DiagnosticCode::BlobDigestMismatch,
            Self::TooLong { .. } | Self::TooShort { .. } => DiagnosticCode::BlobSizeMismatch,
            Self::Missing { .. } => DiagnosticCode::BlobMissing,
            Self::OverLimit { kind: ContentKind::Manifest, .. } => DiagnosticCode::ManifestTooLarge,
            Self::OverLimit { .. } => DiagnosticCode::LimitExceeded,
            Self::Manifest { source, .. } => source.code(),
            Self::Layout { source, .. } => source.code(),
            Self::NotA { .. } => DiagnosticCode::LayoutInvalid,
            Self::Read { source, .. } | Self::Write { source, .. } | Self::Io { source, .. } => {
                // A damaged archive shows itself while it is read.
                let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<crate::archive::ArchiveError>());
                inner.map_or_else(|| io_code(source), Diagnostic::code)
            }
            Self::Other { code, .. } => *code,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::DigestMismatch { .. } | Self::TooShort { .. } | Self::TooLong { .. } | Self::Missing { .. } => {
                Some("the content was damaged, altered or lost on the way; bring it over again from its source".into())
            }
            Self::NotA { expected, .. } if *expected == OCI_LAYOUT => Some(
                "a layout is a folder with oci-layout, index.json and blobs in it; a bundle is named by its file"
                    .into(),
            ),
            Self::Other { hint, .. } => hint.clone(),
            _ => match self.code() {
                DiagnosticCode::StorageFull => {
                    Some("free some space on the destination and run the same command again".into())
                }
                DiagnosticCode::PermissionDenied => {
                    Some("check who may write there, and that it is not mounted read-only".into())
                }
                _ => None,
            },
        }
    }
}
