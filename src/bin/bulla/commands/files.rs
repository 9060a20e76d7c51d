//! Files that are judged: certificates, CRLs, tokens.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bulla::code::DiagnosticCode;
use bulla::ops::path::NamedFile;

use crate::error::CommandError;

/// A file that the operator names. That it cannot be read is wrong input here, whatever the system's reason.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, CommandError> {
    let unreadable = |error: std::io::Error| CommandError {
        code: DiagnosticCode::InputUnreadable,
        ..CommandError::io(path, &error)
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= most => Ok(bytes),
        _ => {
            let message = format!("{} is larger than the limit of {most} bytes", path.display());
            Err(CommandError::new(DiagnosticCode::InputUnreadable, message)
                .with_hint("check that it is the file that was meant"))
        }
    }
}

/// The same of several files, with their names.
pub(super) fn read_named(paths: &[PathBuf], most: u64) -> Result<Vec<NamedFile>, CommandError> {
    let named = |path: &PathBuf| Ok(NamedFile { name: path.display().to_string(), bytes: read(path, most)? });
    paths.iter().map(named).collect()
}
