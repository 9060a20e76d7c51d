//! Content that comes once and in its own order: each blob goes to every place that wants it while it passes.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::transfer::{Job, Transfer};
use super::{ImportError, Parcel};
use crate::oci::Descriptor;
use crate::ops::progress::proceed;
use crate::store::stream::{BundleHead, BundleTail};
use crate::store::{ContentKind, ContentSink, RawContent, StoreError, copy_to};

/// How many chunks a place may lag behind.
const LAG: usize = 4;

/// Sends everything: what is in memory already, then the layers as they come, then the manifests.
pub(super) fn send(
    parcels: &[Parcel],
    head: &BundleHead,
    tail: &mut BundleTail,
    transfer: &Transfer<'_>,
) -> Result<(), ImportError> {
    for parcel in parcels {
        if let Some((blob, parent)) = parcel.blobs.values().find(|(blob, _)| !head.lists(&blob.digest)) {
            return Err(ImportError::BlobMissing { digest: blob.digest, parent: *parent });
        }
        let held = parcel.blobs.values().filter(|(blob, _)| head.holds(&blob.digest));
        let jobs = held.map(|(descriptor, parent)| Job::Blob { descriptor, parent: *parent });
        transfer.run(parcel.sink.as_ref(), &jobs.collect::<Vec<_>>())?;
    }
    while let Some(blob) = tail.next_blob()? {
        proceed(transfer.progress.as_ref())?;
        pass(&blob, parcels, tail, transfer)?;
        if let Some(ledger) = transfer.ledger {
            ledger.checked(&blob.digest);
        }
    }
    parcels.iter().try_for_each(|parcel| parcel.send_manifests(transfer))
}

/// Gives the current blob of the tail to every place that lacks it. It is read in any case: the bundle is good when all
/// of it is.
fn pass(blob: &Descriptor, parcels: &[Parcel], tail: &BundleTail, transfer: &Transfer<'_>) -> Result<(), ImportError> {
    let mut lacking: Vec<&dyn ContentSink> = Vec::new();
    // The manifests decide how long it is, not the inventory.
    let mut descriptor = transfer.ledger.and_then(|ledger| ledger.blob(&blob.digest)).unwrap_or(blob).bare();
    for parcel in parcels {
        let Some((wanted, _)) = parcel.blobs.get(&blob.digest) else { continue };
        descriptor = wanted.bare();
        if parcel.sink.has(&descriptor, ContentKind::Blob)? {
            transfer.present.add(&descriptor, ContentKind::Blob);
        } else {
            lacking.push(parcel.sink.as_ref());
        }
    }
    let content = transfer.counted(tail.content());
    match lacking.as_slice() {
        [] => hash(content, &descriptor)?,
        [sink] => {
            sink.put(&descriptor, ContentKind::Blob, content)?;
            // A registry may have taken it over from another repository, without reading.
            if !tail.is_read() {
                hash(transfer.counted(tail.content()), &descriptor)?;
            }
        }
        sinks => fan_out(content, &descriptor, sinks)?,
    }
    lacking.iter().for_each(|_| transfer.copied.add(&descriptor, ContentKind::Blob));
    Ok(())
}

fn hash(content: RawContent, descriptor: &Descriptor) -> Result<(), StoreError> {
    copy_to(content, descriptor, &mut io::sink())
}

/// Puts one content into several places at the pace of the slowest.
fn fan_out(content: RawContent, descriptor: &Descriptor, sinks: &[&dyn ContentSink]) -> Result<(), StoreError> {
    thread::scope(|scope| {
        let mut outlets = Vec::new();
        let mut puts = Vec::new();
        for sink in sinks {
            let (outlet, chunks) = sync_channel(LAG);
            outlets.push(Some(outlet));
            let copy = RawContent::new(Copy { chunks, current: Arc::default(), next: 0 });
            puts.push(scope.spawn(move || sink.put(descriptor, ContentKind::Blob, copy)));
        }
        let mut fan = Fan { outlets };
        let read = copy_to(content, descriptor, &mut fan);
        drop(fan);
        let failed = || io::Error::other("the thread that writes has failed");
        let failed = |_| Err(StoreError::Write { digest: descriptor.digest, source: failed() });
        let put = puts.into_iter().try_for_each(|put| put.join().unwrap_or_else(failed));
        read.and(put)
    })
}

/// Gives what is written to it to everybody who still listens. Who has gone has failed, or wants no more.
struct Fan {
    outlets: Vec<Option<SyncSender<Arc<[u8]>>>>,
}

impl Write for Fan {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk: Arc<[u8]> = bytes.into();
        for outlet in &mut self.outlets {
            if outlet.as_ref().is_some_and(|listening| listening.send(Arc::clone(&chunk)).is_err()) {
                *outlet = None;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One listener's copy. It ends early where the source does, and whoever reads it finds that out by its size.
struct Copy {
    chunks: Receiver<Arc<[u8]>>,
    current: Arc<[u8]>,
    next: usize,
}

impl Read for Copy {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while self.next >= self.current.len() {
            match self.chunks.recv() {
                Ok(chunk) => (self.current, self.next) = (chunk, 0),
                Err(_) => return Ok(0),
            }
        }
        let count = Read::read(&mut self.current.get(self.next..).unwrap_or_default(), bytes)?;
        self.next = self.next.saturating_add(count);
        Ok(count)
    }
}
