//! CRLs that the operator supplies from disk.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::code::{Diagnostic, DiagnosticCode, io_code};
use crate::limits::Limits;
use crate::pki::{Crl, CrlError, crls_from_file};

/// Reads every CRL of a file, or of the files directly in a directory (PEM or DER).
///
/// # Errors
/// A file cannot be read or holds something else. In a directory too: a CRL that the operator counts on must not go
/// missing silently.
pub fn load_crls(path: &Path, limits: &Limits) -> Result<Vec<Crl>, EvidenceFileError> {
    let io = |source| EvidenceFileError::Io { path: path.to_owned(), source };
    if !path.metadata().map_err(io)?.is_dir() {
        return load_file(path, limits);
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in path.read_dir().map_err(io)? {
        let file = entry.map_err(io)?.path();
        if file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    let mut crls = Vec::new();
    for file in files {
        crls.extend(load_file(&file, limits)?);
    }
    Ok(crls)
}

fn load_file(path: &Path, limits: &Limits) -> Result<Vec<Crl>, EvidenceFileError> {
    let io = |source| EvidenceFileError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(io)?.take(limits.crl_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limits.crl_bytes {
        return Err(EvidenceFileError::TooLarge { path: path.to_owned(), limit: limits.crl_bytes });
    }
    let not_a_crl = |source| EvidenceFileError::NotACrl { path: path.to_owned(), source };
    crls_from_file(&bytes, limits)
        .map_err(not_a_crl)?
        .into_iter()
        .map(|der| Crl::from_der(der).map_err(not_a_crl))
        .collect()
}

/// Why supplied revocation data cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceFileError {
    /// The file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is larger than a CRL may be.
    #[error("{path} is larger than the {limit} bytes that a CRL may have", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The file is no CRL.
    #[error("{path} does not hold a CRL: {source}", path = .path.display())]
    NotACrl {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: CrlError,
    },
}

impl Diagnostic for EvidenceFileError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Io { source, .. } => io_code(source),
            Self::TooLarge { .. } => DiagnosticCode::LimitExceeded,
            Self::NotACrl { .. } => DiagnosticCode::InputUnreadable,
        }
    }

    fn hint(&self) -> Option<String> {
        matches!(self, Self::NotACrl { .. }).then(|| "give CRLs only, in PEM or DER form".into())
    }
}
