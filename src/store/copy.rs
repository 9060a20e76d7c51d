//! The one way to read content: bounded, and checked to the last byte.

use std::fmt;
use std::io::{self, Read, Write};

use super::{ContentKind, ContentStore, StoreError};
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest};

/// Content as a store gives it: nobody has checked it yet.
pub struct RawContent {
    reader: Box<dyn Read + Send>,
}

impl RawContent {
    /// Wraps what a store reads from.
    pub fn new(reader: impl Read + Send + 'static) -> Self {
        Self { reader: Box::new(reader) }
    }

    /// The same content, of which `watch` hears how many bytes each read gave. It learns sizes, never bytes, and its
    /// error ends the reading; [`io::ErrorKind::Interrupted`] would not, since readers try again.
    #[must_use]
    pub fn watched(self, watch: impl FnMut(u64) -> io::Result<()> + Send + 'static) -> Self {
        Self::new(Watched { reader: self.reader, watch })
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

/// Streams `content` into `out`, checking it against `descriptor`. What `out` received is good only if this returns
/// `Ok`: a writer that commits must do so afterwards.
///
/// # Errors
/// The content is longer, shorter or other than its descriptor says, or reading or writing failed.
pub fn copy_to(content: RawContent, descriptor: &Descriptor, out: &mut dyn Write) -> Result<(), StoreError> {
    let mut reader = content.reader;
    let mut hasher = descriptor.digest.algorithm().hasher();
    let mut left = descriptor.size;
    let mut chunk = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)).max(1)];
    let read_error = |source| StoreError::Read { digest: descriptor.digest, source };
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_error(error)),
        };
        let size = u64::try_from(count).unwrap_or(u64::MAX);
        left =
            left.checked_sub(size).ok_or(StoreError::TooLong { digest: descriptor.digest, size: descriptor.size })?;
        let bytes = chunk.get(..count).ok_or_else(|| read_error(io::ErrorKind::InvalidData.into()))?;
        hasher.update(bytes);
        out.write_all(bytes).map_err(|source| StoreError::Write { digest: descriptor.digest, source })?;
    }
    if left > 0 {
        return Err(StoreError::TooShort {
            digest: descriptor.digest,
            size: descriptor.size,
            found: descriptor.size.saturating_sub(left),
        });
    }
    let found = hasher.finish();
    if found != descriptor.digest {
        return Err(StoreError::DigestMismatch { expected: descriptor.digest, found });
    }
    Ok(())
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
    use crate::digest::{Algorithm, Digest};

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
}
