//! Integrity of every byte: hashing all blobs of closures, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};

use super::closure::Closure;
use super::progress::{Counted, Progress, Stage};
use crate::digest::{Digest, Hasher};
use crate::oci::Descriptor;
use crate::parallel::in_parallel;
use crate::store::stream::{BundleHead, BundleTail};
use crate::store::{ContentKind, ContentStore, RawContent, StoreError, copy_to};

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
    claims: Claims,
    checked: Mutex<BTreeSet<Digest>>,
}

/// What blobs are said to be by other hashes than that of their own digests, where a judgement relied on it.
pub type Claims = BTreeMap<Digest, BTreeSet<Digest>>;

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
    /// Everything in the closures, each once. Manifests were hashed when they were read, so only blobs are open, and what
    /// more is claimed of whichever of the two.
    pub fn of(closures: &[Closure], claims: Claims) -> Self {
        let (mut count, mut blobs, mut done) = (ByteCount::default(), BTreeMap::new(), BTreeSet::new());
        for closure in closures {
            for manifest in closure.manifests.values().filter(|manifest| done.insert(manifest.descriptor().digest)) {
                count.count(manifest.descriptor());
            }
            for blob in closure.blobs.values() {
                let is_new = done.insert(blob.digest);
                if is_new {
                    count.count(blob);
                }
                if is_new || claims.contains_key(&blob.digest) {
                    blobs.entry(blob.digest).or_insert_with(|| blob.clone());
                }
            }
        }
        Self { count, blobs, claims, checked: Mutex::default() }
    }

    /// Notes that this content of the source was read to its end and is what its digest says. Where more is claimed of it,
    /// that is not enough: it stays open until it is read here.
    pub fn checked(&self, digest: &Digest) {
        if !self.claims.contains_key(digest) {
            self.note(digest);
        }
    }

    fn note(&self, digest: &Digest) {
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
    ///
    /// # Errors
    /// Something in it is not what is claimed of it.
    pub fn checked_head(&self, head: &BundleHead) -> Result<(), StoreError> {
        for blob in self.blobs.values().filter(|blob| head.holds(&blob.digest)) {
            match self.claims.contains_key(&blob.digest) {
                true => self.copy_from(head, blob, &mut io::sink())?,
                false => self.note(&blob.digest),
            }
        }
        Ok(())
    }

    /// Reads a blob of a store, which must be there, to its end, checks it and hands it on.
    ///
    /// # Errors
    /// It is missing or not what it should be, or `out` does not take it.
    pub fn copy_from(
        &self,
        store: &dyn ContentStore,
        blob: &Descriptor,
        out: &mut dyn io::Write,
    ) -> Result<(), StoreError> {
        let content = store.open(blob, ContentKind::Blob)?;
        let content = content.ok_or_else(|| StoreError::missing(blob, "a manifest of the artifact"))?;
        self.copy(content, blob, out)
    }

    /// Reads the current blob of a tail to its end, checks it and hands it on.
    ///
    /// # Errors
    /// It is not what it should be, the pipe breaks off, or `out` does not take it.
    pub fn copy_next(&self, blob: &Descriptor, tail: &BundleTail, out: &mut dyn io::Write) -> Result<(), StoreError> {
        // The manifests decide how long it is, not the inventory.
        self.copy(tail.content(), self.blob(&blob.digest).unwrap_or(blob), out)
    }

    fn copy(&self, content: RawContent, blob: &Descriptor, out: &mut dyn io::Write) -> Result<(), StoreError> {
        match self.claims.get(&blob.digest) {
            None => copy_to(content, blob, out)?,
            Some(claims) => {
                let mut all = Hashed::by(claims, out);
                copy_to(content, blob, &mut all)?;
                all.finish()?;
            }
        }
        self.note(&blob.digest);
        Ok(())
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
        self.copy_next(blob, tail, &mut Counted::new(io::sink(), progress))
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
            in_parallel(&open, |blob| self.copy_from(store, blob, &mut Counted::new(io::sink(), progress)))?;
        }
        Ok(Sound(self.count))
    }
}

/// Hashes what is written on, in other ways than its reader does.
struct Hashed<'a> {
    claims: Vec<(Digest, Hasher)>,
    out: &'a mut dyn io::Write,
}

impl<'a> Hashed<'a> {
    fn by(claims: &BTreeSet<Digest>, out: &'a mut dyn io::Write) -> Self {
        Self { claims: claims.iter().map(|claim| (*claim, claim.algorithm().hasher())).collect(), out }
    }

    fn finish(self) -> Result<(), StoreError> {
        for (expected, hasher) in self.claims {
            let found = hasher.finish();
            if found != expected {
                return Err(StoreError::DigestMismatch { expected, found });
            }
        }
        Ok(())
    }
}

impl io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        let written = bytes.get(..count).unwrap_or(bytes);
        self.claims.iter_mut().for_each(|(_, hasher)| hasher.update(written));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::limits::Limits;
    use crate::oci::{IndexDocument, MediaType};
    use crate::ops::closure::{WalkOptions, walk};
    use crate::ops::progress::NoProgress;
    use crate::store::fetch_manifest;
    use crate::store::memory::MemoryStore;

    /// The digest of a manifest was held against it when it was read, but nothing else that is claimed of the same bytes.
    #[test]
    fn what_is_claimed_of_a_blob_that_is_a_manifest_too_is_checked() {
        let store = MemoryStore::new();
        let limits = Limits::default();
        let bytes = crate::json::to_vec(&IndexDocument::new(Vec::new())).unwrap();
        let root = store.insert_manifest(MediaType::OCI_INDEX, bytes.clone());
        let mut closure = walk(&store, &root, &WalkOptions::default(), &limits, &NoProgress).unwrap();
        let manifest = fetch_manifest(&store, &root, &limits).unwrap().unwrap();
        closure.manifests.insert(root.digest, Arc::new(manifest));
        closure.blobs.insert(root.digest, Descriptor::of("text/plain", &bytes));
        let settled = |claim: Option<&[u8]>| {
            let claims =
                claim.map(|bytes| (root.digest, BTreeSet::from([crate::digest::Algorithm::Sha384.digest(bytes)])));
            let ledger = Ledger::of(&[closure.clone()], claims.into_iter().collect());
            ledger.settle(&store, &NoProgress).map(Sound::count)
        };
        let count = settled(None).unwrap();
        assert_eq!((count.blobs, settled(Some(&bytes)).unwrap()), (1, count));
        assert!(matches!(settled(Some(b"other")), Err(StoreError::DigestMismatch { .. })));
    }
}
