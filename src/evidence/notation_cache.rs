//! Notation's file cache of CRLs, filled from what was carried: stock Notation then checks revocation without a network
//! (conformance 10.30 to 10.34).
//!
//! Notation verifies a CRL's signature and times on each use, so what lies in the cache is a claim like any other
//! evidence: a wrong one makes a verification fail and never succeed. It does not look at scopes, and does not notice a
//! delta CRL in the place of a base; so no delta is ever written as one.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::digest::Digest;
use crate::json::{self, JsonError, Object};
use crate::limits::Limits;
use crate::pki::{Crl, SerialNumber};
use crate::time::UnixTime;

/// A base CRL and, where there is one, the delta CRL that brings it up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheEntry {
    /// The complete CRL.
    pub base: Crl,
    /// The newest changes.
    pub delta: Option<Crl>,
}

impl CacheEntry {
    /// Until when Notation makes use of it: it passes over an entry of which either part has expired, and one without
    /// `nextUpdate` is an error to it (conformance 10.32).
    pub fn current_until(&self) -> Option<UnixTime> {
        match &self.delta {
            None => self.base.next_update(),
            Some(delta) => Some(self.base.next_update()?.min(delta.next_update()?)),
        }
    }

    /// Entries of one issuer are ordered by this: the greater knows more.
    fn age(&self) -> (Age<'_>, Option<Age<'_>>) {
        (age(&self.base), self.delta.as_ref().map(age))
    }
}

type Age<'a> = (UnixTime, Option<(usize, &'a [u8])>);

/// When a CRL was issued; where that is the same second, its number decides.
pub(crate) fn age(crl: &Crl) -> Age<'_> {
    (crl.this_update(), number(crl.number()))
}

/// A CRL number in an order that is that of numbers: DER integers are minimal, so the longer is the greater. Negative
/// ones are none.
pub(crate) fn number(number: Option<&SerialNumber>) -> Option<(usize, &[u8])> {
    let octets = number?.as_bytes();
    octets.first().is_some_and(|first| *first < 0x80).then_some((octets.len(), octets))
}

/// What to do where the cache has a CRL for the URL already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// Replace older ones of the same issuer, and what cannot be read.
    #[default]
    Older,
    /// Replace everything.
    Everything,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It was written.
    Written,
    /// The cache had it.
    Present,
    /// The cache has this newer one, which was kept.
    KeptNewer(Box<CacheEntry>),
    /// The cache has one of this other issuer, which was kept.
    KeptForeign(String),
}

/// The folder that holds the cache's files.
#[derive(Debug, Clone)]
pub struct NotationCache {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "baseCRL")]
    base: String,
    #[serde(rename = "deltaCRL", default, skip_serializing_if = "Option::is_none")]
    delta: Option<String>,
}

impl NotationCache {
    /// The cache in `root`, Notation's cache directory; folders that do not exist are made, for their owner alone.
    ///
    /// # Errors
    /// They cannot be made.
    pub fn open(root: &Path) -> Result<Self, NotationCacheError> {
        let folder = root.join("crl");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| NotationCacheError::Io { path: folder.clone(), source })?;
        Ok(Self { folder })
    }

    /// The file for a URL, which is taken byte by byte as the certificate has it.
    pub fn path_of(&self, url: &str) -> PathBuf {
        self.folder.join(Digest::sha256(url.as_bytes()).hex())
    }

    /// Writes the entry for `url`, if `overwrite` allows it.
    ///
    /// # Errors
    /// Reading or writing fails.
    pub fn store(
        &self,
        url: &str,
        entry: &CacheEntry,
        overwrite: Overwrite,
        limits: &Limits,
    ) -> Result<Stored, NotationCacheError> {
        let path = self.path_of(url);
        let known = read(&path, limits).map_err(|source| NotationCacheError::Io { path: path.clone(), source })?;
        if let Some(known) = known {
            if known == *entry {
                return Ok(Stored::Present);
            }
            if overwrite == Overwrite::Older {
                if known.base.issuer() != entry.base.issuer() {
                    return Ok(Stored::KeptForeign(known.base.issuer().to_string()));
                }
                if known.age() > entry.age() {
                    return Ok(Stored::KeptNewer(Box::new(known)));
                }
            }
        }
        self.write(&path, entry)?;
        Ok(Stored::Written)
    }

    /// Under a temporary name first, of the kind that Notation gives, so that it never reads half a file.
    fn write(&self, path: &Path, entry: &CacheEntry) -> Result<(), NotationCacheError> {
        let document = Document {
            base: STANDARD.encode(entry.base.der()),
            delta: entry.delta.as_ref().map(|delta| STANDARD.encode(delta.der())),
        };
        let bytes = json::to_vec(&document)?;
        let io = |source| NotationCacheError::Io { path: path.to_owned(), source };
        let mut file = tempfile::Builder::new().prefix("notation-").tempfile_in(&self.folder).map_err(io)?;
        file.write_all(&bytes).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(path).map_err(|error| io(error.error))?;
        Ok(())
    }
}

/// What lies in the cache; `None` is nothing that could be of use to Notation.
fn read(path: &Path, limits: &Limits) -> io::Result<Option<CacheEntry>> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {}
        // A link is replaced by a file; a folder makes the renaming fail, which says so.
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    // Two CRLs in Base64, which is a third longer.
    let limit = limits.crl_bytes.saturating_mul(3);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<CacheEntry> {
    let Object(document): Object<Document> = json::from_slice(bytes).ok()?;
    let crl = |text: &String| Crl::from_der(STANDARD.decode(text).ok()?).ok();
    let delta = match &document.delta {
        Some(text) => Some(crl(text)?),
        None => None,
    };
    Some(CacheEntry { base: crl(&document.base)?, delta })
}

/// Why the cache could not be filled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotationCacheError {
    /// Reading or writing failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A document of our own could not be written.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl Diagnostic for NotationCacheError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Io { source, .. } => io_code(source),
            Self::Json(error) => error.code(),
        }
    }
}
