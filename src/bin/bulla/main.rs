//! The `bulla` program: arguments in, one command, an exit status out. Everything else is the library's.

mod args;
mod commands;
mod error;
mod grammar;
mod locate;
mod progress;
mod settings;
mod signing;
mod terminal;

/// Notation's whole command line, against ours.
#[cfg(test)]
#[path = "../../../tests/cli/surface.rs"]
mod surface;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

fn main() -> ExitCode {
    let mut definition = args::Arguments::command();
    definition.build();
    let words = grammar::rewrite(&definition, std::env::args_os());
    let arguments = match args::Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => return terminal::print_usage(&error),
    };
    let format = arguments.command.format();
    match commands::run(arguments) {
        Ok(status) => ExitCode::from(status.number()),
        Err(error) => {
            let error = if progress::was_stopped() { error.after_interruption() } else { error };
            terminal::print_error(&error, format);
            ExitCode::from(error.number())
        }
    }
}
