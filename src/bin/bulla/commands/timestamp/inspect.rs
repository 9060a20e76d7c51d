//! `bulla timestamp inspect FILE`

use bulla::code::DiagnosticCode;
use bulla::ops::path::path_limits;
use bulla::ops::stamp::token_encoding;
use bulla::report::stamp::{TokenReport, write_token_report};
use bulla::tsp::Stamp;

use super::verify::named;
use crate::args::Format;
use crate::args::timestamp::TimestampInspect;
use crate::error::{CommandError, Status};
use crate::terminal;

pub(super) fn run(arguments: &TimestampInspect) -> Result<Status, CommandError> {
    let limits = path_limits();
    let file = named(&arguments.file, limits.token_bytes().saturating_mul(3) / 2)?;
    let stamp = Stamp::parse(&token_encoding(&file)?, &limits).map_err(|error| {
        let message = format!("{}: {error} ({})", file.name, error.own_code());
        CommandError::new(DiagnosticCode::InputUnreadable, message)
    })?;
    let report = TokenReport::new(&stamp);
    match arguments.output.format {
        Format::Json => terminal::print_json(&report)?,
        Format::Text => terminal::print(|out| write_token_report(&report, out))?,
    }
    Ok(Status::Done)
}
