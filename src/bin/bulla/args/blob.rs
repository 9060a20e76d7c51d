//! `blob …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::policy::PolicyImport;
use super::sign::{AuthorityOptions, SignatureOptions};
use super::signing::KeyOptions;
use super::{Judging, SignatureView};

#[derive(Debug, Subcommand)]
pub(crate) enum Blob {
    /// Sign a file; the signature lies in a file of its own
    Sign(BlobSign),
    /// Verify a file by its signature, under this host's blob trust policy
    #[command(
        mut_arg("scope", |arg| arg.hide(true)),
        mut_arg("strict_notation_policy", |arg| arg.hide(true)),
        mut_arg("require_seal", |arg| arg.hide(true)),
        mut_arg("ignore_seal", |arg| arg.hide(true)),
        mut_arg("seal_scope", |arg| arg.hide(true)),
        mut_arg("policy", |arg| arg.help("The trust policy, instead of Notation's trustpolicy.blob.json")),
        mut_arg("crls", |arg| arg.help("CRLs from a file or directory, beside those that are fetched; may be repeated")),
        mut_arg("offline", |arg| arg.help("Never fetch revocation data: only what --crl gives")),
    )]
    Verify(BlobVerify),
    /// Show what the signature of a file says of itself, without judging it
    Inspect(BlobInspect),
    /// Manage the trust policy for files
    #[command(subcommand)]
    Policy(BlobPolicy),
}

#[derive(Debug, Args)]
pub(crate) struct BlobSign {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) key: KeyOptions,
    #[command(flatten)]
    pub(crate) signature: SignatureOptions,
    #[command(flatten)]
    pub(crate) authority: AuthorityOptions,
    /// What the file is
    #[arg(long, value_name = "TYPE", default_value = bulla::ops::blob::DEFAULT_MEDIA_TYPE)]
    pub(crate) media_type: String,
    /// Where the signature is put, in place of beside the file
    #[arg(long, value_name = "DIR")]
    pub(crate) signature_directory: Option<PathBuf>,
    /// Do not ask before a signature that is there is overwritten
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BlobVerify {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Its signature; the name tells the format: FILE.jws.sig or FILE.cose.sig
    #[arg(short, long, value_name = "FILE")]
    pub(crate) signature: PathBuf,
    /// The media type that the signature must name
    #[arg(long, value_name = "TYPE")]
    pub(crate) media_type: Option<String>,
    /// Judge under the statement of this name, in place of the global one
    #[arg(long, value_name = "NAME")]
    pub(crate) policy_name: Option<String>,
    #[command(flatten)]
    pub(crate) judging: Judging,
}

#[derive(Debug, Args)]
pub(crate) struct BlobInspect {
    /// The signature
    #[arg(value_name = "SIGNATURE")]
    pub(crate) signature: PathBuf,
    /// How it is shown: as a tree, or as JSON with Notation's keys
    #[arg(short, long, value_name = "FORM", value_enum, default_value_t = SignatureView::Tree)]
    pub(crate) output: SignatureView,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlobPolicy {
    /// Take a trust policy for files into use, if it breaks no rule
    Import(PolicyImport),
    /// Print the trust policy for files, byte by byte
    Show,
    /// Write a first trust policy for files: one statement, level strict
    Init(BlobPolicyInit),
}

#[derive(Debug, Args)]
pub(crate) struct BlobPolicyInit {
    /// The name of the statement
    #[arg(short, long, value_name = "NAME")]
    pub(crate) name: String,
    /// The trust stores, as ca:NAME, signingAuthority:NAME or tsa:NAME; may be repeated
    #[arg(long = "trust-store", value_name = "TYPE:NAME", required = true)]
    pub(crate) trust_stores: Vec<String>,
    /// Who may sign, as "x509.subject: C=…, ST=…, O=…", or * for whoever the trust stores vouch for; may be repeated
    #[arg(long = "trusted-identity", value_name = "IDENTITY", required = true)]
    pub(crate) trusted_identities: Vec<String>,
    /// Judge under it where no statement is named
    #[arg(long)]
    pub(crate) global: bool,
    /// Do not ask before one that is there is overwritten
    #[arg(long)]
    pub(crate) force: bool,
}
