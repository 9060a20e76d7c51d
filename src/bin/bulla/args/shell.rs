//! What shells and manual readers want: `completion` and `man`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Completion {
    /// For bash
    Bash(Script),
    /// For zsh
    Zsh(Script),
    /// For fish
    Fish(Script),
    /// For PowerShell
    Powershell(Script),
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Script {
    /// Accepted because cobra's scripts have it; the descriptions stay
    #[arg(long, hide = true)]
    pub(crate) no_descriptions: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
}
