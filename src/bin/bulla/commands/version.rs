//! `bulla version`

use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run() -> Result<Status, CommandError> {
    let registry = if cfg!(feature = "registry") { "yes" } else { "no (air-gap build)" };
    terminal::print(|out| {
        writeln!(out, "bulla: carries signed software across air gaps")?;
        writeln!(out)?;
        writeln!(out, "Version:      {}", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "OS/Arch:      {}/{}", std::env::consts::OS, std::env::consts::ARCH)?;
        writeln!(out, "Registries:   {registry}")
    })?;
    Ok(Status::Done)
}
