//! A file that appears under its name only when it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::ArchiveError;
use super::entry::length;
use super::partial::{self, locate};

/// Written beside its target under a temporary name, renamed by [`OutputFile::commit`], removed when dropped before.
/// What a killed process left under such a name is removed when the next one writes the same target. An existing file is replaced whole; a symbolic link is replaced itself, not what it leads to.
///
/// It can be written from its beginning to its end, and at several places at once: see [`OutputFile::part`].
#[derive(Debug)]
pub struct OutputFile {
    file: BufWriter<NamedTempFile>,
    folder: PathBuf,
    target: PathBuf,
}

impl OutputFile {
    /// Prepares to write `target`.
    ///
    /// # Errors
    /// The folder is not there or cannot be written to, or something other than a file has the name.
    pub fn create(target: &Path) -> Result<Self, ArchiveError> {
        Self::with_mode(target, 0o644)
    }

    /// As [`OutputFile::create`], for its owner alone.
    ///
    /// # Errors
    /// As there.
    pub fn create_private(target: &Path) -> Result<Self, ArchiveError> {
        Self::with_mode(target, 0o600)
    }

    fn with_mode(target: &Path, mode: u32) -> Result<Self, ArchiveError> {
        let at = |source| ArchiveError::Io { path: target.to_owned(), source };
        let name = target.file_name().ok_or_else(|| ArchiveError::Occupied { path: target.to_owned() })?;
        match target.metadata() {
            // A device or a pipe must not be replaced by a file.
            Ok(metadata) if !metadata.is_file() => return Err(ArchiveError::Occupied { path: target.to_owned() }),
            _ => {}
        }
        let folder = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let file = partial::create(&folder, name, mode).map_err(at)?;
        Ok(Self { file: BufWriter::with_capacity(256 << 10, file), folder, target: target.to_owned() })
    }

    /// A part of the file that is written by itself, also while others are.
    pub fn part(&self, at: u64, size: u64) -> FilePart<'_> {
        let file = self.file.get_ref().as_file();
        FilePart { target: &self.target, written: Written::from(file, at), end: at.saturating_add(size) }
    }

    /// Puts the file, on stable storage, under its name.
    ///
    /// # Errors
    /// The disk is full, or the name cannot be given. Nothing is left then.
    pub fn commit(self) -> Result<(), ArchiveError> {
        let path = self.target;
        let at = |source| ArchiveError::Io { path: path.clone(), source };
        let file = self.file.into_inner().map_err(|error| at(error.into_error()))?;
        file.as_file().sync_all().map_err(at)?;
        file.persist(&path).map_err(|error| at(error.error))?;
        sync_folder(&self.folder).map_err(at)
    }
}

impl Seek for OutputFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to).map_err(|error| locate(&self.target, error))
    }
}

/// After so many bytes the disk is told to begin with them.
const WRITE_BACK: u64 = 8 << 20;

/// How far a file was written, from some place on. Keeps the disk busy meanwhile, so that making the file durable at the
/// end has little left to wait for.
#[derive(Debug)]
struct Written<'a> {
    file: &'a File,
    at: u64,
    flushed: u64,
}

impl<'a> Written<'a> {
    const fn from(file: &'a File, at: u64) -> Self {
        Self { file, at, flushed: at }
    }

    /// Takes note of what was written. Once there is enough, the disk is told to begin with it, and nobody waits for it: to
    /// fail at it harms nothing.
    fn note(&mut self, count: usize) {
        self.at = self.at.saturating_add(length(count));
        let waiting = self.at.saturating_sub(self.flushed);
        if waiting >= WRITE_BACK {
            let _ =
                rustix::fs::fadvise(self.file, self.flushed, NonZeroU64::new(waiting), rustix::fs::Advice::DontNeed);
            self.flushed = self.at;
        }
    }
}

/// Writes to a file from its beginning.
pub(crate) struct Eager<'a> {
    written: Written<'a>,
}

impl<'a> Eager<'a> {
    pub(crate) const fn new(file: &'a File) -> Self {
        Self { written: Written::from(file, 0) }
    }
}

impl Write for Eager<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self.written.file;
        let count = file.write(bytes)?;
        self.written.note(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A part of an [`OutputFile`], of a size that was told before.
#[derive(Debug)]
pub struct FilePart<'a> {
    target: &'a Path,
    written: Written<'a>,
    end: u64,
}

impl Write for FilePart<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Written { file, at, .. } = self.written;
        let room = usize::try_from(self.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default();
        let count = file.write_at(bytes, at).map_err(|error| locate(self.target, error))?;
        self.written.note(count);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes names in a folder durable. File systems that cannot do it for folders say `InvalidInput`.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| locate(&self.target, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| locate(&self.target, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Diagnostic, DiagnosticCode};
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_name_appears_with_the_whole_content_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.tar");
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(file);
        assert!(names(folder.path()).is_empty());
        fs::write(&target, b"old").unwrap();
        let mut file = OutputFile::create(&target).unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["out.tar"]);
        assert_eq!(target.metadata().unwrap().permissions().mode() & 0o400, 0o400);
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for target in [folder.path(), Path::new("/dev/null"), Path::new("/")] {
            assert!(matches!(OutputFile::create(target), Err(ArchiveError::Occupied { .. })), "{target:?}");
        }
        let error = OutputFile::create(&folder.path().join("missing/x")).unwrap_err();
        assert_eq!(error.code(), DiagnosticCode::NotFound);
    }
}
