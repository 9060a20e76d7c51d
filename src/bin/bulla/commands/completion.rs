//! `bulla completion SHELL` and `bulla man DIR`: both from the definition of the command line.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::{Arguments, Completion, Man};
use crate::error::{CommandError, Status};
use crate::terminal;

pub(crate) fn run(arguments: Completion) -> Result<Status, CommandError> {
    let shell = match arguments {
        Completion::Bash(_) => Shell::Bash,
        Completion::Zsh(_) => Shell::Zsh,
        Completion::Fish(_) => Shell::Fish,
        Completion::Powershell(_) => Shell::PowerShell,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bulla", &mut script);
    terminal::print(|out| out.write_all(&script))?;
    Ok(Status::Done)
}

/// One page a command, hidden ones left out.
pub(crate) fn man(arguments: &Man) -> Result<Status, CommandError> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).map_err(|error| CommandError::io(directory, &error))?;
    let mut root = Arguments::command();
    root.build();
    write_pages(&root, "bulla", directory)?;
    Ok(Status::Done)
}

fn write_pages(command: &clap::Command, name: &str, directory: &Path) -> Result<(), CommandError> {
    let path = directory.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .and_then(|()| std::fs::write(&path, &page))
        .map_err(|error| CommandError::io(&path, &error))?;
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
    for below in shown {
        write_pages(below, &format!("{name}-{}", below.get_name()), directory)?;
    }
    Ok(())
}
