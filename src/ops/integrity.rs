//! Integrity of every byte: hashing all blobs of closures, in parallel.

use std::collections::BTreeSet;
use std::io;

use super::closure::Closure;
use super::progress::{Counted, Progress, Stage};
use crate::oci::Descriptor;
use crate::parallel::in_parallel;
use crate::store::{ContentKind, ContentStore, StoreError, copy_to};

/// How much was hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteCount {
    /// Blobs and manifests.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl ByteCount {
    /// Adds another count.
    pub fn add(&mut self, other: Self) {
        self.blobs = self.blobs.saturating_add(other.blobs);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn count(&mut self, descriptor: &Descriptor) {
        self.add(Self { blobs: 1, bytes: descriptor.size });
    }
}

/// Hashes every blob of the closures once. Manifests were hashed when they were read, so they are only counted.
///
/// # Errors
/// The first blob that is missing or is not what its digest says.
pub fn hash_blobs(
    store: &dyn ContentStore,
    closures: &[Closure],
    progress: &dyn Progress,
) -> Result<ByteCount, StoreError> {
    let mut count = ByteCount::default();
    let mut done = BTreeSet::new();
    let mut blobs: Vec<&Descriptor> = Vec::new();
    for closure in closures {
        for manifest in closure.manifests.values().filter(|manifest| done.insert(manifest.descriptor().digest)) {
            count.count(manifest.descriptor());
        }
        for blob in closure.blobs.values().filter(|blob| done.insert(blob.digest)) {
            count.count(blob);
            blobs.push(blob);
        }
    }
    // Largest first: one digest is serial work, so the longest must not come last.
    blobs.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
    progress.stage(Stage::Verifying, Some(blobs.iter().map(|blob| blob.size).fold(0, u64::saturating_add)));
    in_parallel(&blobs, |blob| hash_one(store, blob, progress))?;
    progress.done();
    Ok(count)
}

fn hash_one(store: &dyn ContentStore, blob: &Descriptor, progress: &dyn Progress) -> Result<(), StoreError> {
    let Some(content) = store.open(blob, ContentKind::Blob)? else {
        return Err(StoreError::missing(blob, "a manifest of the artifact"));
    };
    copy_to(content, blob, &mut Counted::new(io::sink(), progress))
}
