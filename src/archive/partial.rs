//! Files that are not whole yet: who writes one holds a lock on it, and one that nobody holds is what a killed process
//! left behind.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use tempfile::NamedTempFile;

const SUFFIX: &str = ".partial";
/// The part of the name that is drawn: letters and digits.
const DRAWN: usize = 6;
/// How often a new file may be taken for an abandoned one before its lock is held.
const ATTEMPTS: usize = 16;

/// Makes a file in `folder` for what will be called `name`, and removes those that killed processes left there for the
/// same name. One that a living process still writes stays.
pub(super) fn create(folder: &Path, name: &std::ffi::OsStr, mode: u32) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    sweep(folder, &prefix);
    for _ in 0..ATTEMPTS {
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .rand_bytes(DRAWN)
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        match rustix::fs::flock(file.as_file(), FlockOperation::NonBlockingLockExclusive) {
            // Another process sweeps and has just found it.
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            // It did so before the lock: the file has no name any more.
            Ok(()) if file.as_file().metadata()?.nlink() == 0 => {}
            // Where there are no locks, nobody can take one to sweep.
            Ok(()) | Err(_) => return Ok(file),
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "new files are removed by somebody else at once"))
}

/// Removes what nobody writes any more. To fail at it harms nothing.
fn sweep(folder: &Path, prefix: &OsString) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let middle = name
            .as_bytes()
            .strip_prefix(prefix.as_bytes())
            .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()))
            .filter(|middle| middle.len() == DRAWN && middle.iter().all(u8::is_ascii_alphanumeric));
        if middle.is_some() && is_abandoned(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether it is a regular file, not a link to one, that nobody holds.
fn is_abandoned(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return false };
    file.metadata().is_ok_and(|metadata| metadata.is_file())
        && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// An error of reading or writing that says where. Errors of a disk name no file by themselves.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = .path.display())]
struct Located {
    path: PathBuf,
    source: io::Error,
}

/// The same error, with the file in its text.
pub(crate) fn locate(path: &Path, source: io::Error) -> io::Error {
    // The kind decides what is done about it; `Interrupted` is no failure at all.
    match source.kind() {
        io::ErrorKind::Interrupted => source,
        kind => io::Error::new(kind, Located { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_nobody_writes_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let held = create(folder.path(), "out.tar".as_ref(), 0o644).unwrap();
        let others = [
            ".out.tar.partial",
            ".out.tar.abcde.partial",
            ".out.tar.abcde-.partial",
            ".out.tar.abcdefg.partial",
            ".out.abcdef.partial",
            "out.tar.abcdef.partial",
            ".out.tar.abcdef",
            ".out.tar.zst.abcdef.partial",
        ];
        for name in others {
            fs::write(path(name), b"").unwrap();
        }
        fs::create_dir(path(".out.tar.folder.partial")).unwrap();
        symlink(path(".out.tar.partial"), path(".out.tar.symlnk.partial")).unwrap();
        fs::write(path(".out.tar.Zz09ab.partial"), b"half").unwrap();
        let before = fs::read_dir(folder.path()).unwrap().count();
        let second = create(folder.path(), "out.tar".as_ref(), 0o644).unwrap();
        assert!(!path(".out.tar.Zz09ab.partial").exists());
        assert!(held.path().exists() && second.path().exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
        for name in others {
            assert!(path(name).exists(), "{name}");
        }
    }

    #[test]
    fn many_at_once_do_not_remove_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let file = create(folder.path(), "x".as_ref(), 0o600).unwrap();
                        assert_eq!(file.as_file().metadata().unwrap().nlink(), 1);
                        assert!(file.path().exists());
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_error_keeps_its_kind_and_says_where() {
        let error = locate(Path::new("/a/b"), io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("/a/b: "), "{error}");
    }
}
