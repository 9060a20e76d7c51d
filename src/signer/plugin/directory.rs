//! Where plugins lie: `plugins/NAME/notation-NAME` in Notation's libexec directory (conformance 11.01).

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use super::error::PluginError;
use super::process::{Bounds, Plugin};
use crate::notary::plugin::PluginName;

/// The folder in which all plugins are installed. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginDirectory(PathBuf);

/// A folder among the plugins.
#[derive(Debug)]
pub struct InstalledPlugin {
    /// Its name.
    pub name: PluginName,
    /// Its program, or why there is none.
    pub plugin: Result<Plugin, PluginError>,
}

impl PluginDirectory {
    /// The plugins of a libexec directory (conformance 11.01).
    pub fn of_libexec(libexec: &Path) -> Self {
        Self(libexec.join("plugins"))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of one plugin.
    pub fn folder(&self, name: &PluginName) -> PathBuf {
        self.0.join(name.as_str())
    }

    /// The plugin of that name. Neither its folder nor its program may be a link (conformance 11.02, stricter than the
    /// reference): what runs is what was installed there.
    ///
    /// # Errors
    /// It is not there, or is no regular file.
    pub fn find(&self, name: &PluginName) -> Result<Plugin, PluginError> {
        let program = self.check_folder(name)?.join(name.program());
        if !self.kind(name, &program)?.is_file() {
            return Err(PluginError::NotRegular { path: program });
        }
        Ok(Plugin::new(name.clone(), program, Bounds::default()))
    }

    /// The folder of a plugin, which is there and no link, whatever is in it.
    ///
    /// # Errors
    /// It is not there, or is no folder.
    pub fn check_folder(&self, name: &PluginName) -> Result<PathBuf, PluginError> {
        let folder = self.folder(name);
        match self.kind(name, &folder)?.is_dir() {
            true => Ok(folder),
            false => Err(PluginError::NotRegular { path: folder }),
        }
    }

    fn kind(&self, name: &PluginName, path: &Path) -> Result<FileType, PluginError> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(metadata.file_type()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(PluginError::Missing { plugin: name.clone(), folder: self.0.clone() })
            }
            Err(source) => Err(PluginError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Every folder with the name of a plugin, by name; links are passed over (conformance 11.02).
    ///
    /// # Errors
    /// The directory is there and cannot be read.
    pub fn list(&self) -> Result<Vec<InstalledPlugin>, PluginError> {
        let unreadable = |source| PluginError::Unreadable { path: self.0.clone(), source };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            if !entry.file_type().map_err(unreadable)?.is_dir() {
                continue;
            }
            if let Some(name) = entry.file_name().to_str().and_then(|name| PluginName::new(name).ok()) {
                let plugin = self.find(&name);
                found.push(InstalledPlugin { name, plugin });
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_a_regular_file_in_a_folder_of_its_name() {
        // Conformance 11.01, 11.02, 14.16.
        let libexec = tempfile::tempdir().unwrap();
        let plugins = PluginDirectory::of_libexec(libexec.path());
        let name = |text: &str| PluginName::new(text).unwrap();
        assert!(plugins.list().unwrap().is_empty());
        assert!(matches!(plugins.find(&name("a")), Err(PluginError::Missing { .. })));
        let folder = libexec.path().join("plugins/a");
        fs::create_dir_all(&folder).unwrap();
        assert!(matches!(plugins.find(&name("a")), Err(PluginError::Missing { .. })));
        fs::write(folder.join("notation-a"), "x").unwrap();
        assert!(plugins.find(&name("a")).is_ok());
        // Links to either, and what is no file at all.
        let link = |from: &Path, to: &str| std::os::unix::fs::symlink(from, libexec.path().join(to)).unwrap();
        link(&folder, "plugins/b");
        fs::create_dir_all(libexec.path().join("plugins/c")).unwrap();
        link(&folder.join("notation-a"), "plugins/c/notation-c");
        fs::create_dir_all(libexec.path().join("plugins/d/notation-d")).unwrap();
        fs::write(libexec.path().join("plugins/e"), "x").unwrap();
        for bad in ["b", "c", "d", "e"] {
            assert!(matches!(plugins.find(&name(bad)), Err(PluginError::NotRegular { .. })), "{bad}");
        }
        let listed: Vec<_> = plugins.list().unwrap().into_iter().map(|one| (one.name, one.plugin.is_ok())).collect();
        assert_eq!(listed, [(name("a"), true), (name("c"), false), (name("d"), false)]);
    }
}
