//! zstd frames as they come, and at their end the seek table, held against what was seen.

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use super::super::ArchiveError;
use super::super::entry::length;
use super::super::frames::{
    FOOTER_MAGIC, FRAME_BYTES, MOST_COMPRESSED_BYTES, MOST_FRAME_BYTES, TABLE_MAGIC, ZSTD_MAGIC, frame_header,
    most_expanded,
};
use super::super::source::MOST_FRAMES;
use super::{Raw, broken_off};
use crate::limits::Limits;

/// Decompresses one frame at a time, each of which must say how much it holds.
pub(super) struct FrameStream {
    reader: Raw,
    /// The magic number of the next frame, where it was read already.
    magic: Option<[u8; 4]>,
    zstd: Decompressor<'static>,
    compressed: Vec<u8>,
    content: Vec<u8>,
    /// What of `content` was handed out.
    next: usize,
    /// A frame that was not full: what comes next belongs to another part.
    is_short: bool,
    /// The seek table that these frames must have.
    table: Vec<u8>,
    expanded: u64,
    /// How many times its size a file may hold.
    expansion: u64,
}

impl FrameStream {
    /// Goes on behind the first magic number.
    pub(super) fn new(reader: Raw, magic: [u8; 4], limits: &Limits) -> Result<Self, ArchiveError> {
        let zstd = Decompressor::new().map_err(ArchiveError::Write)?;
        Ok(Self {
            reader,
            magic: Some(magic),
            zstd,
            compressed: Vec::new(),
            content: Vec::new(),
            next: 0,
            is_short: false,
            table: Vec::new(),
            expanded: 0,
            expansion: limits.expansion,
        })
    }

    pub(super) fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ArchiveError> {
        if self.next >= self.content.len() && !self.frame()? {
            return Ok(0);
        }
        let rest = self.content.get(self.next..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        if let (Some(to), Some(from)) = (bytes.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.next = self.next.saturating_add(count);
        Ok(count)
    }

    /// Where content of an entry begins or ends, a frame must.
    pub(super) fn boundary(&mut self) -> Result<(), ArchiveError> {
        self.is_short = false;
        match self.next < self.content.len() {
            true => Err(self.damaged("the frames are not cut where entries are")),
            false => Ok(()),
        }
    }

    /// Behind the end of the tar: nothing of a frame is left, the seek table comes, and nothing after it.
    pub(super) fn end(&mut self) -> Result<(), ArchiveError> {
        let extra = self.content.len().saturating_sub(self.next);
        if extra > 0 {
            return Err(ArchiveError::Trailing { extra: length(extra) });
        }
        match self.magic()? {
            Some(TABLE_MAGIC) => {}
            Some(ZSTD_MAGIC) => return Err(ArchiveError::Trailing { extra: 1 }),
            Some(_) => return Err(self.damaged("there is no zstd frame")),
            None => return Err(ArchiveError::NoSeekTable),
        }
        let frames = u32::try_from(self.table.len() / 8).map_err(|_| self.damaged("there are too many frames"))?;
        let size = u32::try_from(self.table.len().saturating_add(9));
        let size = size.map_err(|_| self.damaged("there are too many frames"))?;
        let mut expected = size.to_le_bytes().to_vec();
        expected.append(&mut self.table);
        expected.extend_from_slice(&frames.to_le_bytes());
        expected.push(0);
        expected.extend_from_slice(&FOOTER_MAGIC);
        let mut found = vec![0; expected.len()];
        self.reader.exact(&mut found)?;
        match found == expected {
            true => self.reader.end(),
            false => Err(self.damaged("the seek table does not describe the frames before it")),
        }
    }

    fn damaged(&self, reason: &'static str) -> ArchiveError {
        ArchiveError::Frame { at: self.reader.at, reason }
    }

    /// The magic number of the next frame; `None` at the end of the file.
    fn magic(&mut self) -> Result<Option<[u8; 4]>, ArchiveError> {
        if let Some(magic) = self.magic.take() {
            return Ok(Some(magic));
        }
        let mut magic = [0; 4];
        match self.reader.fill(&mut magic)? {
            0 => Ok(None),
            4 => Ok(Some(magic)),
            count => Err(broken_off(self.reader.at, 4_usize.saturating_sub(count))),
        }
    }

    /// Reads and decompresses the next frame. `false` where there is none.
    fn frame(&mut self) -> Result<bool, ArchiveError> {
        match self.magic()? {
            Some(ZSTD_MAGIC) => {}
            // The tar is not at its end, or this would not have been asked for.
            Some(TABLE_MAGIC) | None => return Ok(false),
            Some(_) => return Err(self.damaged("there is no zstd frame")),
        }
        self.compressed.clear();
        self.compressed.extend_from_slice(&ZSTD_MAGIC);
        let (size, has_checksum) = self.frame_header()?;
        while !self.block()? {}
        if has_checksum {
            self.take(4)?;
        }
        let header = frame_header(u32::try_from(size).unwrap_or(u32::MAX));
        if has_checksum || !self.compressed.starts_with(&header) {
            return Err(self.damaged("the frame's header is not in canonical form"));
        }
        if self.is_short || size > FRAME_BYTES {
            return Err(self.damaged("the frames are not cut where entries are"));
        }
        self.is_short = size < FRAME_BYTES;
        if zstd_safe::find_frame_compressed_size(&self.compressed) != Ok(self.compressed.len()) {
            return Err(self.damaged("the frame does not decompress"));
        }
        self.content.clear();
        self.content.reserve(size);
        self.next = 0;
        let found = self.zstd.decompress_to_buffer(&self.compressed, &mut self.content);
        if found.map_err(|_| self.damaged("the frame does not decompress"))? != size {
            return Err(self.damaged("the frame does not hold what was said of it"));
        }
        self.record()?;
        Ok(true)
    }

    /// Reads the rest of a frame header (RFC 8878 §3.1.1.1): how much the frame holds, and whether a checksum ends it.
    fn frame_header(&mut self) -> Result<(usize, bool), ArchiveError> {
        let descriptor = self.take(1)?.first().copied().unwrap_or_default();
        let single_segment = descriptor & 0x20 != 0;
        let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied().unwrap_or(0);
        let size_bytes = match descriptor >> 6 {
            0 => usize::from(single_segment),
            1 => 2,
            2 => 4,
            _ => 8,
        };
        self.take(usize::from(!single_segment).saturating_add(dictionary).saturating_add(size_bytes))?;
        // The decoder's own reading of it decides; a frame header may have 18 bytes.
        let too_much = ArchiveError::NotSeekable { limit: MOST_FRAME_BYTES };
        match zstd_safe::get_frame_content_size(&self.compressed) {
            Ok(Some(size)) if size <= MOST_FRAME_BYTES && size > 0 => {
                Ok((usize::try_from(size).map_err(|_| too_much)?, descriptor & 4 != 0))
            }
            Ok(Some(0)) => Err(self.damaged("a frame without content")),
            Ok(_) => Err(too_much),
            Err(_) => Err(self.damaged("the frame does not decompress")),
        }
    }

    /// Reads one block (RFC 8878 §3.1.1.2). Whether it was the last.
    fn block(&mut self) -> Result<bool, ArchiveError> {
        let header = match self.take(3)? {
            [a, b, c] => u32::from_le_bytes([*a, *b, *c, 0]),
            _ => 0,
        };
        let size = match header >> 1 & 3 {
            0 | 2 => usize::try_from(header >> 3).unwrap_or(usize::MAX),
            1 => 1,
            _ => return Err(self.damaged("the frame does not decompress")),
        };
        self.take(size)?;
        Ok(header & 1 == 1)
    }

    /// Reads so many more bytes of the frame.
    fn take(&mut self, count: usize) -> Result<&[u8], ArchiveError> {
        let begin = self.compressed.len();
        let end = begin.saturating_add(count);
        if length(end) > MOST_COMPRESSED_BYTES {
            return Err(ArchiveError::NotSeekable { limit: MOST_FRAME_BYTES });
        }
        self.compressed.resize(end, 0);
        let bytes = self.compressed.get_mut(begin..).unwrap_or_default();
        self.reader.exact(bytes)?;
        Ok(bytes)
    }

    /// Keeps what the seek table must say of the frame, and refuses what expands beyond reason.
    fn record(&mut self) -> Result<(), ArchiveError> {
        if length(self.table.len() / 8) >= MOST_FRAMES {
            return Err(self.damaged("there are too many frames"));
        }
        for size in [self.compressed.len(), self.content.len()] {
            let size = u32::try_from(size).map_err(|_| self.damaged("the frame is too large"))?;
            self.table.extend_from_slice(&size.to_le_bytes());
        }
        self.expanded = self.expanded.saturating_add(length(self.content.len()));
        let limit = most_expanded(self.reader.at, self.expansion);
        match self.expanded > limit {
            true => Err(ArchiveError::Expansion { compressed: self.reader.at, expanded: self.expanded, limit }),
            false => Ok(()),
        }
    }
}
