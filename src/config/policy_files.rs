//! The trust policy files as the operator manages them: imported and shown (conformance 7.01, 7.02, 13.11).

use std::path::{Path, PathBuf};

use super::write::{self, Readers, WriteError};
use super::{ConfigDirectory, ConfigError, ConfigFile, file, policy};
use crate::limits::Limits;
use crate::trust::{BlobPolicyDocument, PolicyDocument, PolicyError, PolicyKind};

/// The files of one kind of trust policy in a configuration directory.
#[derive(Debug, Clone)]
pub struct PolicyFiles {
    directory: PathBuf,
    kind: PolicyKind,
}

/// A policy as it is written, whatever it is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyText {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl PolicyFiles {
    /// The policies of that kind in a directory; nothing need be there.
    pub fn of(directory: &ConfigDirectory, kind: PolicyKind) -> Self {
        Self { directory: directory.path().to_owned(), kind }
    }

    const fn names(&self) -> &'static [&'static str] {
        match self.kind {
            PolicyKind::Oci => &policy::NAMES,
            PolicyKind::Blob => &policy::BLOB_NAMES,
        }
    }

    /// Reads a policy that the operator names, which may be reached through a link.
    ///
    /// # Errors
    /// It cannot be read, or is too large.
    pub fn read_source(path: &Path, limits: &Limits) -> Result<Vec<u8>, ConfigError> {
        let failed = |source| ConfigError::Io { path: path.to_owned(), source };
        let real = std::fs::canonicalize(path).map_err(failed)?;
        let bytes = file::read(&real, ConfigFile::Policy, limits.config_bytes)?;
        bytes.ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
    }

    /// The policy in use: of the newer name, else of the older.
    ///
    /// # Errors
    /// It is a link or no file, too large, or cannot be read.
    pub fn read(&self, limits: &Limits) -> Result<Option<PolicyText>, ConfigError> {
        for name in self.names() {
            let path = self.directory.join(name);
            if let Some(bytes) = file::read(&path, ConfigFile::Policy, limits.config_bytes)? {
                return Ok(Some(PolicyText { path, bytes }));
            }
        }
        Ok(None)
    }

    /// Where the policy is written: under the name that is in use, or else under the oldest, which every Notation reads
    /// (Notation 1 knows no other; its successor falls back to it).
    pub fn path(&self) -> PathBuf {
        let mut places = self.names().iter().map(|name| self.directory.join(name));
        let oldest = self.directory.join(self.names().last().copied().unwrap_or_default());
        places.find(|place| place.symlink_metadata().is_ok()).unwrap_or(oldest)
    }

    /// Checks a policy as verification would.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, bytes: &[u8]) -> Result<(), PolicyError> {
        match self.kind {
            PolicyKind::Oci => PolicyDocument::parse(bytes).map(drop),
            PolicyKind::Blob => BlobPolicyDocument::parse(bytes).map(drop),
        }
    }

    /// Takes a policy into use in place of the one that may be there: writes it to [`PolicyFiles::path`], and removes what
    /// is under another name. Returns where it is now.
    ///
    /// # Errors
    /// The files cannot be written. Whether the policy is valid is for [`PolicyFiles::check`] to say first.
    pub fn write(&self, bytes: &[u8]) -> Result<PathBuf, WriteError> {
        let path = self.path();
        write::replace(&path, bytes, Readers::Owner)?;
        for other in self.names().iter().map(|name| self.directory.join(name)).filter(|other| *other != path) {
            write::remove(&other)?;
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_policy_takes_the_place_of_the_one_in_use() {
        // Conformance 13.11.
        let home = tempfile::tempdir().unwrap();
        let directory = ConfigDirectory::at(home.path().join("config"));
        let limits = Limits::default();
        let files = PolicyFiles::of(&directory, PolicyKind::Oci);
        assert_eq!(files.read(&limits).unwrap(), None);
        assert!(files.path().ends_with("trustpolicy.json"), "every Notation reads that");
        fs::create_dir(directory.path()).unwrap();
        let old = directory.path().join("trustpolicy.json");
        fs::write(&old, "old").unwrap();
        assert_eq!(files.read(&limits).unwrap().unwrap(), PolicyText { path: old.clone(), bytes: b"old".to_vec() });
        assert_eq!(files.write(PolicyDocument::EXAMPLE.as_bytes()).unwrap(), old);
        let new = directory.path().join("trustpolicy.oci.json");
        fs::write(&new, "new").unwrap();
        assert_eq!(files.read(&limits).unwrap().unwrap(), PolicyText { path: new.clone(), bytes: b"new".to_vec() });
        let path = files.write(PolicyDocument::EXAMPLE.as_bytes()).unwrap();
        assert_eq!(path, new);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!old.exists());
        assert_eq!(files.read(&limits).unwrap().unwrap().path, path);
        assert!(files.check(PolicyDocument::EXAMPLE.as_bytes()).is_ok());
        assert!(files.check(BlobPolicyDocument::EXAMPLE.as_bytes()).is_err());
        // The policies of the two kinds leave each other alone.
        let blob = PolicyFiles::of(&directory, PolicyKind::Blob);
        blob.write(BlobPolicyDocument::EXAMPLE.as_bytes()).unwrap();
        assert!(blob.check(BlobPolicyDocument::EXAMPLE.as_bytes()).is_ok());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_is_not_written_through() {
        let home = tempfile::tempdir().unwrap();
        let files = PolicyFiles::of(&ConfigDirectory::at(home.path()), PolicyKind::Oci);
        let theirs = home.path().join("theirs");
        fs::write(&theirs, "theirs").unwrap();
        std::os::unix::fs::symlink(&theirs, files.path()).unwrap();
        assert!(matches!(files.write(b"x"), Err(WriteError::NotAFile { .. })));
        assert!(files.read(&Limits::default()).is_err());
        assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
        assert_eq!(PolicyFiles::read_source(&files.path(), &Limits::default()).unwrap(), b"theirs");
    }
}
