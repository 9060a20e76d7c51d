//! `bulla timestamp verify`

use std::fs::File;
use std::path::Path;

use bulla::code::DiagnosticCode;
use bulla::ops::path::{NamedFile, path_limits};
use bulla::ops::stamp::{StampFiles, Stamped, verify_stamp};
use bulla::pki::WeakHashes;
use bulla::pki::validation::RevocationMode;
use bulla::report::stamp::{StampReport, write_stamp};
use bulla::tsp::StampSettings;

use super::super::files::{read, read_named};
use crate::args::Format;
use crate::args::timestamp::TimestampVerify;
use crate::error::{CommandError, Status};
use crate::terminal;

pub(super) fn run(arguments: &TimestampVerify) -> Result<Status, CommandError> {
    let limits = path_limits();
    let files = StampFiles {
        // PEM takes a third more room than what it holds, and headers.
        token: named(&arguments.token, limits.token_bytes().saturating_mul(3) / 2)?,
        trust_anchors: read_named(&arguments.trust_anchors, limits.certificate_bytes)?,
        untrusted: read_named(&arguments.untrusted, limits.certificate_bytes)?,
        crls: read_named(&arguments.crls, limits.crl_bytes.saturating_mul(3) / 2)?,
    };
    let settings = StampSettings {
        at: arguments.at.unwrap_or_else(terminal::now),
        weak: if arguments.allow_sha1 { WeakHashes::Sha1Allowed } else { WeakHashes::Refused },
        revocation: RevocationMode::Check,
    };
    let verdict = match (&arguments.stamped.digest, &arguments.stamped.data) {
        (Some(digest), _) => {
            verify_stamp(&files, Stamped::Digest(digest.hash, digest.octets.clone()), &settings, &limits)?
        }
        (None, Some(path)) => verify_stamp(&files, Stamped::Data(&mut open(path)?), &settings, &limits)?,
        (None, None) => return Err(CommandError::new(DiagnosticCode::UsageInvalid, "what was stamped is not given")),
    };
    let report = StampReport::new(&verdict, &settings);
    match arguments.output.format {
        Format::Json => terminal::print_json(&report)?,
        Format::Text => terminal::print(|out| write_stamp(&report, out))?,
    }
    Ok(if report.valid { Status::Done } else { Status::Rejected })
}

pub(super) fn named(path: &Path, most: u64) -> Result<NamedFile, CommandError> {
    Ok(NamedFile { name: path.display().to_string(), bytes: read(path, most)? })
}

fn open(path: &Path) -> Result<File, CommandError> {
    File::open(path).map_err(|error| {
        CommandError::new(DiagnosticCode::InputUnreadable, format!("{}: {error}", path.display()))
            .with_hint("check the spelling, and that it is there")
    })
}
