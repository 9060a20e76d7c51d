//! Positional reading from a plain or a compressed archive, as if both were plain.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use super::entry::length;
use super::frames::{
    FOOTER_MAGIC, FRAME_BYTES, MOST_COMPRESSED_BYTES, MOST_FRAME_BYTES, TABLE_MAGIC, ZSTD_MAGIC, frame_header,
    most_expanded,
};
use super::{ArchiveError, Strictness};
use crate::limits::Limits;

/// How many frames a table may list: 4 TiB of content in frames of ours, in 32 MiB of memory.
pub(super) const MOST_FRAMES: u64 = 2 << 20;

/// An open archive. Positions count in the tar, also where that is compressed.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    path: PathBuf,
    size: u64,
    strictness: Strictness,
    /// `None` for a plain tar.
    frames: Option<Frames>,
}

#[derive(Debug)]
struct Frames {
    list: Vec<Frame>,
    /// The size of the tar.
    size: u64,
    /// The frame that was decompressed last: neighbours in a small archive share one.
    last: Mutex<Option<(usize, Arc<Vec<u8>>)>>,
}

/// Where a frame begins, in the file and in the tar. It ends where the next begins.
#[derive(Debug, Clone, Copy)]
struct Frame {
    at: u64,
    compressed: u64,
    start: u64,
    expanded: u64,
}

impl Source {
    /// Opens a file and finds out how it is compressed, by its beginning.
    pub(super) fn open(path: &Path, limits: &Limits, strictness: Strictness) -> Result<Self, ArchiveError> {
        let at = |source| ArchiveError::Io { path: path.to_owned(), source };
        // A pipe would block in open.
        if !path.metadata().map_err(at)?.is_file() {
            return Err(ArchiveError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(at)?;
        let size = file.metadata().map_err(at)?.len();
        let mut source = Self { file, path: path.to_owned(), size, strictness, frames: None };
        let mut magic = [0; 6];
        let known = usize::try_from(size).map_or(magic.len(), |size| size.min(magic.len()));
        source.read_file(0, magic.get_mut(..known).unwrap_or_default())?;
        if magic.starts_with(&ZSTD_MAGIC) || is_skippable(&magic) {
            source.frames = Some(source.find_frames(limits, strictness)?);
        } else if let Some(format) = other_compression(&magic) {
            return Err(ArchiveError::OtherCompression { format });
        }
        Ok(source)
    }

    /// The size of the tar.
    pub(super) fn size(&self) -> u64 {
        self.frames.as_ref().map_or(self.size, |frames| frames.size)
    }

    fn read_file(&self, at: u64, bytes: &mut [u8]) -> Result<(), ArchiveError> {
        let needed = at.saturating_add(length(bytes.len()));
        if needed > self.size {
            return Err(ArchiveError::Truncated { needed, found: self.size });
        }
        self.file.read_exact_at(bytes, at).map_err(|source| ArchiveError::Io { path: self.path.clone(), source })
    }

    /// Fills `bytes` from this position of the tar.
    pub(super) fn read_exact_at(&self, mut at: u64, mut bytes: &mut [u8]) -> Result<(), ArchiveError> {
        let needed = at.saturating_add(length(bytes.len()));
        if needed > self.size() {
            return Err(ArchiveError::Truncated { needed, found: self.size() });
        }
        let Some(frames) = &self.frames else { return self.read_file(at, bytes) };
        while !bytes.is_empty() {
            let (start, content) = frames.at(self, at)?;
            let count = copy_from(&content, at.saturating_sub(start), bytes);
            let (_, rest) = bytes.split_at_mut(count);
            bytes = rest;
            at = at.saturating_add(length(count));
        }
        Ok(())
    }

    /// A reader of `size` bytes of the tar.
    pub(super) fn section(self: &Arc<Self>, at: u64, size: u64) -> Section {
        Section { source: Arc::clone(self), at, end: at.saturating_add(size), frame: None }
    }

    /// Holds the frames of a bundle against its entries, which begin and end at these places: no frame holds both
    /// content and what stands around it, and only the last frame of each part is not full.
    pub(super) fn check_cuts(&self, places: impl Iterator<Item = u64>) -> Result<(), ArchiveError> {
        let Some(frames) = &self.frames else { return Ok(()) };
        let (mut list, mut start) = (frames.list.iter(), 0_u64);
        for end in places.chain([frames.size]) {
            while start < end {
                let due = end.saturating_sub(start).min(length(FRAME_BYTES));
                match list.next() {
                    Some(frame) if frame.expanded == due => start = start.saturating_add(due),
                    other => {
                        let at = other.map_or(self.size, |frame| frame.at);
                        return Err(ArchiveError::Frame { at, reason: "the frames are not cut where entries are" });
                    }
                }
            }
        }
        Ok(())
    }

    fn find_frames(&self, limits: &Limits, strictness: Strictness) -> Result<Frames, ArchiveError> {
        let table = self.seek_table(strictness)?;
        let complete = table.is_some() || strictness == Strictness::Foreign;
        let list = match table {
            Some(list) => list,
            None => self.walk_frames()?,
        };
        let size = list.last().map_or(0, |frame| frame.start.saturating_add(frame.expanded));
        let check = |compressed: u64, expanded: u64| match most_expanded(compressed, limits.expansion) {
            limit if expanded > limit => Err(ArchiveError::Expansion { compressed, expanded, limit }),
            _ => Ok(()),
        };
        match strictness {
            Strictness::Foreign => check(self.size, size)?,
            Strictness::Bundle => list.iter().try_for_each(|frame| {
                check(frame.at.saturating_add(frame.compressed), frame.start.saturating_add(frame.expanded))
            })?,
        }
        match complete {
            true => Ok(Frames { list, size, last: Mutex::new(None) }),
            false => Err(ArchiveError::NoSeekTable),
        }
    }

    /// Reads the seek table at the end, if there is one. It is a hint: each frame is held against it when it is read.
    fn seek_table(&self, strictness: Strictness) -> Result<Option<Vec<Frame>>, ArchiveError> {
        let mut footer = [0; 9];
        let Some(at) = self.size.checked_sub(9 + 8) else { return Ok(None) };
        self.read_file(at.saturating_add(8), &mut footer)?;
        let [a, b, c, d, descriptor, magic @ ..] = footer;
        if magic != FOOTER_MAGIC {
            return Ok(None);
        }
        let damaged = |reason| ArchiveError::Frame { at, reason };
        let count = u64::from(u32::from_le_bytes([a, b, c, d]));
        let width = match descriptor {
            0 => 8,
            0x80 if strictness == Strictness::Foreign => 12,
            _ => return Err(damaged("the seek table is of an unknown form")),
        };
        if count > MOST_FRAMES {
            return Err(damaged("the seek table lists too many frames"));
        }
        let body = count.saturating_mul(width).saturating_add(9);
        let start = self.size.checked_sub(body.saturating_add(8)).ok_or_else(|| damaged("the seek table is cut"))?;
        let mut table = vec![0; usize::try_from(body.saturating_sub(1)).unwrap_or(usize::MAX)];
        self.read_file(start, &mut table)?;
        let frame_size = u32::try_from(body).map_err(|_| damaged("the seek table is too large"))?;
        let head = table
            .split_at_checked(8)
            .filter(|(head, _)| head.starts_with(&TABLE_MAGIC) && head.ends_with(&frame_size.to_le_bytes()));
        let (_, entries) = head.ok_or_else(|| damaged("the seek table does not begin where it should"))?;
        let width = usize::try_from(width).unwrap_or(8);
        let count = usize::try_from(count).unwrap_or(0);
        parse_table(entries.chunks_exact(width).take(count), start, strictness).map(Some)
    }

    /// Without a seek table: goes through the file frame by frame. Each must say how much it holds, and hold little
    /// enough to be read by itself.
    fn walk_frames(&self) -> Result<Vec<Frame>, ArchiveError> {
        let mut walk = Walk { source: self, at: 0, buffer: Vec::new(), begin: 0 };
        let (mut list, mut start) = (Vec::new(), 0_u64);
        while walk.at < self.size {
            let at = walk.at;
            let (compressed, expanded) = walk.step()?;
            if length(list.len()) >= MOST_FRAMES {
                return Err(ArchiveError::Frame { at, reason: "there are too many frames" });
            }
            if expanded > 0 {
                list.push(Frame { at, compressed, start, expanded });
                start = start.saturating_add(expanded);
            }
        }
        Ok(list)
    }
}

fn parse_table<'a>(
    entries: impl Iterator<Item = &'a [u8]>,
    table_at: u64,
    strictness: Strictness,
) -> Result<Vec<Frame>, ArchiveError> {
    let (mut list, mut at, mut start) = (Vec::new(), 0_u64, 0_u64);
    for entry in entries {
        let [a, b, c, d, e, f, g, h, ..] = entry else { break };
        let compressed = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        let expanded = u64::from(u32::from_le_bytes([*e, *f, *g, *h]));
        if expanded == 0 && strictness == Strictness::Bundle {
            return Err(ArchiveError::Frame { at, reason: "the seek table lists a frame without content" });
        }
        if expanded > MOST_FRAME_BYTES || (expanded > 0 && compressed > MOST_COMPRESSED_BYTES) {
            return Err(ArchiveError::NotSeekable { limit: MOST_FRAME_BYTES });
        }
        if expanded > 0 {
            list.push(Frame { at, compressed, start, expanded });
        }
        at = at.saturating_add(compressed);
        start = start.saturating_add(expanded);
    }
    match at == table_at {
        true => Ok(list),
        false => Err(ArchiveError::Frame { at, reason: "the seek table does not account for the whole file" }),
    }
}

/// Goes through a file without a seek table, with no more than one frame in memory.
struct Walk<'a> {
    source: &'a Source,
    at: u64,
    buffer: Vec<u8>,
    /// Where in the buffer `at` is.
    begin: usize,
}

impl Walk<'_> {
    /// The compressed and expanded size of the next frame.
    fn step(&mut self) -> Result<(u64, u64), ArchiveError> {
        let found = match self.measure() {
            Some(found) => Some(found),
            None => {
                self.refill()?;
                self.measure()
            }
        };
        let (compressed, expanded) = match found {
            Some(result) => result?,
            None if self.at.saturating_add(length(self.buffer.len())) >= self.source.size => {
                let found = self.source.size;
                return Err(ArchiveError::Truncated { needed: found.saturating_add(1), found });
            }
            None => return Err(ArchiveError::NotSeekable { limit: MOST_FRAME_BYTES }),
        };
        self.at = self.at.saturating_add(compressed);
        if self.at > self.source.size {
            return Err(ArchiveError::Truncated { needed: self.at, found: self.source.size });
        }
        self.begin = usize::try_from(compressed).map_or(usize::MAX, |count| self.begin.saturating_add(count));
        Ok((compressed, expanded))
    }

    /// `None` if the buffer does not hold the whole frame.
    fn measure(&self) -> Option<Result<(u64, u64), ArchiveError>> {
        let bytes = self.buffer.get(self.begin..)?;
        if is_skippable(bytes) {
            let size = bytes.get(4..8)?.try_into().ok()?;
            return Some(Ok((u64::from(u32::from_le_bytes(size)).saturating_add(8), 0)));
        }
        if bytes.len() < 18 && self.at.saturating_add(length(bytes.len())) < self.source.size {
            return None;
        }
        match zstd_safe::get_frame_content_size(bytes) {
            Ok(Some(size)) if size <= MOST_FRAME_BYTES => {
                let compressed = zstd_safe::find_frame_compressed_size(bytes).ok()?;
                Some(Ok((length(compressed), size)))
            }
            Ok(_) => Some(Err(ArchiveError::NotSeekable { limit: MOST_FRAME_BYTES })),
            Err(_) if !bytes.starts_with(&ZSTD_MAGIC) => {
                Some(Err(ArchiveError::Frame { at: self.at, reason: "there is no zstd frame" }))
            }
            Err(_) => None,
        }
    }

    fn refill(&mut self) -> Result<(), ArchiveError> {
        let left = self.source.size.saturating_sub(self.at);
        let count = usize::try_from(left.min(MOST_COMPRESSED_BYTES)).unwrap_or(0);
        self.buffer.resize(count, 0);
        self.begin = 0;
        self.source.read_file(self.at, &mut self.buffer)
    }
}

pub(super) fn is_skippable(bytes: &[u8]) -> bool {
    matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

pub(super) fn other_compression(magic: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4")];
    known.into_iter().find(|(begin, _)| magic.starts_with(begin)).map(|(_, name)| name)
}

impl Frames {
    /// The frame that holds this position: where it starts, and what it holds.
    fn at(&self, source: &Source, position: u64) -> Result<(u64, Arc<Vec<u8>>), ArchiveError> {
        let index = self.list.partition_point(|frame| frame.start <= position).saturating_sub(1);
        let frame = self.list.get(index).ok_or(ArchiveError::Truncated { needed: position, found: self.size })?;
        {
            let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, content)) = last.as_ref().filter(|(known, _)| *known == index) {
                return Ok((frame.start, Arc::clone(content)));
            }
        }
        let content = frame.expand(source)?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((index, Arc::clone(&content)));
        Ok((frame.start, content))
    }
}

impl Frame {
    /// Decompresses the frame, which must be exactly one and hold exactly what was said of it.
    fn expand(&self, source: &Source) -> Result<Arc<Vec<u8>>, ArchiveError> {
        let damaged = |reason| ArchiveError::Frame { at: self.at, reason };
        let size = |bytes| usize::try_from(bytes).map_err(|_| damaged("the frame is too large"));
        let mut compressed = vec![0; size(self.compressed)?];
        source.read_file(self.at, &mut compressed)?;
        let header = match source.strictness {
            Strictness::Foreign => ZSTD_MAGIC.to_vec(),
            Strictness::Bundle => frame_header(u32::try_from(self.expanded).unwrap_or(u32::MAX)),
        };
        if !compressed.starts_with(&header)
            || zstd_safe::find_frame_compressed_size(&compressed) != Ok(compressed.len())
        {
            return Err(damaged("there is not exactly one frame where the seek table says"));
        }
        let content = Decompressor::new()
            .and_then(|mut zstd| zstd.decompress(&compressed, size(self.expanded).unwrap_or(0)))
            .map_err(|_| damaged("the frame does not decompress"))?;
        match length(content.len()) == self.expanded {
            true => Ok(Arc::new(content)),
            false => Err(damaged("the frame does not hold what was said of it")),
        }
    }
}

/// Part of an archive, as a reader. It shares the open file and keeps its own place.
pub(super) struct Section {
    source: Arc<Source>,
    at: u64,
    end: u64,
    frame: Option<(u64, Arc<Vec<u8>>)>,
}

impl Section {
    fn read_frame(&mut self, frames: &Frames, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        let inside = |(start, content): &&(u64, Arc<Vec<u8>>)| {
            (*start..start.saturating_add(length(content.len()))).contains(&self.at)
        };
        let (start, content) = match self.frame.as_ref().filter(inside) {
            Some((start, content)) => (*start, Arc::clone(content)),
            None => frames.at(&self.source, self.at)?,
        };
        let count = copy_from(&content, self.at.saturating_sub(start), bytes);
        self.frame = Some((start, content));
        Ok(count)
    }
}

impl Read for Section {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = bytes.len().min(left);
        let bytes = bytes.get_mut(..want).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(0);
        }
        let source = Arc::clone(&self.source);
        let count = match &source.frames {
            None => source.file.read_at(bytes, self.at)?,
            Some(frames) => self.read_frame(frames, bytes).map_err(ArchiveError::into_io)?,
        };
        self.at = self.at.saturating_add(length(count));
        Ok(count)
    }
}

/// Copies what lies behind `from`; returns how much that was.
fn copy_from(content: &[u8], from: u64, bytes: &mut [u8]) -> usize {
    let rest = usize::try_from(from).ok().and_then(|from| content.get(from..)).unwrap_or_default();
    let count = rest.len().min(bytes.len());
    if let (Some(to), Some(from)) = (bytes.get_mut(..count), rest.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}
