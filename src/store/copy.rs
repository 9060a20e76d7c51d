//! The one way to read content: bounded, and checked to the last byte.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::{ContentKind, ContentStore, StoreError};
use crate::digest::{Digest, Hasher};
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest};

/// Content as a store gives it: nobody has checked it yet.
pub struct RawContent {
    reader: Box<dyn Read + Send>,
    arrival: Arrival,
}

/// Whether other content is read at the same time, which keeps the other cores busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    Random,
    InSequence,
}

impl RawContent {
    /// Wraps what a store reads from.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self { reader: Box::new(reader), arrival: Arrival::Random }
    }

    /// The same content, of which `watch` hears how many bytes each read gave. It learns sizes, never bytes, and its
    /// error ends the reading; [`io::ErrorKind::Interrupted`] would not, since readers try again.
    #[must_use]
    pub fn watched(self, watch: impl FnMut(u64) -> io::Result<()> + Send + 'static) -> Self {
        let arrival = self.arrival;
        Self { arrival, ..Self::new(Watched { reader: self.reader, watch }) }
    }

    /// The same content, where nothing else can be read beside it, as from a pipe: then its bytes are hashed on another
    /// core than the one that reads and writes them.
    #[must_use]
    pub fn in_sequence(self) -> Self {
        Self { arrival: Arrival::InSequence, ..self }
    }

    /// Content that is in memory.
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::new(io::Cursor::new(bytes))
    }
}

impl fmt::Debug for RawContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawContent")
    }
}

/// A reader that reports what went through it.
struct Watched<F> {
    reader: Box<dyn Read + Send>,
    watch: F,
}

impl<F: FnMut(u64) -> io::Result<()>> Read for Watched<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        (self.watch)(u64::try_from(count).unwrap_or(u64::MAX))?;
        Ok(count)
    }
}

/// Large enough that the calls do not count, small enough to stay in the cache.
const CHUNK: usize = 256 * 1024;

/// From here on it is worth a thread to hash on another core.
const LARGE: u64 = 8 << 20;

/// How many chunks may wait to be hashed.
const WAITING: usize = 8;

/// Streams `content` into `out`, checking it against `descriptor`. What `out` received is good only if this returns
/// `Ok`: a writer that commits must do so afterwards.
///
/// # Errors
/// The content is longer, shorter or other than its descriptor says, or reading or writing failed.
pub fn copy_to(content: RawContent, descriptor: &Descriptor, out: &mut dyn Write) -> Result<(), StoreError> {
    let hasher = descriptor.digest.algorithm().hasher();
    let found = match content.arrival {
        Arrival::InSequence if descriptor.size >= LARGE => copy_beside(content, descriptor, hasher, out)?,
        _ => copy_here(content, descriptor, hasher, out)?,
    };
    if found != descriptor.digest {
        return Err(StoreError::DigestMismatch { expected: descriptor.digest, found });
    }
    Ok(())
}

/// Hashes each chunk between reading and writing it.
fn copy_here(
    mut content: RawContent,
    descriptor: &Descriptor,
    mut hasher: Hasher,
    out: &mut dyn Write,
) -> Result<Digest, StoreError> {
    let mut chunk = vec![0; CHUNK.min(usize::try_from(descriptor.size).unwrap_or(CHUNK)).max(1)];
    let mut left = descriptor.size;
    while let Some(bytes) = read_chunk(&mut content.reader, descriptor, &mut left, &mut chunk)? {
        hasher.update(bytes);
        out.write_all(bytes).map_err(|source| StoreError::Write { digest: descriptor.digest, source })?;
    }
    Ok(hasher.finish())
}

/// Reads and writes here while another thread hashes what was read before. The chunks go round, so that their number,
/// and with it the memory, is fixed.
fn copy_beside(
    mut content: RawContent,
    descriptor: &Descriptor,
    mut hasher: Hasher,
    out: &mut dyn Write,
) -> Result<Digest, StoreError> {
    let (to_hash, hashing) = sync_channel::<(Vec<u8>, usize)>(WAITING);
    let (give_back, empty) = sync_channel::<Vec<u8>>(WAITING);
    thread::scope(|scope| {
        let hashed = scope.spawn(move || {
            while let Ok((chunk, count)) = hashing.recv() {
                hasher.update(chunk.get(..count).unwrap_or_default());
                // Nobody may want it any more.
                let _ = give_back.try_send(chunk);
            }
            hasher.finish()
        });
        let mut left = descriptor.size;
        loop {
            let mut chunk = empty.try_recv().unwrap_or_else(|_| vec![0; CHUNK]);
            let Some(bytes) = read_chunk(&mut content.reader, descriptor, &mut left, &mut chunk)? else { break };
            out.write_all(bytes).map_err(|source| StoreError::Write { digest: descriptor.digest, source })?;
            let count = bytes.len();
            if to_hash.send((chunk, count)).is_err() {
                break;
            }
        }
        drop(to_hash);
        hashed.join().map_err(|_| StoreError::Read {
            digest: descriptor.digest,
            source: io::Error::other("the thread that hashes has failed"),
        })
    })
}

/// Fills a chunk; `None` at the end, which must be where the descriptor says.
fn read_chunk<'a>(
    reader: &mut dyn Read,
    descriptor: &Descriptor,
    left: &mut u64,
    chunk: &'a mut [u8],
) -> Result<Option<&'a [u8]>, StoreError> {
    let Descriptor { digest, size, .. } = *descriptor;
    let mut count = 0_usize;
    // A pipe gives less at a time than is good to work on.
    while let Some(rest) = chunk.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(more) => count = count.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_error(descriptor, error)),
        }
    }
    let read = u64::try_from(count).unwrap_or(u64::MAX);
    *left = left.checked_sub(read).ok_or(StoreError::TooLong { digest, size })?;
    match (count, *left) {
        (0, 0) => Ok(None),
        (0, left) => Err(StoreError::TooShort { digest, size, found: size.saturating_sub(left) }),
        _ => Ok(chunk.get(..count)),
    }
}

/// A reader that knows better than an I/O error can say passes its [`StoreError`] through one.
fn read_error(descriptor: &Descriptor, source: io::Error) -> StoreError {
    match source.downcast::<StoreError>() {
        Ok(error) => error,
        Err(source) => StoreError::Read { digest: descriptor.digest, source },
    }
}

/// The same check for a place that wants to read rather than be written to. The last bytes come out only when all were
/// checked, so whoever waits for the size that the descriptor says never has the whole of anything else.
#[cfg(feature = "registry")]
pub(in crate::store) struct VerifiedReader<'a> {
    inner: Box<dyn Read + Send>,
    descriptor: &'a Descriptor,
    hasher: Option<Hasher>,
    chunk: Vec<u8>,
    next: usize,
    seen: u64,
    failure: Option<StoreError>,
}

#[cfg(feature = "registry")]
pub(in crate::store) fn verified_reader(content: RawContent, descriptor: &Descriptor) -> VerifiedReader<'_> {
    VerifiedReader {
        inner: content.reader,
        descriptor,
        hasher: Some(descriptor.digest.algorithm().hasher()),
        chunk: Vec::new(),
        next: 0,
        seen: 0,
        failure: None,
    }
}

#[cfg(feature = "registry")]
impl VerifiedReader<'_> {
    /// Whether anything was read from the content.
    pub(in crate::store) const fn is_touched(&self) -> bool {
        self.seen > 0 || self.failure.is_some()
    }

    /// What was wrong with the content, if that is why reading ended.
    pub(in crate::store) const fn take_failure(&mut self) -> Option<StoreError> {
        self.failure.take()
    }

    /// Reads the next chunk. `false` at the end, which is reached only by content that is what it should be.
    fn fill(&mut self) -> Result<bool, StoreError> {
        let Some(hasher) = &mut self.hasher else { return Ok(false) };
        let Descriptor { digest, size, .. } = *self.descriptor;
        self.chunk.clear();
        self.next = 0;
        let most = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        let left = size.saturating_sub(self.seen);
        // In the last chunk, one byte more than there should be shows content that goes on.
        let want = if left <= most { left.saturating_add(1) } else { most };
        let count = (&mut self.inner).take(want).read_to_end(&mut self.chunk);
        let count = u64::try_from(count.map_err(|source| read_error(self.descriptor, source))?).unwrap_or(u64::MAX);
        hasher.update(&self.chunk);
        self.seen = self.seen.saturating_add(count);
        if self.seen > size {
            return Err(StoreError::TooLong { digest, size });
        }
        if count == want {
            return Ok(true);
        }
        if self.seen < size {
            return Err(StoreError::TooShort { digest, size, found: self.seen });
        }
        match self.hasher.take().map(Hasher::finish) {
            Some(found) if found != digest => Err(StoreError::DigestMismatch { expected: digest, found }),
            _ => Ok(count > 0),
        }
    }
}

#[cfg(feature = "registry")]
impl Read for VerifiedReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.next >= self.chunk.len() {
            let filled = match self.failure {
                Some(_) => Ok(false),
                None => self.fill(),
            };
            match filled {
                Ok(true) => {}
                Ok(false) if self.failure.is_none() => return Ok(0),
                Ok(false) => return Err(io::Error::other("the content failed its check")),
                Err(error) => {
                    self.chunk.clear();
                    self.failure = Some(error);
                    return Err(io::Error::other("the content failed its check"));
                }
            }
        }
        let left = self.chunk.get(self.next..).unwrap_or_default();
        let count = io::Read::read(&mut &*left, out)?;
        self.next = self.next.saturating_add(count);
        Ok(count)
    }
}

/// Brings content of at most `limit` bytes into memory, checked. `Ok(None)` if the store does not have it.
///
/// # Errors
/// As [`copy_to`], or the descriptor's size is over the limit.
pub fn fetch(
    store: &dyn ContentStore,
    descriptor: &Descriptor,
    kind: ContentKind,
    limit: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    if descriptor.size > limit {
        return Err(StoreError::OverLimit { digest: descriptor.digest, kind, size: descriptor.size, limit });
    }
    let Some(content) = store.open(descriptor, kind)? else { return Ok(None) };
    let mut bytes = Vec::new();
    copy_to(content, descriptor, &mut bytes)?;
    Ok(Some(bytes))
}

/// Brings a manifest into memory, checked and parsed. `Ok(None)` if the store does not have it.
///
/// # Errors
/// As [`fetch`], or it is no usable manifest.
pub fn fetch_manifest(
    store: &dyn ContentStore,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<Option<Manifest>, StoreError> {
    let Some(bytes) = fetch(store, descriptor, ContentKind::Manifest, limits.manifest_bytes)? else {
        return Ok(None);
    };
    Manifest::parse(descriptor, bytes)
        .map(Some)
        .map_err(|source| StoreError::Manifest { digest: descriptor.digest, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    fn copy(content: &'static [u8], descriptor: &Descriptor) -> Result<Vec<u8>, StoreError> {
        let mut out = Vec::new();
        copy_to(RawContent::from_bytes(content), descriptor, &mut out).map(|()| out)
    }

    #[test]
    fn content_is_checked_for_size_and_digest() {
        let good = Descriptor::of("a/b", b"hello");
        assert_eq!(copy(b"hello", &good).unwrap(), b"hello");
        assert!(matches!(copy(b"hello!", &good), Err(StoreError::TooLong { size: 5, .. })));
        assert!(matches!(copy(b"hell", &good), Err(StoreError::TooShort { size: 5, found: 4, .. })));
        assert!(matches!(copy(b"hullo", &good), Err(StoreError::DigestMismatch { .. })));
        let sha512 = Descriptor::new("a/b", Algorithm::Sha512.digest(b""), 0);
        assert_eq!(copy(b"", &sha512).unwrap(), b"");
        assert!(copy(b"", &Descriptor::new("a/b", Digest::sha256(b"x"), 0)).is_err());
    }

    #[cfg(feature = "registry")]
    #[test]
    fn a_verified_reader_never_gives_out_the_whole_of_anything_else() {
        let read = |content: &[u8], descriptor: &Descriptor| {
            let mut reader = verified_reader(RawContent::from_bytes(content.to_vec()), descriptor);
            let mut out = Vec::new();
            let result = reader.read_to_end(&mut out);
            assert_eq!(result.is_err(), reader.take_failure().is_some());
            (result.is_ok(), out)
        };
        let chunk = u64::try_from(CHUNK).unwrap();
        for size in [0, 1, 5, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 7] {
            let size = usize::try_from(size).unwrap();
            let good: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let descriptor = Descriptor::of("a/b", &good);
            assert_eq!(read(&good, &descriptor), (true, good.clone()));
            let longer = [&good[..], b"!"].concat();
            let mut other = good.clone();
            if let Some(first) = other.first_mut() {
                *first ^= 1;
            }
            let shorter = &good[..size.saturating_sub(1)];
            for bad in [&longer[..], &other, shorter] {
                if bad != good {
                    let (whole, out) = read(bad, &descriptor);
                    assert!(!whole && out.len() < size.max(1), "{size} {}", out.len());
                }
            }
        }
    }

    #[test]
    fn a_store_error_comes_through_a_reader() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other(StoreError::DigestMismatch {
                    expected: Digest::sha256(b"a"),
                    found: Digest::sha256(b"b"),
                }))
            }
        }
        let error = copy_to(RawContent::new(Broken), &Descriptor::of("a/b", b"x"), &mut io::sink()).unwrap_err();
        assert!(matches!(error, StoreError::DigestMismatch { .. }));
    }
}
