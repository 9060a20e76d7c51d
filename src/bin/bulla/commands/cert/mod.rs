//! `bulla cert …`

mod crl;
mod store;
mod test;
mod verify;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bulla::code::DiagnosticCode;

use crate::args::{Cert, CertCrl};
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: &Cert) -> Result<Status, CommandError> {
    match arguments {
        Cert::Add(arguments) => store::add(arguments),
        Cert::List(arguments) => store::list(arguments),
        Cert::Show(arguments) => store::show(arguments),
        Cert::Delete(arguments) => store::delete(arguments),
        Cert::GenerateTest(arguments) => test::generate(arguments),
        Cert::CleanupTest(arguments) => test::clean_up(arguments),
        Cert::Verify(arguments) => verify::run(arguments),
        Cert::Crl(CertCrl::Show(arguments)) => crl::show(arguments),
    }
}

/// A file that the operator names. That it cannot be read is wrong input here, whatever the system's reason.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, CommandError> {
    let unreadable = |why: String| {
        CommandError::new(DiagnosticCode::InputUnreadable, format!("{}: {why}", path.display()))
            .with_hint("check the spelling, and that it is there")
    };
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= most => Ok(bytes),
        _ => Err(unreadable(format!("it is larger than the limit of {most} bytes"))),
    }
}
