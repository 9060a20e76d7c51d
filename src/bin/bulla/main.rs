//! The `bulla` program: arguments in, one command, an exit status out. Everything else is the library's.

mod args;
mod commands;
mod error;
mod locate;
mod progress;
mod settings;
mod signing;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return terminal::print_usage(&error),
    };
    let format = arguments.command.format();
    match commands::run(arguments) {
        Ok(status) => ExitCode::from(status.number()),
        Err(error) => {
            terminal::print_error(&error, format);
            ExitCode::from(error.number())
        }
    }
}
