//! Changing what is installed: a plugin is put in its place whole, in one step. Whoever looks, and whoever comes back
//! after a crash, finds the old plugin or the new one.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{CWD, FlockOperation};
use rustix::io::Errno;
use tempfile::TempDir;

use super::directory::PluginDirectory;
use super::error::PluginError;
use crate::notary::plugin::PluginName;

/// What folders are called in which something is made ready or cleared away. No plugin can have such a name.
const ASIDE: &str = ".bulla-install ";

/// The right to change what is installed, which one process has at a time.
#[derive(Debug)]
pub struct PluginInstaller<'a> {
    directory: &'a PluginDirectory,
    /// The directory itself, locked: that leaves no file behind and ends with the process.
    _lock: File,
}

/// A folder beside the plugins, in which one is made ready. It is removed with what is in it, unless that is installed.
#[derive(Debug)]
pub struct StagedPlugin<'a> {
    directory: &'a PluginDirectory,
    folder: TempDir,
}

impl<'a> PluginInstaller<'a> {
    /// Makes the directory if it is not there, waits for others that change what is installed, and clears away what
    /// killed ones have left.
    ///
    /// # Errors
    /// The directory cannot be made or opened.
    pub fn of(directory: &'a PluginDirectory) -> Result<Self, PluginError> {
        let root = directory.path();
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(at(root))?;
        let lock = File::open(root).map_err(at(root))?;
        // Where there are no locks, others may be at work, and what looks abandoned may be theirs.
        if rustix::fs::flock(&lock, FlockOperation::LockExclusive).is_ok() {
            clear(root);
        }
        Ok(Self { directory, _lock: lock })
    }

    /// An empty folder for the files of a plugin.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn stage(&self) -> Result<StagedPlugin<'a>, PluginError> {
        let folder = aside(self.directory.path())?;
        Ok(StagedPlugin { directory: self.directory, folder })
    }

    /// Removes a plugin: it is there whole, or not at all.
    ///
    /// # Errors
    /// It is not there, is no folder, or cannot be removed.
    pub fn remove(&self, name: &PluginName) -> Result<(), PluginError> {
        let target = self.directory.folder(name);
        self.directory.check_folder(name)?;
        let gone = aside(self.directory.path())?;
        match fs::rename(&target, gone.path()) {
            Ok(()) => {
                sync(self.directory.path())?;
                gone.close().map_err(at(&target))
            }
            // A folder that belongs to a lower layer of an overlay cannot be renamed.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                fs::remove_dir_all(&target).map_err(at(&target))
            }
            Err(error) => Err(at(&target)(error)),
        }
    }
}

impl StagedPlugin<'_> {
    /// Where the files go.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder the plugin's name, in the place of whatever has it. What was there is removed.
    ///
    /// # Errors
    /// The folder cannot be put there. Then what was there is still there.
    pub fn install(self, name: &PluginName) -> Result<(), PluginError> {
        let target = self.directory.folder(name);
        let staged = self.folder.path();
        fs::set_permissions(staged, Permissions::from_mode(0o755)).map_err(at(staged))?;
        sync(staged)?;
        match exchange(staged, &target) {
            // Under the name of the folder is now what was there before.
            Ok(()) => {
                sync(self.directory.path())?;
                let old = self.folder.keep();
                remove(&old);
                Ok(())
            }
            Err(Errno::NOENT) => {
                fs::rename(staged, &target).map_err(at(&target))?;
                let _ = self.folder.keep();
                sync(self.directory.path())
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::XDEV) => {
                Err(PluginError::NotReplaceable { plugin: name.clone(), path: target })
            }
            Err(errno) => Err(at(&target)(errno.into())),
        }
    }
}

/// Two names for each other's content, in one step.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, one, CWD, other, rustix::fs::RenameFlags::EXCHANGE)
}

/// There is no such call here: only what is not there yet can be installed.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Path, other: &Path) -> Result<(), Errno> {
    rustix::fs::accessat(CWD, other, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
    Err(Errno::NOSYS)
}

fn at(path: &Path) -> impl Fn(io::Error) -> PluginError {
    let path = path.to_owned();
    move |source| PluginError::Unreadable { path: path.clone(), source }
}

fn aside(root: &Path) -> Result<TempDir, PluginError> {
    tempfile::Builder::new().prefix(ASIDE).tempdir_in(root).map_err(at(root))
}

fn sync(folder: &Path) -> Result<(), PluginError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

/// Removes what nobody works at any more: the caller holds the lock. To fail at it harms nothing.
fn clear(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE) {
            remove(&entry.path());
        }
    }
}

/// Removes a file, a link (not what it leads to) or a folder. What is left, the next installation clears away.
fn remove(path: &Path) {
    let is_folder = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn name() -> PluginName {
        PluginName::new("vault").unwrap()
    }

    fn install(directory: &PluginDirectory, content: &str) {
        let installer = PluginInstaller::of(directory).unwrap();
        let staged = installer.stage().unwrap();
        fs::write(staged.path().join(name().program()), content).unwrap();
        fs::write(staged.path().join(content), "").unwrap();
        staged.install(&name()).unwrap();
    }

    fn installed(directory: &PluginDirectory) -> String {
        assert!(directory.find(&name()).is_ok());
        fs::read_to_string(directory.folder(&name()).join(name().program())).unwrap()
    }

    /// Everything that lies among the plugins.
    fn entries(directory: &PluginDirectory) -> Vec<String> {
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn whoever_looks_finds_the_old_or_the_new() {
        let libexec = tempfile::tempdir().unwrap();
        let directory = PluginDirectory::of_libexec(libexec.path());
        install(&directory, "0");
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0_u32;
                while !done.load(Ordering::Relaxed) {
                    // There always is one, and what is seen of it is of one version.
                    let folder = File::open(directory.folder(&name())).unwrap();
                    let open = |file: &str| {
                        rustix::fs::openat(&folder, file, rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())
                    };
                    match open(&name().program()) {
                        Ok(file) => {
                            let version = io::read_to_string(File::from(file)).unwrap();
                            assert!(version.parse::<u32>().is_ok(), "half a program: {version:?}");
                        }
                        // It was replaced, and is being cleared away.
                        Err(errno) => assert_eq!(errno, Errno::NOENT),
                    }
                    reads += 1;
                }
                reads
            });
            for version in 1..=60 {
                install(&directory, &version.to_string());
            }
            done.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() > 0);
        });
        assert_eq!(installed(&directory), "60");
        // The program and the one companion of the last, of no other.
        assert_eq!(fs::read_dir(directory.folder(&name())).unwrap().count(), 2);
        assert_eq!(entries(&directory), ["vault"]);
    }

    #[test]
    fn what_a_killed_one_leaves_is_cleared_away_by_the_next() {
        let libexec = tempfile::tempdir().unwrap();
        let directory = PluginDirectory::of_libexec(libexec.path());
        install(&directory, "1");
        let killed = |installed: bool| {
            let installer = PluginInstaller::of(&directory).unwrap();
            let staged = installer.stage().unwrap();
            fs::write(staged.path().join(name().program()), "half").unwrap();
            if installed {
                // The last moment: the names are exchanged, the old files are still there.
                exchange(staged.path(), &directory.folder(&name())).unwrap();
            }
            std::mem::forget(staged);
        };
        killed(false);
        assert_eq!(entries(&directory).len(), 2);
        assert_eq!(installed(&directory), "1");
        killed(true);
        assert_eq!(entries(&directory).len(), 2, "the first one's is gone already");
        assert_eq!(installed(&directory), "half");
        // A link of that name is removed, not what it leads to.
        fs::write(libexec.path().join("outside"), "x").unwrap();
        let link = directory.path().join(format!("{ASIDE}link"));
        std::os::unix::fs::symlink(libexec.path().join("outside"), link).unwrap();
        install(&directory, "2");
        assert_eq!(entries(&directory), ["vault"]);
        assert!(libexec.path().join("outside").exists());
    }

    #[test]
    fn links_and_files_give_way_and_removal_is_whole() {
        let libexec = tempfile::tempdir().unwrap();
        let directory = PluginDirectory::of_libexec(libexec.path());
        fs::create_dir_all(directory.path()).unwrap();
        fs::write(libexec.path().join("outside"), "x").unwrap();
        let target = directory.folder(&name());
        std::os::unix::fs::symlink(libexec.path(), &target).unwrap();
        install(&directory, "1");
        fs::remove_dir_all(&target).unwrap();
        fs::write(&target, "a file").unwrap();
        install(&directory, "2");
        assert!(directory.find(&name()).is_ok() && libexec.path().join("outside").exists());
        let installer = PluginInstaller::of(&directory).unwrap();
        installer.remove(&name()).unwrap();
        assert!(matches!(installer.remove(&name()), Err(PluginError::Missing { .. })));
        std::os::unix::fs::symlink(libexec.path(), &target).unwrap();
        assert!(matches!(installer.remove(&name()), Err(PluginError::NotRegular { .. })));
        assert_eq!(entries(&directory), ["vault"]);
    }
}
