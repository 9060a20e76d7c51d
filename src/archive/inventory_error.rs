//! Why an inventory is none that a bundle may have.

use super::check::{HELD_CONTENT, MOST_BYTES, SEAL_REPOSITORY};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::Reference;

/// Why an inventory cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InventoryError {
    /// A version of the format that nobody has defined yet.
    #[error("the inventory is of version {found}; only 1 is known")]
    SchemaVersion {
        /// What it says.
        found: u32,
    },
    /// Not an inventory.
    #[error("the inventory says that it is {found:?}")]
    MediaType {
        /// What it says.
        found: String,
    },
    /// A feature that must be known to read on.
    #[error("the bundle needs the feature {name:?}, which this version of bulla does not read")]
    Feature {
        /// Its name.
        name: String,
    },
    /// A feature that the inventory's content and its list of features do not agree about.
    #[error("the inventory {} {content}, and its features {} {name:?}",
        if *.needed { "has" } else { "has no" },
        if *.needed { "lack" } else { "name" })]
    FeatureMismatch {
        /// Its name.
        name: &'static str,
        /// What it is for.
        content: &'static str,
        /// Whether there is such content.
        needed: bool,
    },
    /// A name of a series that is none.
    #[error(
        "{name:?} cannot be the name of a stream: it takes 1 to 128 of a-z 0-9 . _ / -, beginning and ending with a letter or digit"
    )]
    StreamName {
        /// The name, shortened.
        name: String,
    },
    /// A place in a series that cannot be.
    #[error("the bundle cannot have number {sequence} of its stream and {}: {reason}",
        .previous.map_or_else(|| "no bundle before it".to_owned(), |digest| format!("{digest} before it")))]
    StreamPosition {
        /// The number.
        sequence: u64,
        /// The bundle before.
        previous: Option<Digest>,
        /// What is wrong.
        reason: &'static str,
    },
    /// Content was left out for a reason that does not fit it.
    #[error("the inventory says that {digest} was left out, and {reason}")]
    Omission {
        /// The content.
        digest: Digest,
        /// What does not fit.
        reason: &'static str,
    },
    /// An artifact with a name that is kept for seals.
    #[error("the inventory gives an artifact the name {reference}; {SEAL_REPOSITORY} is kept for seals")]
    NameReserved {
        /// The name.
        reference: Reference,
    },
    /// Not the JSON of an inventory.
    #[error("the inventory is malformed: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The right content in another form than the canonical one.
    #[error("the inventory is not in canonical form")]
    NotCanonical,
    /// A list out of order, or with something twice.
    #[error("the inventory's {list} are not in order, or name something twice")]
    Order {
        /// The list.
        list: &'static str,
    },
    /// Two artifacts under one name.
    #[error("the inventory gives the name {reference} to more than one artifact")]
    NameTwice {
        /// The name.
        reference: Reference,
    },
    /// A name that holds the digest of something else.
    #[error("the inventory gives the name {reference} to {found}")]
    NameOfAnother {
        /// The name.
        reference: Box<Reference>,
        /// What has it.
        found: Digest,
    },
    /// Something that must be carried and is not among the blobs, or not as what it should be.
    #[error("the inventory's blobs lack {digest}, {what}, or say something else of it")]
    NotCarried {
        /// What it is.
        what: &'static str,
        /// The content.
        digest: Digest,
    },
    /// A signature that is no referrer of what it signs.
    #[error("the inventory lists the signature {digest}, but not as a referrer of its subject")]
    NotAReferrer {
        /// The signature.
        digest: Digest,
    },
    /// Content that is both left out and carried.
    #[error("the inventory says that {digest} was left out and that it is carried")]
    OmittedAndCarried {
        /// The content.
        digest: Digest,
    },
    /// A member with a value that it cannot have.
    #[error("the inventory's {member} cannot be {found:?}")]
    Value {
        /// The member.
        member: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// A size that not every JSON reader takes for what it is.
    #[error("the inventory gives a size of {found} bytes; sizes and their sum end below 2^53")]
    Size {
        /// The size.
        found: u64,
    },
    /// More than any reader takes.
    #[error("the inventory has {found} bytes, and the format allows {MOST_BYTES}: the bundle has too many artifacts")]
    TooLarge {
        /// How many it has.
        found: usize,
    },
    /// A child of a root that was left out, and is not among what was left out.
    #[error("the inventory says that {digest} was left out of a root, and does not list it as left out")]
    NotOmitted {
        /// The child.
        digest: Digest,
    },
    /// A sum that does not follow from the lists.
    #[error("the inventory's totals do not follow from its lists")]
    Totals,
}

impl Diagnostic for InventoryError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Feature { .. } => DiagnosticCode::BundleFeatureUnknown,
            _ => DiagnosticCode::BundleManifestInvalid,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Feature { name } if name == HELD_CONTENT => {
                "it lacks content that this host is said to have; read it with a newer version, or ask for a bundle with everything in it"
                    .into()
            }
            Self::Feature { .. } | Self::SchemaVersion { .. } => "read this bundle with a newer version".into(),
            Self::TooLarge { .. } => "export the artifacts in several bundles; one holds some 25,000 signed ones".into(),
            Self::StreamName { .. } | Self::StreamPosition { .. } | Self::NameReserved { .. } => {
                "export it under another name or number".into()
            }
            _ => "the bundle was made by a faulty program or altered; bring it over again from its source".into(),
        })
    }
}
