//! Integrity of every byte: hashing all blobs of closures, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use super::closure::Closure;
use super::progress::{Counted, Progress, Stage};
use crate::digest::Digest;
use crate::oci::Descriptor;
use crate::parallel::in_parallel;
use crate::store::stream::{BundleHead, BundleTail};
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

/// What of a source must be what its digests say, and what of it was found so.
///
/// Whoever reads a blob anyway, to import it, checks it on the way and says so here; what nobody has read by then,
/// [`Ledger::settle`] reads. So every byte is hashed once, and none is left out.
#[derive(Debug)]
pub struct Ledger {
    count: ByteCount,
    blobs: BTreeMap<Digest, Descriptor>,
    checked: Mutex<BTreeSet<Digest>>,
}

/// The proof that all content of a ledger was held against its digests. Nothing but a ledger gives one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound(ByteCount);

impl Sound {
    /// How much it was.
    pub const fn count(self) -> ByteCount {
        self.0
    }
}

impl Ledger {
    /// Everything in the closures, each once. Manifests were hashed when they were read, so only blobs are open.
    pub fn of(closures: &[Closure]) -> Self {
        let (mut count, mut blobs, mut done) = (ByteCount::default(), BTreeMap::new(), BTreeSet::new());
        for closure in closures {
            for manifest in closure.manifests.values().filter(|manifest| done.insert(manifest.descriptor().digest)) {
                count.count(manifest.descriptor());
            }
            for blob in closure.blobs.values().filter(|blob| done.insert(blob.digest)) {
                count.count(blob);
                blobs.insert(blob.digest, blob.clone());
            }
        }
        Self { count, blobs, checked: Mutex::default() }
    }

    /// Notes that this content of the source was read to its end and is what its digest says.
    pub fn checked(&self, digest: &Digest) {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest);
    }

    /// The blobs that nobody has read yet.
    fn open(&self) -> Vec<&Descriptor> {
        let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        self.blobs.values().filter(|blob| !checked.contains(&blob.digest)).collect()
    }

    /// What was checked so far. It proves nothing.
    pub fn progress(&self) -> ByteCount {
        let open = self.open();
        let bytes = open.iter().fold(0, |sum: u64, blob| sum.saturating_add(blob.size));
        ByteCount {
            blobs: self.count.blobs.saturating_sub(u64::try_from(open.len()).unwrap_or(u64::MAX)),
            bytes: self.count.bytes.saturating_sub(bytes),
        }
    }

    /// The first blob that nobody has read yet: of a source that is read once, from the beginning to the end, none may
    /// be left.
    ///
    /// # Errors
    /// That blob.
    pub fn close(&self) -> Result<Sound, Descriptor> {
        match self.open().first() {
            None => Ok(Sound(self.count)),
            Some(blob) => Err((*blob).clone()),
        }
    }

    /// Notes what was checked when the head of a bundle was read.
    pub fn checked_head(&self, head: &BundleHead) {
        self.blobs.keys().filter(|digest| head.holds(digest)).for_each(|digest| self.checked(digest));
    }

    /// A blob as the manifests describe it, if it is one of these.
    pub fn blob(&self, digest: &Digest) -> Option<&Descriptor> {
        self.blobs.get(digest)
    }

    /// Hashes the tail of a bundle as it comes, to its very end.
    ///
    /// # Errors
    /// The pipe breaks off, or gives something else than it should.
    pub fn settle_stream(&self, tail: &mut BundleTail, progress: &dyn Progress) -> Result<Sound, StoreError> {
        progress.stage(Stage::Verifying, Some(tail.bytes()));
        while let Some(blob) = tail.next_blob()? {
            self.hash_next(&blob, tail, progress)?;
        }
        self.close().map_err(|blob| StoreError::missing(&blob, "a manifest of the artifact"))
    }

    /// Hashes the current blob of a tail.
    ///
    /// # Errors
    /// As [`Ledger::settle_stream`].
    pub fn hash_next(&self, blob: &Descriptor, tail: &BundleTail, progress: &dyn Progress) -> Result<(), StoreError> {
        // The manifests decide how long it is, not the inventory.
        let blob = self.blob(&blob.digest).unwrap_or(blob);
        copy_to(tail.content(), blob, &mut Counted::new(io::sink(), progress))?;
        self.checked(&blob.digest);
        Ok(())
    }

    /// Hashes what is left, several blobs at a time.
    ///
    /// # Errors
    /// The first blob that is missing or is not what its digest says.
    pub fn settle(&self, store: &dyn ContentStore, progress: &dyn Progress) -> Result<Sound, StoreError> {
        let mut open = self.open();
        if !open.is_empty() {
            // Largest first: one digest is serial work, so the longest must not come last.
            open.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
            progress.stage(Stage::Verifying, Some(open.iter().map(|blob| blob.size).fold(0, u64::saturating_add)));
            in_parallel(&open, |blob| hash_one(store, blob, progress))?;
            open.iter().for_each(|blob| self.checked(&blob.digest));
        }
        Ok(Sound(self.count))
    }
}

fn hash_one(store: &dyn ContentStore, blob: &Descriptor, progress: &dyn Progress) -> Result<(), StoreError> {
    let Some(content) = store.open(blob, ContentKind::Blob)? else {
        return Err(StoreError::missing(blob, "a manifest of the artifact"));
    };
    copy_to(content, blob, &mut Counted::new(io::sink(), progress))
}
