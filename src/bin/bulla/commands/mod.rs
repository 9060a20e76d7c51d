//! One file a verb.

mod cert;
mod demo;
mod evidence;
mod explain;
mod export;
mod import;
mod inspect;
mod judging;
mod verify;

use crate::args::{Arguments, Command};
use crate::error::{CommandError, Status};

pub(crate) fn run(arguments: Arguments) -> Result<Status, CommandError> {
    match arguments.command {
        Command::Export(arguments) => export::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Evidence(arguments) => evidence::run(&arguments),
        Command::Cert(arguments) => cert::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
    }
}
