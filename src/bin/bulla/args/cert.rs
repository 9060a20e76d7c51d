//! Certificates of the trust stores: `cert`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Add certificate files to a trust store
    Add(CertAdd),
    /// List the certificate files of the trust stores
    #[command(visible_alias = "ls")]
    List(CertList),
    /// Show the certificates of a file of a trust store
    Show(CertShow),
    /// Delete certificate files from a trust store
    Delete(CertDelete),
    /// Make a test key with a self-signed certificate, which is trusted in the store ca:NAME; never for production
    GenerateTest(GenerateTest),
    /// Remove what generate-test made: key, certificate and trust
    CleanupTest(CleanupTest),
}

/// The files are copied; none that is there already is overwritten.
#[derive(Debug, Args)]
pub(crate) struct CertAdd {
    /// Certificate files, PEM or DER
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The type of the store: ca, signingAuthority or tsa
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: String,
    /// The name of the store
    #[arg(short, long, value_name = "NAME")]
    pub(crate) store: String,
}

#[derive(Debug, Args)]
pub(crate) struct CertList {
    /// Stores of this type only
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Stores of this name only
    #[arg(short, long, value_name = "NAME")]
    pub(crate) store: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CertShow {
    /// The name of the file in its store
    #[arg(value_name = "FILE")]
    pub(crate) file: String,
    /// The type of the store: ca, signingAuthority or tsa
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: String,
    /// The name of the store
    #[arg(short, long, value_name = "NAME")]
    pub(crate) store: String,
}

/// Without --yes, it asks first.
#[derive(Debug, Args)]
pub(crate) struct CertDelete {
    /// The name of the file in its store
    #[arg(value_name = "FILE", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) file: Option<String>,
    /// The type of the store: ca, signingAuthority or tsa
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: String,
    /// The name of the store
    #[arg(short, long, value_name = "NAME")]
    pub(crate) store: String,
    /// Delete every file of the store
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenerateTest {
    /// The common name of the certificate, which names key, files and trust store too
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Bits of the RSA key: 2048, 3072 or 4096
    #[arg(short, long, value_name = "BITS", default_value_t = 2048)]
    pub(crate) bits: u32,
    /// Make the key the default one
    #[arg(long)]
    pub(crate) default: bool,
}

/// Without --yes, it asks first.
#[derive(Debug, Args)]
pub(crate) struct CleanupTest {
    /// The common name that the key was made with
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}
