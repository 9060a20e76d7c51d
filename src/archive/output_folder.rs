//! Files that appear in a folder together, when all of them are whole.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use tempfile::TempDir;

use super::ArchiveError;
use super::output::{Eager, sync_folder};
use super::partial::locate;

/// The beginning and the end of the name of a folder for what is not whole yet; what is drawn stands between them.
const STAGE: (&str, &str) = (".bulla-", ".partial");
/// How often a new folder may be taken for an abandoned one before its lock is held.
const ATTEMPTS: usize = 16;

/// A folder to which files are added. They are written into a folder of their own inside it, under numbers, and get their
/// names by [`OutputFolder::commit`]; what is dropped before is removed. One file is open at a time, however many there are.
///
/// The folder inside is locked while it is written to. What a killed process left there is removed by the next one.
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    /// Removed when dropped, before the lock ends.
    stage: TempDir,
    /// Held, not read.
    _lock: File,
    begun: usize,
    /// Each final name, with what will have it.
    names: Vec<(PathBuf, PathBuf)>,
}

impl OutputFolder {
    /// Prepares to add files to `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn create(folder: &Path) -> Result<Self, ArchiveError> {
        let at = |source| ArchiveError::Io { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(at)?;
        sweep(folder);
        for _ in 0..ATTEMPTS {
            let mut builder = tempfile::Builder::new();
            let builder = builder.prefix(STAGE.0).suffix(STAGE.1).permissions(Permissions::from_mode(0o700));
            let stage = builder.tempdir_in(folder).map_err(at)?;
            let lock = match open_folder(stage.path()) {
                // Another process sweeps, and was here first.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(at)?,
            };
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                // It has just found it, or did so before the lock.
                Err(Errno::WOULDBLOCK) => {}
                Ok(()) if lock.metadata().map_err(at)?.nlink() == 0 => {}
                // Where there are no locks, nobody can take one to sweep.
                Ok(()) | Err(_) => {
                    return Ok(Self { folder: folder.to_owned(), stage, _lock: lock, begun: 0, names: Vec::new() });
                }
            }
        }
        Err(at(io::Error::new(io::ErrorKind::ResourceBusy, "new folders are removed by somebody else at once")))
    }

    /// Adds a file that will be called `name`: `fill` writes its content, which is then on stable storage. Returns what to
    /// name in [`OutputFolder::add_copy`].
    ///
    /// # Errors
    /// Those of `fill`; or the disk is full.
    pub fn add<E: From<ArchiveError>>(
        &mut self,
        name: &OsStr,
        fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<StagedFile, E> {
        let (target, place) = self.next(name);
        let at = |source| ArchiveError::Io { path: target.clone(), source };
        let file = File::options().write(true).create_new(true).mode(0o644).open(&place).map_err(at)?;
        let mut out = Located { out: BufWriter::with_capacity(256 << 10, Eager::new(&file)), target: &target };
        fill(&mut out)?;
        out.flush().map_err(at)?;
        drop(out);
        file.sync_all().map_err(at)?;
        self.names.push((target, place.clone()));
        Ok(StagedFile { place })
    }

    /// Adds another file with the same content.
    ///
    /// # Errors
    /// The disk is full.
    pub fn add_copy(&mut self, name: &OsStr, of: &StagedFile) -> Result<(), ArchiveError> {
        let (target, place) = self.next(name);
        let at = |source| ArchiveError::Io { path: target.clone(), source };
        fs::copy(&of.place, &place).map_err(at)?;
        File::open(&place).and_then(|file| file.sync_all()).map_err(at)?;
        self.names.push((target, place));
        Ok(())
    }

    fn next(&mut self, name: &OsStr) -> (PathBuf, PathBuf) {
        let place = self.stage.path().join(self.begun.to_string());
        self.begun = self.begun.saturating_add(1);
        (self.folder.join(name), place)
    }

    /// Gives every file its name; nothing that is there is replaced. Where one of them cannot have its name, none has. A file
    /// that is there already, whole, may stay: an earlier run that ended between two names is completed.
    ///
    /// # Errors
    /// A name is that of another file, or cannot be given.
    pub fn commit(mut self) -> Result<Vec<PathBuf>, ArchiveError> {
        let (mut placed, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for (target, place) in std::mem::take(&mut self.names) {
            match give_name(&place, &target) {
                Ok(Naming::Given) => drop(placed.insert(target)),
                Ok(Naming::Kept) => drop(kept.insert(target)),
                Err(error) => {
                    // They were nobody's a moment ago.
                    placed.iter().for_each(|target| drop(fs::remove_file(target)));
                    return Err(error);
                }
            }
        }
        sync_folder(&self.folder).map_err(|source| ArchiveError::Io { path: self.folder.clone(), source })?;
        placed.append(&mut kept);
        Ok(placed.into_iter().collect())
    }
}

/// A file that was written and has no name yet.
#[derive(Debug, Clone)]
pub struct StagedFile {
    place: PathBuf,
}

/// Errors that say which file it was to become.
struct Located<'a, W> {
    out: W,
    target: &'a Path,
}

impl<W: Write> Write for Located<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(|error| locate(self.target, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|error| locate(self.target, error))
    }
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Removes what nobody writes to any more. To fail at it harms nothing.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let middle = name.to_str().and_then(|name| name.strip_prefix(STAGE.0)?.strip_suffix(STAGE.1));
        if middle.is_none_or(|middle| middle.is_empty() || !middle.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            continue;
        }
        let Ok(found) = open_folder(&entry.path()) else { continue };
        if rustix::fs::flock(&found, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// How a file came to have its name.
enum Naming {
    Given,
    /// What has it is the same.
    Kept,
}

fn give_name(place: &Path, target: &Path) -> Result<Naming, ArchiveError> {
    let at = |path: &Path, source| ArchiveError::Io { path: path.to_owned(), source };
    match rename_new(place, target) {
        Ok(()) => Ok(Naming::Given),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            match is_same(place, target).map_err(|source| at(target, source))? {
                true => Ok(Naming::Kept),
                false => Err(ArchiveError::Taken { path: target.to_owned() }),
            }
        }
        Err(source) => Err(at(target, source)),
    }
}

/// Whether what has the name is a regular file with the same bytes.
fn is_same(place: &Path, target: &Path) -> io::Result<bool> {
    let found = target.symlink_metadata()?;
    if !found.is_file() || found.len() != place.metadata()?.len() {
        return Ok(false);
    }
    let found = rustix::fs::open(
        target,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    same_bytes(File::open(place)?, File::from(found))
}

/// Both files are of one length when this begins.
fn same_bytes(ours: File, found: File) -> io::Result<bool> {
    const STEP: usize = 64 << 10;
    let (mut ours, mut found) = (BufReader::with_capacity(STEP, ours), BufReader::with_capacity(STEP, found));
    let (mut expected, mut actual) = (Vec::with_capacity(STEP), Vec::with_capacity(STEP));
    loop {
        expected.clear();
        actual.clear();
        let step = u64::try_from(STEP).unwrap_or(u64::MAX);
        ours.by_ref().take(step).read_to_end(&mut expected)?;
        found.by_ref().take(step).read_to_end(&mut actual)?;
        if expected != actual || expected.is_empty() {
            return Ok(expected == actual);
        }
    }
}

/// Renames, and replaces nothing. File systems that cannot do both at once are looked at first.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        result => return Ok(result?),
    }
    match to.symlink_metadata() {
        Ok(_) => Err(io::Error::from(io::ErrorKind::AlreadyExists)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn add(out: &mut OutputFolder, name: &str, content: &[u8]) -> StagedFile {
        let fill = |file: &mut dyn Write| {
            file.write_all(content).map_err(|source| ArchiveError::Io { path: name.into(), source })
        };
        out.add(name.as_ref(), fill).unwrap()
    }

    #[test]
    fn files_appear_together_or_not_at_all() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("new/out");
        let mut out = OutputFolder::create(&folder).unwrap();
        let longest = "x".repeat(255);
        let first = add(&mut out, "one", b"1");
        add(&mut out, &longest, b"long");
        out.add_copy("two".as_ref(), &first).unwrap();
        assert_eq!(names(&folder).len(), 1, "a folder for what is not whole");
        assert_eq!(out.commit().unwrap().len(), 3);
        assert_eq!(names(&folder), ["one", "two", &longest]);
        assert_eq!(fs::read(folder.join("two")).unwrap(), b"1");
        // Dropped, or one of them has no place: nothing is there but what was.
        let mut dropped = OutputFolder::create(&folder).unwrap();
        add(&mut dropped, "three", b"3");
        drop(dropped);
        let mut taken = OutputFolder::create(&folder).unwrap();
        for (name, content) in [("three", b"3"), ("one", b"x"), ("four", b"4")] {
            add(&mut taken, name, content);
        }
        let error = taken.commit().unwrap_err();
        assert!(matches!(&error, ArchiveError::Taken { path } if path.ends_with("one")), "{error}");
        assert_eq!(names(&folder), ["one", "two", &longest]);
        assert_eq!(fs::read(folder.join("one")).unwrap(), b"1");
    }

    #[test]
    fn what_is_there_already_may_stay_where_it_is_the_same() {
        let scratch = tempfile::tempdir().unwrap();
        let commit = |files: &[(&str, &[u8])]| {
            let mut out = OutputFolder::create(scratch.path()).unwrap();
            files.iter().for_each(|(name, content)| drop(add(&mut out, name, content)));
            out.commit()
        };
        let long = vec![7; 200_000];
        assert_eq!(commit(&[("long", &long), ("empty", b"")]).unwrap().len(), 2);
        let written = fs::metadata(scratch.path().join("long")).unwrap().ino();
        let paths = commit(&[("long", &long), ("empty", b""), ("new", b"new")]).unwrap();
        assert_eq!(paths, ["empty", "long", "new"].map(|name| scratch.path().join(name)));
        assert_eq!(fs::metadata(scratch.path().join("long")).unwrap().ino(), written, "it is the one that was there");
        // The last byte differs; a link to the same is no file; neither is a folder.
        let mut other = long.clone();
        other[199_999] = 8;
        std::os::unix::fs::symlink("new", scratch.path().join("link")).unwrap();
        fs::create_dir(scratch.path().join("folder")).unwrap();
        let before = names(scratch.path());
        for taken in
            [[("a", &b"a"[..]), ("long", &other)], [("a", b"a"), ("link", b"new")], [("a", b"a"), ("folder", b"")]]
        {
            assert!(matches!(commit(&taken), Err(ArchiveError::Taken { .. })), "{:?}", taken[1].0);
            assert_eq!(names(scratch.path()), before);
        }
        assert_eq!(fs::read(scratch.path().join("long")).unwrap(), long);
    }

    #[test]
    fn what_nobody_writes_to_is_removed_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let held = OutputFolder::create(scratch.path()).unwrap();
        for name in [".bulla-.partial", ".bulla-a-b.partial", ".bulla-abcdef", "bulla-abcdef.partial"] {
            fs::create_dir(scratch.path().join(name)).unwrap();
        }
        fs::write(scratch.path().join(".bulla-Ffffff.partial"), b"a file").unwrap();
        std::os::unix::fs::symlink(".bulla-abcdef", scratch.path().join(".bulla-Llllll.partial")).unwrap();
        let before = names(scratch.path());
        fs::create_dir(scratch.path().join(".bulla-Killed.partial")).unwrap();
        fs::write(scratch.path().join(".bulla-Killed.partial/0"), b"half").unwrap();
        let second = OutputFolder::create(scratch.path()).unwrap();
        assert!(held.stage.path().exists() && second.stage.path().exists());
        drop(second);
        assert_eq!(names(scratch.path()), before);
    }

    #[test]
    fn many_at_once_do_not_remove_each_other() {
        let scratch = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = scratch.path();
                scope.spawn(move || {
                    for round in 0..20 {
                        let mut out = OutputFolder::create(folder).unwrap();
                        add(&mut out, &format!("{thread}-{round}"), b"x");
                        assert_eq!(out.commit().unwrap().len(), 1);
                    }
                });
            }
        });
        assert_eq!(names(scratch.path()).len(), 160);
    }

    #[test]
    fn a_file_that_is_not_filled_has_no_place() {
        let scratch = tempfile::tempdir().unwrap();
        let mut out = OutputFolder::create(scratch.path()).unwrap();
        let broken = |_: &mut dyn Write| Err(ArchiveError::NotAFile { path: "x".into() });
        assert!(matches!(out.add("x".as_ref(), broken), Err(ArchiveError::NotAFile { .. })));
        assert_eq!(out.commit().unwrap(), Vec::<PathBuf>::new());
        assert!(names(scratch.path()).is_empty());
    }
}
