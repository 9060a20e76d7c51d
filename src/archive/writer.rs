//! Writes a canonical tar, plain or compressed, to anything that takes bytes.

use std::io::{self, Seek, SeekFrom, Write};

use super::ArchiveError;
use super::entry::{END, EntryName, canonical_header, length, padding};
use super::frames::FrameWriter;

/// Whether and how the archive is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// A plain tar
    #[default]
    None,
    /// Independent zstd frames and a seek table. What is compressed already is stored.
    Zstd {
        /// zstd's level; 3 is its default.
        level: i32,
    },
}

/// Writes entries one after the other. Nothing is sought, nothing but one zstd frame is held in memory, and the same
/// entries always give the same bytes: mode 0644, owner and group 0, time 0, no names.
pub struct Writer<W: Write> {
    out: W,
    frames: Option<FrameWriter>,
    /// An entry was begun and not ended; whatever follows would be misread.
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// zstd does not know the level.
    pub fn new(out: W, compression: Compression) -> Result<Self, ArchiveError> {
        let frames = match compression {
            Compression::None => None,
            Compression::Zstd { level } => Some(FrameWriter::new(level)?),
        };
        Ok(Self { out, frames, broken: false })
    }

    /// Begins an entry of exactly `size` bytes.
    ///
    /// # Errors
    /// The output does not take the header, or an earlier entry was left unfinished.
    pub fn entry(&mut self, name: EntryName, size: u64) -> Result<EntryWriter<'_, W>, ArchiveError> {
        let header = canonical_header(&name, size)?;
        self.structure(&header)?;
        self.broken = true;
        Ok(EntryWriter { archive: self, name, size, left: size })
    }

    /// Writes a whole entry.
    ///
    /// # Errors
    /// As [`Writer::entry`].
    pub fn put(&mut self, name: EntryName, content: &[u8]) -> Result<(), ArchiveError> {
        let mut entry = self.entry(name, length(content.len()))?;
        entry.content(content)?;
        entry.finish()
    }

    fn structure(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        if self.broken {
            return Err(ArchiveError::Incomplete);
        }
        match &mut self.frames {
            None => self.out.write_all(bytes).map_err(ArchiveError::Write),
            Some(frames) => frames.structure(&mut self.out, bytes),
        }
    }

    /// Ends the archive and hands the output back, flushed.
    ///
    /// # Errors
    /// The output does not take the end, or an entry was left unfinished.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        self.structure(&END)?;
        if let Some(frames) = self.frames {
            frames.finish(&mut self.out)?;
        }
        self.out.flush().map_err(ArchiveError::Write)?;
        Ok(self.out)
    }
}

/// Takes in the content of one entry. It must be finished; dropped before, it leaves the archive unusable, and the
/// archive knows.
pub struct EntryWriter<'a, W: Write> {
    archive: &'a mut Writer<W>,
    name: EntryName,
    size: u64,
    left: u64,
}

impl<W: Write> EntryWriter<'_, W> {
    fn content(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let taken = length(bytes.len());
        self.left = self.left.checked_sub(taken).ok_or_else(|| ArchiveError::EntrySize {
            name: self.name.to_string(),
            expected: self.size,
            found: self.size.saturating_sub(self.left).saturating_add(taken),
        })?;
        match &mut self.archive.frames {
            None => self.archive.out.write_all(bytes).map_err(ArchiveError::Write),
            Some(frames) => frames.content(&mut self.archive.out, bytes),
        }
    }

    /// Ends the entry.
    ///
    /// # Errors
    /// It did not receive exactly the bytes that were announced, or the output does not take the padding.
    pub fn finish(self) -> Result<(), ArchiveError> {
        if self.left > 0 {
            let found = self.size.saturating_sub(self.left);
            return Err(ArchiveError::EntrySize { name: self.name.to_string(), expected: self.size, found });
        }
        self.archive.broken = false;
        let empty = usize::try_from(padding(self.size)).ok().and_then(|count| END.get(..count)).unwrap_or_default();
        self.archive.structure(empty).inspect_err(|_| self.archive.broken = true)
    }
}

impl<W: Write + Seek> EntryWriter<'_, W> {
    /// Ends the entry without its content, for which room is left. Says where in the output it belongs.
    ///
    /// # Errors
    /// Content was written already, the archive is compressed, so that nobody knows how much room it needs, or the
    /// output cannot be sought.
    pub fn leave(mut self) -> Result<u64, ArchiveError> {
        if self.left != self.size || self.archive.frames.is_some() {
            return Err(ArchiveError::Incomplete);
        }
        let out = &mut self.archive.out;
        let at = out.stream_position().map_err(ArchiveError::Write)?;
        let end = at.checked_add(self.size).ok_or(ArchiveError::Incomplete)?;
        out.seek(SeekFrom::Start(end)).map_err(ArchiveError::Write)?;
        self.left = 0;
        self.finish()?;
        Ok(at)
    }
}

impl<W: Write> Write for EntryWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.content(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(ArchiveError::Write(error)) => Err(error),
            Err(error) => Err(error.into_io()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.archive.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_receives_exactly_what_was_announced() {
        for content in [&b""[..], b"12", b"1234"] {
            let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
            let mut entry = writer.entry(EntryName::Index, 3).unwrap();
            let written = entry.write_all(content);
            if content.len() < 3 {
                assert!(matches!(entry.finish(), Err(ArchiveError::EntrySize { expected: 3, .. })));
            } else {
                assert!(written.is_err());
            }
            assert!(matches!(writer.put(EntryName::Layout, b"x"), Err(ArchiveError::Incomplete)));
            assert!(matches!(writer.finish(), Err(ArchiveError::Incomplete)));
        }
    }

    #[test]
    fn a_failed_write_leaves_the_archive_unusable() {
        let mut room = [0; 600];
        let mut writer = Writer::new(&mut room[..], Compression::None).unwrap();
        assert!(matches!(writer.put(EntryName::Index, &[0; 200]), Err(ArchiveError::Write(_))));
        assert!(matches!(writer.put(EntryName::Layout, b""), Err(ArchiveError::Incomplete)));
    }
}
