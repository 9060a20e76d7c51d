//! Credentials for registries: `login` and `logout`.

use clap::Args;

use super::Registry;

/// The credential is tried at the registry first. A credential helper keeps it: the one that Notation's config.json or
/// Docker's names, else `pass` or `secretservice` where they are installed.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The registry, as host or host:port
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// Take the password from standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Where no credential helper is to be had, keep the password in Notation's config.json, readable for whoever can read
    /// that file
    #[arg(long)]
    pub(crate) allow_plaintext: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The registry, as host or host:port
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
}
