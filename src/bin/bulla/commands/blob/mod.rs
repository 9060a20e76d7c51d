//! `bulla blob …`

mod inspect;
mod policy;
mod sign;
mod verify;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::notary::EnvelopeType;
use bulla::ops::blob::signature_name;

use crate::args::blob::Blob;
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Blob) -> Result<Status, CommandError> {
    match arguments {
        Blob::Sign(arguments) => sign::run(arguments),
        Blob::Verify(arguments) => verify::run(arguments),
        Blob::Inspect(arguments) => inspect::run(arguments),
        Blob::Policy(arguments) => policy::run(arguments),
    }
}

/// A file to be hashed; a folder is none.
fn open(path: &Path) -> Result<File, CommandError> {
    let failed = |error: std::io::Error| CommandError::io(path, &error);
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        let message = format!("{} is a folder", path.display());
        return Err(CommandError::new(DiagnosticCode::UsageInvalid, message).with_hint("name a file"));
    }
    Ok(file)
}

/// A detached signature.
fn read_signature(path: &Path, limits: &Limits) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let most = limits.envelope_bytes;
    let read = open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| CommandError::io(path, &error))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        let message = format!("{} is larger than {most} bytes", path.display());
        return Err(CommandError::new(DiagnosticCode::EnvelopeTooLarge, message));
    }
    Ok(bytes)
}

/// The signatures of a file that lie beside it, under the names that `blob sign` gives them.
pub(super) fn signatures_beside(file: &Path, limits: &Limits) -> Result<Vec<(EnvelopeType, Vec<u8>)>, CommandError> {
    let mut found = Vec::new();
    for kind in [EnvelopeType::Jws, EnvelopeType::Cose] {
        let path = file.with_file_name(signature_file(file, kind));
        if path.exists() {
            found.push((kind, read_signature(&path, limits)?));
        }
    }
    Ok(found)
}

/// What the file with a file's signature is called. Names are bytes, whatever they look like.
fn signature_file(file: &Path, kind: EnvelopeType) -> OsString {
    let mut name = file.file_name().map(OsString::from).unwrap_or_default();
    name.push(signature_name("", kind));
    name
}

/// The last part of a path, as far as it is text.
fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
