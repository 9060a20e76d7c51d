//! The trust policy for artifacts: `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Take a trust policy into use, if it breaks no rule
    Import(PolicyImport),
    /// Print the trust policy, byte by byte
    Show,
    /// Write a first trust policy: one statement, level strict
    Init(PolicyInit),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyImport {
    /// The policy
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Do not ask before one that is there is overwritten
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyInit {
    /// The name of the statement
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: String,
    /// The repositories that it covers: host/repo, host/path/*; * is every repository; may be repeated
    #[arg(long = "scope", value_name = "HOST/REPO", required = true)]
    pub(crate) scopes: Vec<String>,
    /// The trust stores, as ca:NAME, signingAuthority:NAME or tsa:NAME; may be repeated
    #[arg(long = "trust-store", value_name = "TYPE:NAME", required = true)]
    pub(crate) trust_stores: Vec<String>,
    /// Who may sign, as "x509.subject: C=…, ST=…, O=…", or * for whoever the trust stores vouch for; may be repeated
    #[arg(long = "trusted-identity", value_name = "IDENTITY", required = true)]
    pub(crate) trusted_identities: Vec<String>,
    /// Do not ask before one that is there is overwritten
    #[arg(long)]
    pub(crate) force: bool,
}
