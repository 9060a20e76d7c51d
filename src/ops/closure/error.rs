//! Why a closure cannot be had.

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::{MediaType, Platform};
use crate::ops::progress::Cancelled;
use crate::store::StoreError;

/// Why the closure of an artifact cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClosureError {
    /// The store failed, or gave something that is not what it said.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The artifact itself is not there.
    #[error("the artifact {digest} is not there")]
    RootMissing {
        /// Its digest.
        digest: Digest,
    },
    /// A manifest that another one or a list of referrers names is not there.
    #[error("{digest} is missing; {parent} leads to it")]
    Missing {
        /// What is missing.
        digest: Digest,
        /// What led there.
        parent: Digest,
    },
    /// A list of referrers names a manifest that refers to something else.
    #[error(
        "{referrer} is listed as a referrer of {subject}, but refers to {}",
        .found.map_or_else(|| "nothing".to_owned(), |found| found.to_string())
    )]
    SubjectMismatch {
        /// The manifest.
        referrer: Digest,
        /// What it was listed for.
        subject: Digest,
        /// What it refers to.
        found: Option<Digest>,
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
    /// Two descriptors of the same manifest give different media types.
    #[error("the manifest {digest} is said to be {first} in one place and {second} in another")]
    MediaTypeConflict {
        /// The manifest.
        digest: Digest,
        /// One media type.
        first: MediaType,
        /// The other.
        second: MediaType,
    },
    /// Indexes or referrers nest too deep.
    #[error("{digest} lies more than {limit} steps below the artifact")]
    TooDeep {
        /// The manifest that is one step too far.
        digest: Digest,
        /// The limit.
        limit: usize,
    },
    /// More of something than the limit.
    #[error("the artifact has more than {limit} {what}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// No child is for a platform that was asked for.
    #[error("no child of {digest} is for {}; there is {}", list(wanted), list(offered))]
    PlatformUnknown {
        /// The index.
        digest: Digest,
        /// What was asked for.
        wanted: Vec<Platform>,
        /// What there is.
        offered: Vec<Platform>,
    },
    /// The work was told to stop.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// `a, b, c`
pub(in crate::ops) fn list(platforms: &[Platform]) -> String {
    platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ")
}

impl Diagnostic for ClosureError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Store(error) => error.code(),
            // A name led to it, or nobody would have come here.
            Self::RootMissing { .. } | Self::Missing { .. } => DiagnosticCode::BlobMissing,
            Self::SubjectMismatch { .. } | Self::MediaTypeConflict { .. } => DiagnosticCode::ManifestMismatch,
            Self::SizeConflict { .. } => DiagnosticCode::BlobSizeMismatch,
            Self::TooDeep { .. } => DiagnosticCode::ClosureTooDeep,
            Self::TooLarge { .. } => DiagnosticCode::ClosureTooLarge,
            Self::PlatformUnknown { .. } => DiagnosticCode::PlatformUnknown,
            Self::Cancelled(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Missing { .. } => Some(
                "the source is incomplete; copy the artifact there whole, or select the platforms that are there"
                    .into(),
            ),
            Self::SubjectMismatch { .. } => Some(
                "the source gives a wrong list of referrers; do not rely on it before its operator has looked".into(),
            ),
            Self::PlatformUnknown { offered, .. } => Some(format!("select one of {}", list(offered))),
            Self::Cancelled(error) => error.hint(),
            _ => None,
        }
    }
}
