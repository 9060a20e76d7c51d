//! The trust store directories.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{ConfigError, ConfigFile, file};
use crate::limits::Limits;
use crate::pki::{Certificate, certificates_from_file};
use crate::trust::{StoreType, TrustStoreName, TrustStores};

/// The endings of certificate files (conformance 6.05).
const ENDINGS: [&str; 3] = ["pem", "crt", "cer"];

/// Trust stores, and what was passed over while they were read.
#[derive(Debug, Clone, Default)]
pub struct LoadedStores {
    /// The stores.
    pub stores: TrustStores,
    /// What was not read.
    pub ignored: Vec<IgnoredEntry>,
}

/// Something in a trust store that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredEntry {
    /// The store.
    pub store: TrustStoreName,
    /// The entry.
    pub path: PathBuf,
    /// Why it was not read.
    pub reason: IgnoredReason,
}

/// Why an entry was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// A directory inside a store (conformance 6.04).
    Directory,
    /// Not `.pem`, `.crt` or `.cer` (conformance 6.05).
    Ending,
}

impl fmt::Display for IgnoredEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            IgnoredReason::Directory => "it is a directory",
            IgnoredReason::Ending => "its name does not end in .pem, .crt or .cer",
        };
        write!(f, "{} in the trust store {} was not read: {reason}", self.path.display(), self.store)
    }
}

/// Reads the trust stores `wanted`, and no others. `dir` is Notation's configuration directory or a directory of the
/// operator's: the stores are below `truststore/x509`, `x509`, or `dir` itself, the first of these that has a directory
/// `ca`, `signingAuthority` or `tsa`.
///
/// The reference takes every file and stumbles over directories. The specification, which is followed here, takes `.pem`,
/// `.crt` and `.cer` and passes over directories; what is passed over is reported.
///
/// # Errors
/// A store is missing, empty or a link; it holds a link, or a file that is not entirely made of certificates that may be
/// in a store of its type (conformance 6.01 to 6.09).
pub fn load_trust_stores(dir: &Path, wanted: &[TrustStoreName], limits: &Limits) -> Result<LoadedStores, ConfigError> {
    let mut loaded = LoadedStores::default();
    if wanted.is_empty() {
        return Ok(loaded);
    }
    let root = find_root(dir)?;
    for store in wanted {
        if loaded.stores.get(store).is_some() {
            continue;
        }
        let path = root.join(store.kind().name()).join(store.name());
        let certificates = read_store(store, &path, limits, &mut loaded.ignored)?;
        let insert = loaded.stores.insert(store.clone(), certificates);
        insert.map_err(|source| ConfigError::Store { path, source })?;
    }
    Ok(loaded)
}

fn find_root(dir: &Path) -> Result<PathBuf, ConfigError> {
    [dir.join("truststore").join("x509"), dir.join("x509"), dir.to_owned()]
        .into_iter()
        .find(|root| StoreType::ALL.iter().any(|kind| root.join(kind.name()).is_dir()))
        .ok_or_else(|| ConfigError::NoStores { path: dir.to_owned() })
}

fn read_store(
    store: &TrustStoreName,
    path: &Path,
    limits: &Limits,
    ignored: &mut Vec<IgnoredEntry>,
) -> Result<Vec<Certificate>, ConfigError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(ConfigError::StoreNotADirectory { store: store.clone(), path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(ConfigError::StoreMissing { store: store.clone(), path: path.to_owned() });
        }
        Err(source) => return Err(ConfigError::Io { path: path.to_owned(), source }),
    }
    let mut certificates = Vec::new();
    for entry in sorted_entries(path)? {
        match reason_to_ignore(&entry)? {
            Some(reason) => ignored.push(IgnoredEntry { store: store.clone(), path: entry, reason }),
            None => certificates.extend(read_certificates(store, &entry, limits)?),
        }
    }
    Ok(certificates)
}

fn sorted_entries(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Io { path: path.to_owned(), source };
    let entries = fs::read_dir(path).map_err(failed)?;
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}

/// A link is never passed over, whatever its name: it is refused (conformance 6.02).
fn reason_to_ignore(path: &Path) -> Result<Option<IgnoredReason>, ConfigError> {
    let metadata = fs::symlink_metadata(path).map_err(|source| ConfigError::Io { path: path.to_owned(), source })?;
    if metadata.is_symlink() {
        return Err(ConfigError::NotAFile { path: path.to_owned(), wanted: ConfigFile::Certificate });
    }
    if metadata.is_dir() {
        return Ok(Some(IgnoredReason::Directory));
    }
    Ok((!has_certificate_ending(path)).then_some(IgnoredReason::Ending))
}

/// Whether a file of this name counts as one of certificates.
pub(super) fn has_certificate_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// The certificates of one file, each checked here so that an error names the file.
fn read_certificates(store: &TrustStoreName, path: &Path, limits: &Limits) -> Result<Vec<Certificate>, ConfigError> {
    let bytes = file::read(path, ConfigFile::Certificate, limits.certificate_bytes)?.unwrap_or_default();
    let certificates = certificates_from_file(&bytes, limits)
        .map_err(|source| ConfigError::Certificate { path: path.to_owned(), source })?;
    for certificate in &certificates {
        crate::trust::inspect_store_certificate(store, certificate)
            .map_err(|source| ConfigError::Store { path: path.to_owned(), source })?;
    }
    Ok(certificates)
}
