//! Writing files of the operator's configuration: whole or not at all, readable for their owner alone unless said
//! otherwise, and never through a link.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::code::{Diagnostic, DiagnosticCode, io_code};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner (mode 0600).
    Owner,
    /// Everybody (mode 0644): certificates are no secret.
    Everyone,
}

/// Why a file was not written or removed. What was there before is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Something has that name already.
    #[error("{} is there already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A link, a directory, a device.
    #[error("{} is not a regular file; it is not replaced", .path.display())]
    NotAFile {
        /// What it is about.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Diagnostic for WriteError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Exists { .. } => DiagnosticCode::AlreadyExists,
            Self::NotAFile { .. } => DiagnosticCode::ConfigInvalid,
            Self::Io { source, .. } => io_code(source),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some("nothing is overwritten: delete it first, or choose another name".into()),
            Self::NotAFile { .. } => Some("put the file itself there, or move away what is in its place".into()),
            Self::Io { .. } => None,
        }
    }
}

impl WriteError {
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), source }
    }
}

/// Makes a directory and those above it, for their owner alone (mode 0700). One that is there stays as it is.
pub(crate) fn make_directory(path: &Path) -> Result<(), WriteError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(WriteError::at(path))
}

/// How often a lock is tried, and the pause between: half a minute, in which any change of a file is long done.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(50);

/// Keeps others from changing files of this directory, which is made if it is not there, until what is returned is dropped:
/// for changes that read first. The lock is on the directory itself, so it leaves no file and ends with its process. Docker
/// and oras do not ask for it. Where the file system has no such locks, there is none.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let directory = File::open(folder)?;
    for _ in 0..TRIES {
        match directory.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            // NFS locks nothing that cannot be written to.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(directory),
        }
    }
    Err(io::Error::new(ErrorKind::ResourceBusy, "another process has held its lock for half a minute"))
}

/// Writes a file that is not there yet, with its directory.
///
/// # Errors
/// Something of that name is there, or the file cannot be written; then there is none.
pub(crate) fn create(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), WriteError> {
    let file = temporary(path, bytes, readers)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_directory(path),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            Err(WriteError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(WriteError::at(path)(error.error)),
    }
}

/// Writes a file, in the place of one that may be there.
///
/// # Errors
/// What is there is no regular file, or the new one cannot be written; then nothing has changed.
pub(crate) fn replace(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), WriteError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => return Err(WriteError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(WriteError::at(path)(error)),
        _ => {}
    }
    temporary(path, bytes, readers)?.persist(path).map_err(|error| WriteError::at(path)(error.error))?;
    sync_directory(path)
}

/// Whether a file was there to be removed. A link is removed itself, not what it leads to.
pub(crate) fn remove(path: &Path) -> Result<bool, WriteError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(WriteError::at(path)(error)),
    }
}

/// The content under a name of its own, beside its final place.
fn temporary(path: &Path, bytes: &[u8], readers: Readers) -> Result<tempfile::NamedTempFile, WriteError> {
    let folder = path.parent().unwrap_or(path);
    make_directory(folder)?;
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    let at = WriteError::at(path);
    let mut file = tempfile::Builder::new()
        .prefix(".bulla-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(&at)?;
    file.write_all(bytes).map_err(&at)?;
    // After the umask, which would take from the mode of a new file.
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(&at)?;
    file.as_file().sync_all().map_err(&at)?;
    Ok(file)
}

fn sync_directory(path: &Path) -> Result<(), WriteError> {
    let folder = path.parent().unwrap_or(path);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(WriteError::at(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_never_overwritten_by_accident() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b/file");
        create(&path, b"one", Readers::Owner).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(create(&path, b"two", Readers::Owner), Err(WriteError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        replace(&path, b"two", Readers::Everyone).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"two".to_vec(), 0o644));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let home = tempfile::tempdir().unwrap();
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        fs::write(&target, "theirs").unwrap();
        symlink(&target, &link).unwrap();
        assert!(matches!(create(&link, b"x", Readers::Owner), Err(WriteError::Exists { .. })));
        assert!(matches!(replace(&link, b"x", Readers::Owner), Err(WriteError::NotAFile { .. })));
        fs::remove_file(&target).unwrap();
        assert!(matches!(create(&link, b"x", Readers::Owner), Err(WriteError::Exists { .. })), "a dangling link");
        assert!(matches!(replace(home.path(), b"x", Readers::Owner), Err(WriteError::NotAFile { .. })));
    }
}
