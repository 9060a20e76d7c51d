//! Everything that belongs to one artifact: children, configurations, layers, and whatever refers to any of them.

mod error;
mod platform;
mod several;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::{Omission, OmittedContent};
use crate::digest::Digest;
use crate::notary::SignatureManifest;
use crate::oci::{Descriptor, Manifest, MediaType, Tag};
use crate::store::Search;

pub use error::ClosureError;
pub(super) use error::list;
pub use several::{Closures, walk_each};
pub(super) use several::{content_of, distinct};
pub(super) use walk::{Held, referrer_key, walk_beside};
pub use walk::{WalkOptions, walk};

/// One artifact with all that belongs to it. Every manifest in it was read, checked and is kept as received; blobs are
/// known by descriptor only.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The artifact: media type, digest and size.
    pub root: Descriptor,
    /// Every manifest and index.
    pub manifests: BTreeMap<Digest, Arc<Manifest>>,
    /// Every configuration, layer and other blob, under the media type by which it was reached first.
    pub blobs: BTreeMap<Digest, Descriptor>,
    /// Every referrer, by subject, digest and tag.
    pub referrers: Vec<Referrer>,
    /// The children of each index, in the index's order.
    pub children: BTreeMap<Digest, Vec<Child>>,
    /// The manifest that led to each manifest and blob first; the root has none.
    pub parents: BTreeMap<Digest, Digest>,
    /// What was searched for each manifest, and what came of it.
    pub searches: BTreeMap<Digest, Vec<Search>>,
    /// What was left out, by digest.
    pub omitted: Vec<OmittedContent>,
    /// Referrers whose list gives another artifact type than they have themselves; their own counts everywhere.
    pub mislabelled: Vec<Mislabelled>,
}

/// A manifest that refers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// What it refers to; for a digest tag, what the tag names.
    pub subject: Digest,
    /// The referrer, with its annotations and artifact type as a list of referrers shows them.
    pub descriptor: Descriptor,
    /// The artifact type that it has by itself, whatever a list said.
    pub artifact_type: Option<MediaType>,
    /// The digest tag under which it was found, if that is how.
    pub tag: Option<Tag>,
}

/// A child of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// The child, as the index describes it.
    pub descriptor: Descriptor,
    /// Why it is not part of the closure, if it is not.
    pub omitted: Option<Omission>,
}

/// A list of referrers that says something else of a referrer than the referrer itself. Registries are known to do
/// this by mistake, so it is no reason to refuse content; but the list is never believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mislabelled {
    /// The referrer.
    pub digest: Digest,
    /// What the list says.
    pub claimed: MediaType,
    /// What the referrer says.
    pub actual: Option<MediaType>,
}

/// A manifest that claims to carry a Notary Project signature.
#[derive(Debug, Clone)]
pub struct NotarySignature {
    /// What it refers to.
    pub subject: Digest,
    /// The manifest.
    pub manifest: Arc<Manifest>,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Manifests and indexes.
    pub manifests: u64,
    /// Other blobs.
    pub blobs: u64,
    /// Bytes of both; content that is reached both ways counts once.
    pub bytes: u64,
}

impl Closure {
    /// Every referrer of the Notary Project's type, in either form (conformance 1.02 to 1.05) and also as the
    /// withdrawn artifact manifest, by digest. That they are well-formed is for the judge to say.
    pub fn notary_signatures(&self) -> Vec<NotarySignature> {
        notary_signatures(&self.referrers, &self.manifests)
    }

    /// Sums over manifests and blobs.
    pub fn extent(&self) -> Extent {
        extent(&self.manifests, self.blobs.values())
    }
}

/// The Notary Project's signatures among `referrers`, by digest.
pub(super) fn notary_signatures(
    referrers: &[Referrer],
    manifests: &BTreeMap<Digest, Arc<Manifest>>,
) -> Vec<NotarySignature> {
    let mut found: BTreeMap<Digest, NotarySignature> = BTreeMap::new();
    for referrer in referrers.iter().filter(|referrer| referrer.tag.is_none()) {
        if let Some(manifest) = manifests.get(&referrer.descriptor.digest)
            && SignatureManifest::recognise(manifest)
        {
            let signature = NotarySignature { subject: referrer.subject, manifest: Arc::clone(manifest) };
            found.insert(referrer.descriptor.digest, signature);
        }
    }
    found.into_values().collect()
}

/// Sums over manifests and the blobs that are not among them.
pub(super) fn extent<'a>(
    manifests: &BTreeMap<Digest, Arc<Manifest>>,
    blobs: impl Iterator<Item = &'a Descriptor>,
) -> Extent {
    let mut extent = Extent::default();
    for manifest in manifests.values() {
        extent.manifests = extent.manifests.saturating_add(1);
        extent.bytes = extent.bytes.saturating_add(manifest.descriptor().size);
    }
    for blob in blobs.filter(|blob| !manifests.contains_key(&blob.digest)) {
        extent.blobs = extent.blobs.saturating_add(1);
        extent.bytes = extent.bytes.saturating_add(blob.size);
    }
    extent
}
