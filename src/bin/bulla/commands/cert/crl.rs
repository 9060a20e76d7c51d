//! `bulla cert crl show FILE`

use bulla::code::DiagnosticCode;
use bulla::ops::path::path_limits;
use bulla::pki::{Crl, crl_encodings};
use bulla::report::path::{CrlReport, write_crls};

use super::super::files::read;
use crate::args::{CertCrlShow, Format};
use crate::error::{CommandError, Status};
use crate::terminal;

pub(super) fn show(arguments: &CertCrlShow) -> Result<Status, CommandError> {
    let limits = path_limits();
    let bytes = read(&arguments.file, limits.crl_bytes.saturating_mul(3) / 2)?;
    let unreadable = |error: bulla::pki::CrlError| {
        CommandError::new(DiagnosticCode::InputUnreadable, format!("{}: {error}", arguments.file.display()))
            .with_hint("CRLs are read as PEM or DER")
    };
    let encodings = crl_encodings(&bytes, &limits).map_err(unreadable)?;
    let crls: Result<Vec<Crl>, _> = encodings.into_iter().map(Crl::from_der).collect();
    let report = CrlReport::new(&crls.map_err(unreadable)?);
    match arguments.output.format {
        Format::Json => terminal::print_json(&report)?,
        Format::Text => terminal::print(|out| write_crls(&report, out))?,
    }
    Ok(Status::Done)
}
