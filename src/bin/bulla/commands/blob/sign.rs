//! `bulla blob sign FILE`

use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bulla::archive::OutputFile;
use bulla::code::DiagnosticCode;
use bulla::limits::Limits;
use bulla::notary::EnvelopeType;
use bulla::ops::blob::{describe_for, parse_media_type};
use bulla::signer::TimestampSource;
use bulla::signer::plugin::SigningPurpose;

use super::{open, signature_file};
use crate::args::blob::BlobSign;
use crate::commands::sign::{envelope_type, options};
use crate::error::{CommandError, Status};
use crate::settings::Network;
use crate::signing::{Authority, KeyChoice};
use crate::terminal::{self, Answer};

pub(crate) fn run(arguments: &BlobSign) -> Result<Status, CommandError> {
    let limits = Limits::default();
    let media_type = parse_media_type(&arguments.media_type)?;
    let kind = envelope_type(&arguments.signature, &limits)?;
    let mut blob = open(&arguments.file)?;
    let target = target(arguments, kind);
    if target.symlink_metadata().is_ok() {
        if arguments.force {
            terminal::say(&format!("warning: {} is overwritten", target.display()));
        } else if terminal::confirm(&format!("Overwrite the signature {}?", target.display()))? == Answer::No {
            return Ok(Status::Done);
        }
    }
    let signer = KeyChoice::of(&arguments.key, &limits)?.open(SigningPurpose::Blob, &limits)?;
    let network = Network::anywhere(&limits);
    let authority = Authority::of(&arguments.authority, &[], &network, &limits)?;
    let checked = authority.as_ref().map(Authority::checked);
    let source = checked.as_ref().map(|checked| -> &dyn TimestampSource { checked });
    // Files are signed only by keys of which the kind is known.
    let Some(key) = signer.key_kind() else {
        return Err(CommandError::new(DiagnosticCode::PluginUnsuitable, "the kind of the key is not known"));
    };
    let described =
        describe_for(key, media_type, &mut blob).map_err(|error| CommandError::io(&arguments.file, &error))?;
    let envelope = signer.envelope(kind, &described, &options(&arguments.signature, source)?)?;
    write(&target, &envelope.bytes)?;
    terminal::print(|out| {
        writeln!(out, "Successfully signed {}", arguments.file.display())?;
        writeln!(out, "Signature file written to {}", target.display())
    })?;
    Ok(Status::Done)
}

/// Conformance 12.02, 12.03.
fn target(arguments: &BlobSign, kind: EnvelopeType) -> PathBuf {
    let beside = arguments.file.parent().unwrap_or(Path::new("")).to_owned();
    let folder = arguments.signature_directory.clone().unwrap_or(beside);
    folder.join(signature_file(&arguments.file, kind))
}

fn write(target: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| CommandError::io(folder, &error))?;
    }
    let mut file = OutputFile::create_private(target)?;
    file.write_all(bytes).map_err(|error| CommandError::io(target, &error))?;
    Ok(file.commit()?)
}
