//! Reading a bundle from a pipe: once, from its beginning to its end. Nothing is sought, nothing is put aside, and
//! nothing is read before it is asked for: whoever stops after the head has not touched a byte of a layer.

mod frames;

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ArchiveError;
use super::entry::{BLOCK, BLOCK_BYTES, EntryName, length, padding};
use super::frames::ZSTD_MAGIC;
use super::source::{is_skippable, other_compression};
use super::strict;
use crate::limits::Limits;
use crate::store::RawContent;
use frames::FrameStream;

/// What comes through a pipe, uncompressed. It hands out what it has, and never reads ahead.
enum Input {
    Plain { begin: io::Cursor<Vec<u8>>, reader: Raw },
    Zstd(Box<FrameStream>),
}

/// The pipe itself.
struct Raw {
    reader: Box<dyn Read + Send>,
    /// How much was read.
    at: u64,
}

impl Raw {
    /// Reads something, or nothing at the end.
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        loop {
            match self.reader.read(bytes) {
                Ok(count) => {
                    self.at = self.at.saturating_add(length(count));
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(ArchiveError::Io { path: PathBuf::from("-"), source }),
            }
        }
    }

    /// Fills `bytes`, or as much of them as there is.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        fill(bytes, |rest| self.read(rest))
    }

    /// Fills `bytes`; that there is less is an error.
    fn exact(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        match self.fill(bytes)? {
            count if count == bytes.len() => Ok(()),
            count => Err(broken_off(self.at, bytes.len().saturating_sub(count))),
        }
    }

    /// Makes sure that nothing follows.
    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut extra = [0; BLOCK];
        match self.fill(&mut extra)? {
            0 => Ok(()),
            count => Err(ArchiveError::Trailing { extra: length(count) }),
        }
    }
}

fn fill(
    bytes: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> Result<usize, ArchiveError>,
) -> Result<usize, ArchiveError> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read(rest)? {
            0 => break,
            count => done = done.saturating_add(count),
        }
    }
    Ok(done)
}

fn broken_off(at: u64, missing: usize) -> ArchiveError {
    ArchiveError::Truncated { needed: at.saturating_add(length(missing)), found: at }
}

impl Input {
    /// Finds out by the first bytes how the rest is compressed.
    fn open(reader: Box<dyn Read + Send>, limits: &Limits) -> Result<Self, ArchiveError> {
        let mut reader = Raw { reader, at: 0 };
        let mut magic = vec![0; 6];
        let (first, rest) = magic.split_at_mut(4);
        let mut known = reader.fill(first)?;
        if first == ZSTD_MAGIC || is_skippable(first) {
            let magic = magic.first_chunk().copied().unwrap_or(ZSTD_MAGIC);
            return Ok(Self::Zstd(Box::new(FrameStream::new(reader, magic, limits)?)));
        }
        known = known.saturating_add(reader.fill(rest)?);
        magic.truncate(known);
        match other_compression(&magic) {
            Some(format) => Err(ArchiveError::OtherCompression { format }),
            None => Ok(Self::Plain { begin: io::Cursor::new(magic), reader }),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        match self {
            Self::Zstd(frames) => frames.read(bytes),
            Self::Plain { begin, reader } => match begin.read(bytes).unwrap_or(0) {
                0 => reader.read(bytes),
                count => Ok(count),
            },
        }
    }

    /// Makes sure that the tar was all there is: for a compressed one, that its seek table is right too.
    fn end(&mut self) -> Result<(), ArchiveError> {
        match self {
            Self::Zstd(frames) => frames.end(),
            Self::Plain { reader, .. } => reader.end(),
        }
    }
}

/// A bundle as it comes, entry by entry, each of which must be read to its end before the next.
pub struct ArchiveStream {
    input: Input,
    /// Where in the tar it is.
    at: u64,
    /// The entry whose content comes next, and how much of that is left.
    current: Option<(EntryName, u64)>,
    /// How many entries were begun: content of an earlier one can't be read any more.
    number: u64,
}

impl fmt::Debug for ArchiveStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveStream").field("at", &self.at).field("current", &self.current).finish_non_exhaustive()
    }
}

/// A stream that its contents share.
#[derive(Debug, Clone)]
pub(crate) struct SharedStream(Arc<Mutex<ArchiveStream>>);

impl ArchiveStream {
    /// Begins to read. Four bytes tell whether it is compressed with zstd.
    ///
    /// # Errors
    /// It cannot be read, or is compressed in another way.
    pub fn open(reader: impl Read + Send + 'static, limits: &Limits) -> Result<Self, ArchiveError> {
        let input = Input::open(Box::new(reader), limits)?;
        Ok(Self { input, at: 0, current: None, number: 0 })
    }

    pub(crate) fn share(self) -> SharedStream {
        SharedStream(Arc::new(Mutex::new(self)))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        let input = &mut self.input;
        let count = fill(bytes, |rest| input.read(rest))?;
        self.at = self.at.saturating_add(length(count));
        match bytes.len().saturating_sub(count) {
            0 => Ok(()),
            missing => Err(broken_off(self.at, missing)),
        }
    }

    /// The next entry; `None` at the end of the archive. Behind the end there must be nothing, which is checked here.
    ///
    /// # Errors
    /// What was read before, or the header that comes, is not as the format says; or the entry before was not read to
    /// its end.
    pub fn next_entry(&mut self) -> Result<Option<(EntryName, u64)>, ArchiveError> {
        if let Some((name, left)) = self.current.take() {
            if left > 0 {
                return Err(ArchiveError::Incomplete);
            }
            let mut rest = [0; BLOCK];
            let count = usize::try_from(padding(self.at)).unwrap_or(0);
            let rest = rest.get_mut(..count).unwrap_or_default();
            self.fill(rest)?;
            strict::padding(&name, rest)?;
        }
        let Some(block) = strict::header(self)? else {
            self.input.end()?;
            return Ok(None);
        };
        let (name, size) = strict::entry(self, block)?;
        self.number = self.number.saturating_add(1);
        self.current = Some((name, size));
        Ok(Some((name, size)))
    }

    /// The content of a document that no digest names, and that has at most `limit` bytes.
    ///
    /// # Errors
    /// It is larger, or breaks off.
    pub fn document(&mut self, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let Some((name, left)) = self.current else { return Err(ArchiveError::Incomplete) };
        if left > limit {
            return Err(ArchiveError::DocumentTooLarge { name: name.to_string(), size: left, limit });
        }
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(0)];
        self.fill(&mut bytes)?;
        self.current = Some((name, 0));
        Ok(bytes)
    }

    /// Whether nothing is left of the current entry's content.
    pub fn is_read(&self) -> bool {
        self.current.is_none_or(|(_, left)| left == 0)
    }

    /// Reads some content of the current entry, which must be that of this number.
    fn content(&mut self, number: u64, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        let Some((name, left)) = self.current.filter(|_| number == self.number) else { return Ok(0) };
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let bytes = bytes.get_mut(..want).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(0);
        }
        let count = self.input.read(bytes)?;
        if count == 0 {
            return Err(ArchiveError::Truncated { needed: self.at.saturating_add(left), found: self.at });
        }
        self.at = self.at.saturating_add(length(count));
        self.current = Some((name, left.saturating_sub(length(count))));
        Ok(count)
    }
}

impl strict::Blocks for ArchiveStream {
    fn block(&mut self) -> Result<[u8; BLOCK], ArchiveError> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        Ok(block)
    }

    fn at(&self) -> u64 {
        self.at
    }
}

impl SharedStream {
    /// The stream, for its next entry.
    pub(crate) fn lock(&self) -> MutexGuard<'_, ArchiveStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content of the current entry, unchecked. It can be read once.
    pub(crate) fn content(&self) -> RawContent {
        let number = self.lock().number;
        RawContent::new(StreamContent { stream: self.clone(), number }).in_sequence()
    }
}

struct StreamContent {
    stream: SharedStream,
    number: u64,
}

impl Read for StreamContent {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.lock().content(self.number, bytes).map_err(ArchiveError::into_io)
    }
}

const _: () = assert!(BLOCK_BYTES == 512, "entries begin at multiples of this, so the padding follows from the place");
