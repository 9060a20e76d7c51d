//! Where the operator's configuration is (conformance 13.01).

use std::path::{Path, PathBuf};

use super::ConfigError;

/// What the environment says about directories. The library reads no environment; the program fills this in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigRoots {
    /// `NOTATION_CONFIG`
    pub notation_config: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`
    pub xdg_config_home: Option<PathBuf>,
    /// `HOME`
    pub home: Option<PathBuf>,
}

/// Notation's configuration directory. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigDirectory(PathBuf);

impl ConfigDirectory {
    /// `NOTATION_CONFIG`, else `notation` in `XDG_CONFIG_HOME`, else `.config/notation` in `HOME`. Empty values count as
    /// absent, and so does an `XDG_CONFIG_HOME` that is not absolute (XDG Base Directory Specification).
    ///
    /// # Errors
    /// Nothing says where it is. Unlike the reference, bulla does not look in the working directory: whoever can write
    /// there would decide what is trusted.
    pub fn locate(roots: &ConfigRoots) -> Result<Self, ConfigError> {
        let filled = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        let xdg = filled(&roots.xdg_config_home).filter(|path| path.is_absolute());
        filled(&roots.notation_config)
            .or_else(|| xdg.map(|path| path.join("notation")))
            .or_else(|| filled(&roots.home).map(|path| path.join(".config").join("notation")))
            .map(Self)
            .ok_or(ConfigError::NoDirectory)
    }

    /// A directory that the operator named.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_asked_in_order() {
        // Conformance 13.01.
        let some = |text: &str| Some(PathBuf::from(text));
        for (notation, xdg, home, wanted) in [
            (some("/n"), some("/x"), some("/h"), "/n"),
            (some("relative"), None, None, "relative"),
            (None, some("/x"), some("/h"), "/x/notation"),
            (some(""), some(""), some("/h"), "/h/.config/notation"),
            (None, some("relative"), some("/h"), "/h/.config/notation"),
        ] {
            let roots = ConfigRoots { notation_config: notation, xdg_config_home: xdg, home };
            assert_eq!(ConfigDirectory::locate(&roots).unwrap().path(), Path::new(wanted));
        }
        assert!(ConfigDirectory::locate(&ConfigRoots::default()).is_err(), "never the working directory");
    }
}
