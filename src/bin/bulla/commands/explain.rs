//! `bulla explain [CODE]`

use bulla::code::DiagnosticCode;

use crate::args::Explain;
use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run(arguments: &Explain) -> Result<Status, CommandError> {
    let codes: Vec<DiagnosticCode> = match &arguments.code {
        None => DiagnosticCode::ALL.to_vec(),
        Some(name) => vec![DiagnosticCode::find(name).ok_or_else(|| {
            CommandError::new(DiagnosticCode::UsageInvalid, format!("there is no code {name:?}"))
                .with_hint("bulla explain, without a code, lists them all")
        })?],
    };
    terminal::print(|out| codes.iter().try_for_each(|code| writeln!(out, "{code}\n    {}", code.explanation())))?;
    Ok(Status::Done)
}
