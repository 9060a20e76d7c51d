//! Putting content into a sink, several pieces at a time.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{ImportError, Tally};
use crate::digest::Digest;
use crate::oci::{Descriptor, Manifest};
use crate::ops::integrity::Ledger;
use crate::ops::progress::{Progress, counted, proceed};
use crate::store::{ContentKind, ContentSink, ContentStore, RawContent};

/// One piece of content on its way.
pub(super) enum Job<'a> {
    /// A blob, and the manifest that names it.
    Blob {
        /// The blob.
        descriptor: &'a Descriptor,
        /// Who names it.
        parent: Digest,
    },
    /// A manifest, which is in memory.
    Manifest(Arc<Manifest>),
}

/// Moves content from a store to sinks, and counts.
pub(super) struct Transfer<'a> {
    pub(super) store: &'a dyn ContentStore,
    pub(super) progress: &'a Arc<dyn Progress>,
    pub(super) workers: NonZeroUsize,
    pub(super) ledger: Option<&'a Ledger>,
    pub(super) copied: Counter,
    pub(super) present: Counter,
}

/// A tally that several threads add to.
#[derive(Debug, Default)]
pub(super) struct Counter {
    manifests: AtomicU64,
    blobs: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    pub(super) fn add(&self, descriptor: &Descriptor, kind: ContentKind) {
        let count = match kind {
            ContentKind::Manifest => &self.manifests,
            ContentKind::Blob => &self.blobs,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(descriptor.size, Ordering::Relaxed);
    }

    pub(super) fn tally(&self) -> Tally {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally { manifests: get(&self.manifests), blobs: get(&self.blobs), bytes: get(&self.bytes) }
    }
}

impl Transfer<'_> {
    /// Does all jobs, in their order as far as several at a time have one. The first error stops them all.
    pub(super) fn run(&self, sink: &dyn ContentSink, jobs: &[Job<'_>]) -> Result<(), ImportError> {
        let next = AtomicUsize::new(0);
        let stop = AtomicBool::new(false);
        let failure = Mutex::new(None);
        let work = || {
            while !stop.load(Ordering::Relaxed)
                && let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed))
            {
                if let Err(error) = self.do_one(sink, job) {
                    stop.store(true, Ordering::Relaxed);
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        let workers = self.workers.get().min(jobs.len());
        if workers <= 1 {
            work();
        } else {
            thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(work);
                }
            });
        }
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Content whose bytes count as progress.
    pub(super) fn counted(&self, content: RawContent) -> RawContent {
        counted(content, self.progress)
    }

    fn do_one(&self, sink: &dyn ContentSink, job: &Job<'_>) -> Result<(), ImportError> {
        proceed(self.progress.as_ref())?;
        let (descriptor, kind) = match job {
            Job::Blob { descriptor, .. } => (descriptor.bare(), ContentKind::Blob),
            Job::Manifest(manifest) => (manifest.descriptor().bare(), ContentKind::Manifest),
        };
        if sink.has(&descriptor, kind)? {
            self.present.add(&descriptor, kind);
            self.progress.advance(descriptor.size);
            return Ok(());
        }
        let content = match job {
            Job::Manifest(manifest) => RawContent::from_bytes(Arc::clone(manifest.bytes())),
            Job::Blob { descriptor, parent } => match self.store.open(descriptor, kind)? {
                Some(content) => content,
                None => return Err(ImportError::BlobMissing { digest: descriptor.digest, parent: *parent }),
            },
        };
        let read = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&read);
        let content = content.watched(move |bytes| {
            count.fetch_add(bytes, Ordering::Relaxed);
            Ok(())
        });
        sink.put(&descriptor, kind, self.counted(content))?;
        // A registry may take a blob over from another repository without reading any of it.
        if let Some(ledger) = self.ledger.filter(|_| read.load(Ordering::Relaxed) == descriptor.size) {
            ledger.checked(&descriptor.digest);
        }
        self.copied.add(&descriptor, kind);
        Ok(())
    }
}
