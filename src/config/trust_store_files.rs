//! The files of the trust stores as the operator manages them: added, listed, shown and deleted (conformance 6.01, 13.13).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::write::{self, Readers, WriteError};
use super::{ConfigDirectory, ConfigError, ConfigFile, file, trust_store};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::limits::Limits;
use crate::pki::{Certificate, certificates_from_file};
use crate::trust::{StoreType, TrustStoreName, inspect_store_certificate};

/// The trust stores of one configuration directory.
#[derive(Debug, Clone)]
pub struct TrustStoreFiles {
    root: PathBuf,
}

/// A file of a trust store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// The store.
    pub store: TrustStoreName,
    /// The name of the file in it.
    pub name: String,
}

impl TrustStoreFiles {
    /// The stores of that directory; nothing need be there.
    pub fn of(directory: &ConfigDirectory) -> Self {
        Self { root: directory.path().join("truststore").join("x509") }
    }

    /// Where a store has its files.
    pub fn path(&self, store: &TrustStoreName) -> PathBuf {
        self.root.join(store.kind().name()).join(store.name())
    }

    /// Copies a certificate file into a store, under its own name. The file may be reached through a link: the operator
    /// names it. Returns where it is now.
    ///
    /// # Errors
    /// It holds anything but certificates that may be in such a store, or the store has a file of that name.
    pub fn add(&self, store: &TrustStoreName, source: &Path, limits: &Limits) -> Result<PathBuf, TrustStoreFileError> {
        let read = |source_error| ConfigError::Io { path: source.to_owned(), source: source_error };
        let real = fs::canonicalize(source).map_err(read)?;
        let bytes = file::read(&real, ConfigFile::Certificate, limits.certificate_bytes)?
            .ok_or_else(|| read(ErrorKind::NotFound.into()))?;
        let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.put(store, name, &bytes, source, limits)
    }

    /// Writes a certificate file into a store.
    ///
    /// # Errors
    /// As [`TrustStoreFiles::add`].
    pub fn create(
        &self,
        store: &TrustStoreName,
        name: &str,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<PathBuf, TrustStoreFileError> {
        self.put(store, name, bytes, Path::new(name), limits)
    }

    fn put(
        &self,
        store: &TrustStoreName,
        name: &str,
        bytes: &[u8],
        shown: &Path,
        limits: &Limits,
    ) -> Result<PathBuf, TrustStoreFileError> {
        inspect(store, bytes, shown, limits)?;
        let path = self.file(store, name)?;
        let folder = self.path(store);
        if fs::symlink_metadata(&folder).is_ok_and(|found| !found.is_dir()) {
            return Err(ConfigError::StoreNotADirectory { store: store.clone(), path: folder }.into());
        }
        write::create(&path, bytes, Readers::Owner)?;
        Ok(path)
    }

    /// Where the file of that name is. The name leads nowhere else, and hides nothing.
    fn file(&self, store: &TrustStoreName, name: &str) -> Result<PathBuf, TrustStoreFileError> {
        if name.is_empty() || name.starts_with('.') || name.contains('/') || name.chars().any(char::is_control) {
            return Err(TrustStoreFileError::Name { name: shorten(name) });
        }
        Ok(self.path(store).join(name))
    }

    /// Every regular file of every store, by type, store and name. What is hidden or no file is left out, and so is a
    /// directory that no store may be called.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn list(&self) -> Result<Vec<StoredFile>, TrustStoreFileError> {
        let mut found = Vec::new();
        for kind in StoreType::ALL {
            for store in names(&self.root.join(kind.name()), EntryKind::Directory)? {
                let Ok(store) = format!("{kind}:{store}").parse::<TrustStoreName>() else { continue };
                let files = names(&self.path(&store), EntryKind::File)?;
                found.extend(files.into_iter().map(|name| StoredFile { store: store.clone(), name }));
            }
        }
        Ok(found)
    }

    /// The certificates in a file of a store.
    ///
    /// # Errors
    /// There is no such file, it is a link, or it holds something else.
    pub fn read(
        &self,
        store: &TrustStoreName,
        name: &str,
        limits: &Limits,
    ) -> Result<Vec<Certificate>, TrustStoreFileError> {
        let path = self.file(store, name)?;
        let bytes = file::read(&path, ConfigFile::Certificate, limits.certificate_bytes)?
            .ok_or_else(|| TrustStoreFileError::Missing { path: path.clone() })?;
        certificates_from_file(&bytes, limits).map_err(|source| ConfigError::Certificate { path, source }.into())
    }

    /// Deletes a file of a store, and the store's directory if nothing is left in it.
    ///
    /// # Errors
    /// There is no such file, or it cannot be removed.
    pub fn delete(&self, store: &TrustStoreName, name: &str) -> Result<(), TrustStoreFileError> {
        let path = self.file(store, name)?;
        if !write::remove(&path)? {
            return Err(TrustStoreFileError::Missing { path });
        }
        let folder = self.path(store);
        match fs::remove_dir(&folder) {
            Err(error) if !matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::NotFound) => {
                Err(WriteError::at(&folder)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Deletes a store with all that is in it.
    ///
    /// # Errors
    /// There is no such store, or it cannot be removed.
    pub fn delete_all(&self, store: &TrustStoreName) -> Result<(), TrustStoreFileError> {
        let folder = self.path(store);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(ConfigError::StoreNotADirectory { store: store.clone(), path: folder }.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(TrustStoreFileError::Missing { path: folder });
            }
            Err(error) => return Err(WriteError::at(&folder)(error).into()),
        }
        Ok(fs::remove_dir_all(&folder).map_err(WriteError::at(&folder))?)
    }
}

impl StoredFile {
    /// Whether verification reads it: what does not end in `.pem`, `.crt` or `.cer` is passed over (conformance 6.05).
    pub fn is_read(&self) -> bool {
        trust_store::has_certificate_ending(Path::new(&self.name))
    }
}

/// Checks what a store of this type may hold (conformance 6.06 to 6.08) before it gets there.
fn inspect(store: &TrustStoreName, bytes: &[u8], shown: &Path, limits: &Limits) -> Result<(), ConfigError> {
    let path = || shown.to_owned();
    let certificates =
        certificates_from_file(bytes, limits).map_err(|source| ConfigError::Certificate { path: path(), source })?;
    certificates.iter().try_for_each(|certificate| {
        inspect_store_certificate(store, certificate).map_err(|source| ConfigError::Store { path: path(), source })
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Directory,
}

/// The names in a directory, sorted; none if there is no such directory.
fn names(folder: &Path, kind: EntryKind) -> Result<Vec<String>, TrustStoreFileError> {
    let failed = |source| ConfigError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(failed(error).into()),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let found = entry.file_type().map_err(failed)?;
        let fits = if kind == EntryKind::File { found.is_file() } else { found.is_dir() };
        if let Ok(name) = entry.file_name().into_string()
            && fits
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Why a trust store was not changed or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustStoreFileError {
    /// Reading failed, or what was read may not be there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Writing failed.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No name of a file.
    #[error("{name:?} cannot be the name of a file in a trust store")]
    Name {
        /// The name.
        name: String,
    },
    /// No such file or store.
    #[error("there is no {}", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
}

impl Diagnostic for TrustStoreFileError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Config(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Name { .. } => DiagnosticCode::UsageInvalid,
            Self::Missing { .. } => DiagnosticCode::NotFound,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Name { .. } => Some("give the file's name alone, as the list shows it".into()),
            Self::Missing { .. } => Some("list the trust stores to see what is there".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// An authority of openssl's.
    fn root() -> Vec<u8> {
        ROOT.as_bytes().to_vec()
    }

    const ROOT: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIB2DCCAX2gAwIBAgIUFok5hY7Eiv+/hnkaK2QBUA/KbJ4wCgYIKoZIzj0EAwIw\n\
        ODELMAkGA1UEBhMCVVMxCzAJBgNVBAgMAldBMQ0wCwYDVQQKDARBY21lMQ0wCwYD\n\
        VQQDDARSb290MCAXDTI2MTEyMjAxMDU0M1oYDzIxMjYxMDI5MDEwNTQzWjA4MQsw\n\
        CQYDVQQGEwJVUzELMAkGA1UECAwCV0ExDTALBgNVBAoMBEFjbWUxDTALBgNVBAMM\n\
        BFJvb3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQBW0lslDlNYI56usMFQaxx\n\
        vuncu3fFF2TNWb8kSrEJxJIPHSC+qYL0qMk/urw2h5cF6u1R3v7TPNFd4Nk7wafr\n\
        o2MwYTAdBgNVHQ4EFgQULELPJc6nPhznZMKqV9fspXKeDlwwHwYDVR0jBBgwFoAU\n\
        LELPJc6nPhznZMKqV9fspXKeDlwwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8E\n\
        BAMCAQYwCgYIKoZIzj0EAwIDSQAwRgIhAOlCaregFEv+YZLl2sPER5pcCSTVKh9p\n\
        iZmzbRp0HU/TAiEAwiXY1xfdY6BLEakmdbN+cTJ/sQaU5OkKpxg2Est5TtI=\n\
        -----END CERTIFICATE-----\n";

    fn stores() -> (tempfile::TempDir, TrustStoreFiles) {
        let home = tempfile::tempdir().unwrap();
        let files = TrustStoreFiles::of(&ConfigDirectory::at(home.path().join("config")));
        (home, files)
    }

    #[test]
    fn files_are_copied_listed_and_deleted() {
        // Conformance 6.01, 13.13.
        let (home, files) = stores();
        let limits = Limits::default();
        let store: TrustStoreName = "ca:acme".parse().unwrap();
        let source = home.path().join("root.pem");
        fs::write(&source, root()).unwrap();
        assert_eq!(files.list().unwrap(), []);
        let path = files.add(&store, &source, &limits).unwrap();
        assert_eq!(path, home.path().join("config/truststore/x509/ca/acme/root.pem"));
        assert_eq!(fs::read(&path).unwrap(), fs::read(&source).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let twice = files.add(&store, &source, &limits).unwrap_err();
        assert_eq!(twice.code(), DiagnosticCode::AlreadyExists);
        assert_eq!(files.list().unwrap(), [StoredFile { store: store.clone(), name: "root.pem".into() }]);
        assert_eq!(files.read(&store, "root.pem", &limits).unwrap().len(), 1);
        files.delete(&store, "root.pem").unwrap();
        assert!(!path.parent().unwrap().exists(), "an emptied store goes");
        assert_eq!(files.delete(&store, "root.pem").unwrap_err().code(), DiagnosticCode::NotFound);
        files.add(&store, &source, &limits).unwrap();
        files.delete_all(&store).unwrap();
        assert_eq!(files.list().unwrap(), []);
        assert_eq!(files.delete_all(&store).unwrap_err().code(), DiagnosticCode::NotFound);
    }

    #[test]
    fn what_may_not_be_there_does_not_get_there() {
        let (home, files) = stores();
        let limits = Limits::default();
        let store: TrustStoreName = "ca:acme".parse().unwrap();
        let source = home.path().join("key.pem");
        fs::write(&source, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert_eq!(files.add(&store, &source, &limits).unwrap_err().code(), DiagnosticCode::TrustStoreInvalid);
        assert_eq!(files.add(&store, &home.path().join("x"), &limits).unwrap_err().code(), DiagnosticCode::NotFound);
        for name in ["", ".", "..", "../x.pem", "a/b.pem", ".hidden", "a\nb"] {
            let error = files.create(&store, name, &root(), &limits).unwrap_err();
            assert!(matches!(error, TrustStoreFileError::Name { .. }), "{name:?}: {error}");
            assert!(matches!(files.delete(&store, name), Err(TrustStoreFileError::Name { .. })), "{name:?}");
        }
        assert_eq!(files.list().unwrap(), []);
    }

    #[test]
    fn links_are_neither_followed_nor_listed() {
        // Conformance 6.02.
        let (home, files) = stores();
        let limits = Limits::default();
        let store: TrustStoreName = "ca:acme".parse().unwrap();
        let theirs = home.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("root.pem"), root()).unwrap();
        fs::create_dir_all(files.path(&store).parent().unwrap()).unwrap();
        symlink(&theirs, files.path(&store)).unwrap();
        assert_eq!(files.list().unwrap(), []);
        assert!(files.create(&store, "x.pem", &root(), &limits).is_err());
        assert!(files.delete_all(&store).is_err());
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
        // The operator may name a link as the source.
        symlink(theirs.join("root.pem"), home.path().join("link.pem")).unwrap();
        files.add(&"ca:other".parse().unwrap(), &home.path().join("link.pem"), &limits).unwrap();
    }
}
