//! The compressed form: independent zstd frames and the official seek table behind them
//! (RFC 8878, and `contrib/seekable_format` of the zstd project).
//!
//! A frame holds either tar structure (the padding behind one entry, the header of the next) or content of one entry,
//! never both: so the names and sizes in an archive can be read without decompressing any content.

use std::io::Write;

use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use super::ArchiveError;
use super::entry::length;

/// The most content that one frame of ours holds.
pub(super) const FRAME_BYTES: usize = 4 << 20;
/// The frames that a reader accepts: each costs this much memory while it is read.
pub(super) const MOST_FRAME_BYTES: u64 = 8 << 20;
/// The same, compressed: incompressible content grows by three bytes in 128 KiB, and a frame header.
pub(super) const MOST_COMPRESSED_BYTES: u64 = MOST_FRAME_BYTES + (64 << 10);
/// The magic number of a zstd frame (RFC 8878 §3.1.1).
pub(super) const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// The magic number of the skippable frame that holds the seek table.
pub(super) const TABLE_MAGIC: [u8; 4] = 0x184D_2A5E_u32.to_le_bytes();
/// The last four bytes of a file with a seek table.
pub(super) const FOOTER_MAGIC: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();
/// A raw block holds at most this much (RFC 8878 §3.1.1.2.4).
const BLOCK_BYTES: usize = 128 << 10;

/// Beginnings of files that are compressed already.
const COMPRESSED: [&[u8]; 9] = [
    b"\x1f\x8b",           // gzip
    &ZSTD_MAGIC,           // zstd
    b"\xfd7zXZ\0",         // xz
    b"BZh",                // bzip2
    b"\x04\x22\x4d\x18",   // lz4
    b"PK\x03\x04",         // zip, jar, wheel
    b"7z\xbc\xaf\x27\x1c", // 7z
    b"\x89PNG",            // PNG
    b"\xff\xd8\xff",       // JPEG
];

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Structure,
    Content,
}

/// Cuts what it is given into frames, and writes them to `out` with the table at the end.
pub(super) struct FrameWriter {
    compressor: Compressor<'static>,
    buffer: Vec<u8>,
    kind: Kind,
    /// Whether the entry being written is stored; unknown before its first frame.
    stored: Option<bool>,
    table: Vec<u8>,
    frames: u32,
}

impl FrameWriter {
    pub(super) fn new(level: i32) -> Result<Self, ArchiveError> {
        let mut compressor = Compressor::new(level).map_err(ArchiveError::Write)?;
        compressor.set_parameter(CParameter::ContentSizeFlag(true)).map_err(ArchiveError::Write)?;
        Ok(Self {
            compressor,
            buffer: Vec::with_capacity(FRAME_BYTES),
            kind: Kind::Structure,
            stored: None,
            table: Vec::new(),
            frames: 0,
        })
    }

    /// Takes in headers and padding.
    pub(super) fn structure(&mut self, out: &mut dyn Write, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.write(out, Kind::Structure, bytes)
    }

    /// Takes in content of the current entry.
    pub(super) fn content(&mut self, out: &mut dyn Write, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.write(out, Kind::Content, bytes)
    }

    fn write(&mut self, out: &mut dyn Write, kind: Kind, mut bytes: &[u8]) -> Result<(), ArchiveError> {
        if self.kind != kind {
            self.flush(out)?;
            self.kind = kind;
            self.stored = None;
        }
        while !bytes.is_empty() {
            let room = FRAME_BYTES.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= FRAME_BYTES {
                self.flush(out)?;
            }
        }
        Ok(())
    }

    /// Ends the current frame. How an entry is written is decided by its first frame, so it depends on the content
    /// alone: stored where it is compressed already or where compression gains less than a 32nd.
    fn flush(&mut self, out: &mut dyn Write) -> Result<(), ArchiveError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let stored = self.kind == Kind::Content
            && self.stored.unwrap_or_else(|| COMPRESSED.iter().any(|magic| self.buffer.starts_with(magic)));
        let compressed = match stored {
            true => None,
            false => Some(self.compressor.compress(&self.buffer).map_err(ArchiveError::Write)?),
        };
        let worthwhile = self.buffer.len().saturating_sub(self.buffer.len() / 32);
        let frame = compressed.filter(|frame| self.kind == Kind::Structure || frame.len() < worthwhile);
        self.stored = Some(frame.is_none());
        let frame = frame.unwrap_or_else(|| raw_frame(&self.buffer));
        self.record(frame.len(), self.buffer.len())?;
        self.buffer.clear();
        out.write_all(&frame).map_err(ArchiveError::Write)
    }

    fn record(&mut self, compressed: usize, expanded: usize) -> Result<(), ArchiveError> {
        for size in [compressed, expanded] {
            let size = u32::try_from(size).map_err(|_| ArchiveError::Incomplete)?;
            self.table.extend_from_slice(&size.to_le_bytes());
        }
        self.frames = self.frames.checked_add(1).ok_or(ArchiveError::Incomplete)?;
        Ok(())
    }

    /// Ends the last frame and writes the seek table.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> Result<(), ArchiveError> {
        self.flush(out)?;
        let size = u32::try_from(length(self.table.len()).saturating_add(9)).map_err(|_| ArchiveError::Incomplete)?;
        let parts: [&[u8]; 6] = [
            &TABLE_MAGIC,
            &size.to_le_bytes(),
            &self.table,
            &self.frames.to_le_bytes(),
            &[0], // no checksums: digests decide
            &FOOTER_MAGIC,
        ];
        parts.into_iter().try_for_each(|part| out.write_all(part)).map_err(ArchiveError::Write)
    }
}

/// A frame of raw blocks: single segment, content size in four bytes, no checksum (RFC 8878 §3.1.1.1, §3.1.1.2).
fn raw_frame(content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let blocks = content.len().div_ceil(BLOCK_BYTES);
    let mut frame = Vec::with_capacity(content.len().saturating_add(blocks.saturating_mul(3)).saturating_add(16));
    frame.extend_from_slice(&ZSTD_MAGIC);
    frame.push(0b1010_0000);
    frame.extend_from_slice(&size.to_le_bytes());
    for (number, block) in content.chunks(BLOCK_BYTES).enumerate() {
        let last = u32::from(number.saturating_add(1) == blocks);
        let header = u32::try_from(block.len()).unwrap_or(0) << 3 | last;
        frame.extend(header.to_le_bytes().into_iter().take(3));
        frame.extend_from_slice(block);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 88_172_645_463_325_252_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[0]
        })
        .take(len)
        .collect()
    }

    #[test]
    fn raw_frames_are_zstd() {
        for len in [1, 255, 256, BLOCK_BYTES, BLOCK_BYTES + 1, FRAME_BYTES] {
            let content = noise(len);
            assert_eq!(zstd::decode_all(&raw_frame(&content)[..]).unwrap(), content, "{len}");
        }
    }

    #[test]
    fn what_is_compressed_is_stored_and_nothing_depends_on_how_it_is_cut() {
        let mut gzip = vec![b'a'; 3 * FRAME_BYTES / 2];
        gzip[..2].copy_from_slice(b"\x1f\x8b");
        for (content, smaller) in [(noise(FRAME_BYTES + 5), false), (gzip, false), (vec![b'a'; 100_000], true)] {
            let write = |step: usize| {
                let mut out = Vec::new();
                let mut frames = FrameWriter::new(3).unwrap();
                frames.structure(&mut out, &[0; 512]).unwrap();
                content.chunks(step).for_each(|chunk| frames.content(&mut out, chunk).unwrap());
                frames.finish(&mut out).unwrap();
                out
            };
            let whole = write(content.len());
            assert_eq!(whole, write(1000));
            assert_eq!(zstd::decode_all(&whole[..]).unwrap()[512..], content);
            assert_eq!(whole.len() < content.len() / 2, smaller);
        }
    }
}
