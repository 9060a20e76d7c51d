//! Where content lies: one small, object-safe interface over layouts, archives, registries and memory.
//!
//! There is one way to read. A store hands out [`RawContent`], which nobody outside this module can read: [`fetch`]
//! brings it into memory and [`copy_to`] streams it, and both check size and digest to the last byte. There is no
//! second, unchecked path.

pub mod archive;
pub mod bundle;
mod copy;
mod error;
pub mod layout;
mod listing;
pub mod memory;
pub mod overlay;
#[cfg(feature = "registry")]
pub mod registry;
pub mod stream;

use crate::digest::Digest;
use crate::oci::{Descriptor, DigestTagKind, Reference, Tag, Target};

pub use copy::{RawContent, copy_to, fetch, fetch_manifest};
pub use error::StoreError;
pub use listing::ListingError;

/// Which of the two kinds of content a descriptor leads to. Registries keep them behind different endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    /// A manifest or index, reached from an index, a tag or a list of referrers.
    Manifest,
    /// Anything else: configurations, layers, envelopes.
    Blob,
}

/// A place to read from: one repository, one layout, one archive. Absent is `Ok(None)`; an error is never absence.
pub trait ContentStore: Send + Sync {
    /// The descriptor of what `target` names. It is a claim until the content is read.
    fn resolve(&self, target: &Target) -> Result<Option<Descriptor>, StoreError>;

    /// The content that `descriptor` names, unchecked and unreadable but through [`fetch`] and [`copy_to`].
    fn open(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<Option<RawContent>, StoreError>;

    /// Every manifest whose subject is `subject`, however this store knows of it, sorted by digest, each once; and
    /// what was searched. Digest tags are not among them: see [`DigestTagKind`].
    fn referrers(&self, subject: &Descriptor) -> Result<Referrers, StoreError>;

    /// Everything that the store names at its top: the tags of a layout, the roots of a bundle. A repository does not
    /// list itself and returns nothing.
    fn names(&self) -> Result<Vec<NamedRoot>, StoreError>;
}

/// An artifact under the name or names that a store gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRoot {
    /// The manifest.
    pub descriptor: Descriptor,
    /// The tag, where there is one.
    pub tag: Option<Tag>,
    /// The full name, where the store has it (bundles, and layouts written by containerd or bulla).
    pub reference: Option<Reference>,
}

/// What a search for referrers found, and how it was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Referrers {
    /// The referrers, by digest.
    pub descriptors: Vec<Descriptor>,
    /// One entry a method, in the order in which they were tried.
    pub searches: Vec<Search>,
}

/// One search for what belongs to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    /// Where it looked.
    pub method: SearchMethod,
    /// What came of it.
    pub result: SearchResult,
}

/// Where referrers are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchMethod {
    /// All the ways in which a place lists what refers to something; what a bundle says
    Referrers,
    /// `GET /v2/<name>/referrers/<digest>`
    ReferrersApi,
    /// The referrers tag schema
    ReferrersTag,
    /// The manifests that a layout or archive holds
    LayoutIndex,
    /// cosign's `sha256-….sig`
    DigestTagSig,
    /// cosign's `sha256-….att`
    DigestTagAtt,
    /// cosign's `sha256-….sbom`
    DigestTagSbom,
}

impl From<DigestTagKind> for SearchMethod {
    fn from(kind: DigestTagKind) -> Self {
        match kind {
            DigestTagKind::Signature => Self::DigestTagSig,
            DigestTagKind::Attestation => Self::DigestTagAtt,
            DigestTagKind::Sbom => Self::DigestTagSbom,
        }
    }
}

/// What came of a search. An error is none of these: it ends the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SearchResult {
    /// Something was found.
    Found,
    /// The store answered, and there is nothing.
    Absent,
    /// The store does not offer this way of searching.
    Unsupported,
}

/// A place to write to. Nothing is visible under a name before [`ContentSink::publish`].
pub trait ContentSink: Send + Sync {
    /// Whether the content is there already, whole.
    fn has(&self, descriptor: &Descriptor, kind: ContentKind) -> Result<bool, StoreError>;

    /// Takes content in under its digest, checking size and digest on the way; what does not match leaves nothing.
    /// A manifest is put after everything that it names, except its subject.
    fn put(&self, descriptor: &Descriptor, kind: ContentKind, content: RawContent) -> Result<(), StoreError>;

    /// Gives names to what was put, all at once or, where the place cannot do that, one after the other in this
    /// order. Entries that are there already stay. Tells which tags stayed with what had them
    /// ([`NameRule::Stays`]).
    fn publish(&self, entries: &[Publication]) -> Result<Vec<KeptTag>, StoreError>;
}

/// What becomes of a tag that something else has at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameRule {
    /// It moves to what is published: somebody judged that, or answers for it.
    Moves,
    /// It stays with what has it.
    Stays,
}

/// A tag that stayed with what had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptTag {
    /// The tag.
    pub tag: Tag,
    /// What has it.
    pub kept: Digest,
    /// What would have got it.
    pub brought: Digest,
}

/// One entry of what becomes visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The manifest, with the annotations and artifact type that a list of it shows.
    pub descriptor: Descriptor,
    /// Its tag; `None` for a referrer, or a root that is named by digest alone.
    pub tag: Option<Tag>,
    /// Its full name on the destination.
    pub reference: Option<Reference>,
    /// What it refers to, if it is a referrer.
    pub subject: Option<Digest>,
    /// What becomes of the tag where something else has it.
    pub rule: NameRule,
}
