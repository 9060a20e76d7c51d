//! The compressed form: independent zstd frames and the official seek table behind them
//! (RFC 8878, and `contrib/seekable_format` of the zstd project).
//!
//! A frame holds either tar structure (the padding behind one entry, the header of the next) or content of one entry,
//! never both: so the names and sizes in an archive can be read without decompressing any content.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

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
/// How many times its compressed size a bundle may hold, beyond the first 64 MiB ([`Limits::expansion`] says why).
///
/// [`Limits::expansion`]: crate::limits::Limits::expansion
const EXPANSION: u64 = 1_000;
/// What any archive may hold: small ones may hold anything that fits into memory anyway.
const FREE_EXPANSION: u64 = 64 << 20;

/// The most that so many bytes of frames may hold. It holds at the end of each frame of a bundle, so that whoever reads a pipe
/// comes to the same answer as who reads a file.
pub(super) const fn most_expanded(compressed: u64, times: u64) -> u64 {
    compressed.saturating_mul(times).saturating_add(FREE_EXPANSION)
}

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
///
/// Frames do not depend on each other, so several are compressed at a time. They are written in their order, and how an
/// entry is written is decided in that order too: the bytes are the same whatever the number of cores.
pub(super) struct FrameWriter {
    level: i32,
    /// For tar structure, which is not worth a thread.
    compressor: Compressor<'static>,
    pool: Option<Pool>,
    buffer: Vec<u8>,
    kind: Kind,
    /// Which entry is being written, and of which it is known that it is stored.
    entry: u64,
    stored: Option<u64>,
    /// Whether the entry being written has a frame yet.
    begun: bool,
    pending: VecDeque<Pending>,
    table: Vec<u8>,
    frames: u32,
    /// What the frames hold that were written, and how many bytes they are.
    expanded: u64,
    written: u64,
}

/// A frame that has not been written yet.
struct Pending {
    entry: u64,
    kind: Kind,
    state: State,
}

enum State {
    /// Content that is stored
    Stored(Vec<u8>),
    /// Both forms
    Ready(Both),
    /// Somebody is compressing it.
    Working(Receiver<io::Result<Both>>),
}

/// Content, and what became of it.
struct Both {
    content: Vec<u8>,
    compressed: Vec<u8>,
}

impl FrameWriter {
    pub(super) fn new(level: i32) -> Result<Self, ArchiveError> {
        Ok(Self {
            level,
            compressor: compressor(level).map_err(ArchiveError::Write)?,
            pool: None,
            buffer: Vec::new(),
            kind: Kind::Structure,
            entry: 0,
            stored: None,
            begun: false,
            pending: VecDeque::new(),
            table: Vec::new(),
            frames: 0,
            expanded: 0,
            written: 0,
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
        // An entry without content has no frame, and does not part the structure around it.
        if bytes.is_empty() {
            return Ok(());
        }
        if self.kind != kind {
            self.cut(out)?;
            self.kind = kind;
            self.entry = self.entry.saturating_add(1);
            self.begun = false;
        }
        while !bytes.is_empty() {
            let room = FRAME_BYTES.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() >= FRAME_BYTES {
                self.cut(out)?;
            }
        }
        Ok(())
    }

    /// Ends the current frame, and writes what is ready.
    fn cut(&mut self, out: &mut dyn Write) -> Result<(), ArchiveError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let content = std::mem::take(&mut self.buffer);
        let first = !std::mem::replace(&mut self.begun, true);
        if first && self.kind == Kind::Content && COMPRESSED.iter().any(|magic| content.starts_with(magic)) {
            self.stored = Some(self.entry);
        }
        let state = if self.kind == Kind::Content && self.stored == Some(self.entry) {
            State::Stored(content)
        } else if content.len() < WORTH_A_THREAD {
            let compressed = self.compressor.compress(&content).map_err(ArchiveError::Write)?;
            State::Ready(Both { content, compressed })
        } else {
            State::Working(self.pool.get_or_insert_with(|| Pool::start(self.level)).compress(content))
        };
        self.pending.push_back(Pending { entry: self.entry, kind: self.kind, state });
        let most = self.pool.as_ref().map_or(0, |pool| pool.workers);
        self.drain(out, most)
    }

    /// Writes frames until at most so many wait, and none that need not wait is the first.
    fn drain(&mut self, out: &mut dyn Write, most: usize) -> Result<(), ArchiveError> {
        let waits = |pending: &Pending| matches!(pending.state, State::Working(_));
        while self.pending.len() > most || self.pending.front().is_some_and(|first| !waits(first)) {
            let Some(first) = self.pending.pop_front() else { break };
            self.write_frame(out, first)?;
        }
        Ok(())
    }

    /// How an entry is written depends on its content alone: it is stored where it is compressed already, and from the
    /// first frame on for which compression gains less than a 32nd. One frame is stored by itself where the bundle would
    /// hold more than a reader takes from a file of its size: sparse disk images are such content, and bombs.
    fn write_frame(&mut self, out: &mut dyn Write, pending: Pending) -> Result<(), ArchiveError> {
        let both = match pending.state {
            State::Stored(content) => Both { content, compressed: Vec::new() },
            State::Ready(both) => both,
            State::Working(result) => {
                result.recv().map_err(|_| ArchiveError::Incomplete)?.map_err(ArchiveError::Write)?
            }
        };
        let Both { content, compressed } = both;
        let worthwhile = content.len().saturating_sub(content.len() / 32);
        let is_stored = self.stored == Some(pending.entry) || compressed.len() >= worthwhile;
        let (size, expanded) = (length(compressed.len()), self.expanded.saturating_add(length(content.len())));
        let size = match is_stored && pending.kind == Kind::Content {
            false if expanded > most_expanded(self.written.saturating_add(size), EXPANSION) => {
                write_raw_frame(out, &content)
            }
            false => out.write_all(&compressed).map(|()| compressed.len()),
            true => {
                self.stored = Some(pending.entry);
                write_raw_frame(out, &content)
            }
        };
        self.record(size.map_err(ArchiveError::Write)?, content.len())?;
        if self.buffer.capacity() == 0 {
            self.buffer = content;
            self.buffer.clear();
        }
        Ok(())
    }

    fn record(&mut self, compressed: usize, expanded: usize) -> Result<(), ArchiveError> {
        for size in [compressed, expanded] {
            let size = u32::try_from(size).map_err(|_| ArchiveError::Incomplete)?;
            self.table.extend_from_slice(&size.to_le_bytes());
        }
        self.frames = self.frames.checked_add(1).ok_or(ArchiveError::Incomplete)?;
        self.written = self.written.saturating_add(length(compressed));
        self.expanded = self.expanded.saturating_add(length(expanded));
        Ok(())
    }

    /// Ends the last frame and writes the seek table.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> Result<(), ArchiveError> {
        self.cut(out)?;
        self.drain(out, 0)?;
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

/// Less is compressed at once, where it is.
const WORTH_A_THREAD: usize = 256 << 10;

/// However many cores there are: each frame that is on its way costs its size twice, and its compressor's tables, which
/// grow with the level. All of it stays below 64 MiB.
const fn most_workers(level: i32) -> usize {
    match level {
        ..=5 => 3,
        6..=12 => 2,
        _ => 1,
    }
}

/// Threads that compress. They end when nothing more can be asked of them.
struct Pool {
    jobs: SyncSender<Job>,
    workers: usize,
}

struct Job {
    content: Vec<u8>,
    reply: SyncSender<io::Result<Both>>,
}

impl Pool {
    fn start(level: i32) -> Self {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(most_workers(level));
        let (jobs, waiting) = sync_channel::<Job>(workers);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..workers {
            let waiting = Arc::clone(&waiting);
            thread::spawn(move || work(&waiting, level));
        }
        Self { jobs, workers }
    }

    /// Has content compressed. Should nobody be left to do it, the answer never comes, and waiting for it fails.
    fn compress(&self, content: Vec<u8>) -> Receiver<io::Result<Both>> {
        let (reply, result) = sync_channel(1);
        let _ = self.jobs.send(Job { content, reply });
        result
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, level: i32) {
    let mut own = compressor(level);
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { content, reply }) = next else { return };
        let result = match &mut own {
            Ok(compressor) => compressor.compress(&content).map(|compressed| Both { content, compressed }),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Whoever asked may have given up.
        let _ = reply.send(result);
    }
}

fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    // A window as large as a frame: so each frame is a single segment, and its header follows from its size.
    compressor.set_parameter(CParameter::WindowLog(FRAME_BYTES.ilog2()))?;
    Ok(compressor)
}

/// The only header that a frame of this content size has (RFC 8878 §3.1.1.1): a single segment, the size in as few bytes
/// as it takes, no checksum, no dictionary.
pub(super) fn frame_header(size: u32) -> Vec<u8> {
    const SINGLE_SEGMENT: u8 = 0x20;
    let (code, bytes, stated) = match size {
        0..256 => (0, 1, size),
        256..65_792 => (1, 2, size.saturating_sub(256)),
        _ => (2, 4, size),
    };
    let mut header = ZSTD_MAGIC.to_vec();
    header.push(SINGLE_SEGMENT | code << 6);
    header.extend(stated.to_le_bytes().into_iter().take(bytes));
    header
}

/// Writes a frame of raw blocks (RFC 8878 §3.1.1.2). Returns its size.
fn write_raw_frame(out: &mut dyn Write, content: &[u8]) -> io::Result<usize> {
    let size = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let blocks = content.len().div_ceil(BLOCK_BYTES);
    let header = frame_header(size);
    out.write_all(&header)?;
    for (number, block) in content.chunks(BLOCK_BYTES).enumerate() {
        let last = u32::from(number.saturating_add(1) == blocks);
        let [a, b, c, _] = (u32::try_from(block.len()).unwrap_or(0) << 3 | last).to_le_bytes();
        out.write_all(&[a, b, c])?;
        out.write_all(block)?;
    }
    Ok(content.len().saturating_add(blocks.saturating_mul(3)).saturating_add(header.len()))
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
        for len in [1, 255, 256, 65_791, 65_792, BLOCK_BYTES, BLOCK_BYTES + 1, FRAME_BYTES] {
            let content = noise(len);
            // libzstd writes the same header, at every level.
            for level in [1, 3, 19] {
                let compressed = compressor(level).unwrap().compress(&vec![b'a'; len]).unwrap();
                assert!(compressed.starts_with(&frame_header(u32::try_from(len).unwrap())), "{len} at level {level}");
            }
            let mut frame = Vec::new();
            assert_eq!(write_raw_frame(&mut frame, &content).unwrap(), frame.len());
            assert_eq!(zstd::decode_all(&frame[..]).unwrap(), content, "{len}");
        }
    }

    /// One frame after the other, as if there were one core: what the pool writes must be the same.
    fn one_by_one(entries: &[Vec<u8>], level: i32) -> Vec<u8> {
        let (mut out, mut compressor) = (Vec::new(), compressor(level).unwrap());
        for entry in entries {
            out.extend(compressor.compress(&[0; 512]).unwrap());
            let mut stored = COMPRESSED.iter().any(|magic| entry.starts_with(magic));
            for content in entry.chunks(FRAME_BYTES) {
                let compressed = compressor.compress(content).unwrap();
                stored |= compressed.len() >= content.len() - content.len() / 32;
                if stored {
                    write_raw_frame(&mut out, content).unwrap();
                } else {
                    out.extend(compressed);
                }
            }
        }
        out
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let text = b"all work and no play ".repeat(FRAME_BYTES / 8);
        // Compressible, then not, then again: it stays stored.
        let mixed = [&text[..FRAME_BYTES], &noise(FRAME_BYTES), &text[..FRAME_BYTES], b"end"].concat();
        let entries = [text, mixed, noise(3 * FRAME_BYTES), vec![0; 2 * FRAME_BYTES + 1], b"small".to_vec()];
        let mut out = Vec::new();
        let mut frames = FrameWriter::new(3).unwrap();
        for entry in &entries {
            frames.structure(&mut out, &[0; 512]).unwrap();
            frames.content(&mut out, entry).unwrap();
        }
        frames.finish(&mut out).unwrap();
        let expected = one_by_one(&entries, 3);
        assert!(out.starts_with(&expected) && out[expected.len()..].starts_with(&TABLE_MAGIC));
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
