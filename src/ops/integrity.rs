//! Integrity of every byte: hashing all blobs of closures, in parallel.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::closure::Closure;
use super::progress::{Counted, Progress, Stage};
use crate::oci::Descriptor;
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

/// Runs `work` on every item, on as many threads as there are cores; the first error ends it.
///
/// # Errors
/// That of the first item, in the order of the list, that failed before the others stopped.
pub fn in_parallel<T: Sync, E: Send>(items: &[T], work: impl Fn(&T) -> Result<(), E> + Sync) -> Result<(), E> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(items.len()).max(1);
    let next = AtomicUsize::new(0);
    let failure: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let run = || {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(position) else { return };
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                let mut first = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if first.as_ref().is_none_or(|(earlier, _)| position < *earlier) {
                    *first = Some((position, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..cores {
            scope.spawn(run);
        }
        run();
    });
    match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The results of `work` on every item, in the order of the items, made on as many threads as there are cores.
pub fn map_in_parallel<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let slots: Vec<(&T, OnceLock<R>)> = items.iter().map(|item| (item, OnceLock::new())).collect();
    let fill = |(item, slot): &(&T, OnceLock<R>)| -> Result<(), Infallible> {
        slot.get_or_init(|| work(item));
        Ok(())
    };
    match in_parallel(&slots, fill) {
        Ok(()) => slots.into_iter().filter_map(|(_, slot)| slot.into_inner()).collect(),
        Err(never) => match never {},
    }
}
