//! Sealing a bundle, its place in a stream, and what is demanded of a seal.

use std::path::PathBuf;

use bulla::oci::Repository;
use bulla::ops::seal::SEAL_REPOSITORY;
use clap::{Args, ValueEnum};

use super::sign::AuthorityOptions;

/// How to seal what is exported.
#[derive(Debug, Args)]
pub(crate) struct Sealing {
    /// Seal the bundle: sign its list of names and content with this key of Notation's signingkeys.json, or with the private key
    /// in this file where --seal-certificate-chain is given
    #[arg(long, value_name = "KEY")]
    pub(crate) seal: Option<String>,
    /// The certificates of the key file that seals, the signer's own first, the root last
    #[arg(long, value_name = "FILE", requires = "seal")]
    pub(crate) seal_certificate_chain: Option<PathBuf>,
    /// The passphrase of an encrypted key file that seals, in the first line of this file
    #[arg(long, value_name = "FILE", requires = "seal")]
    pub(crate) seal_passphrase_file: Option<PathBuf>,
    /// The format of the seal's envelope
    #[arg(long, value_enum, default_value_t = SealFormat::Jws, requires = "seal")]
    pub(crate) seal_format: SealFormat,
    #[command(flatten)]
    pub(crate) authority: AuthorityOptions,
    /// Name the series that the bundle belongs to
    #[arg(long, value_name = "NAME", requires = "sequence")]
    pub(crate) stream: Option<String>,
    /// The bundle's number in its series; the first is 1
    #[arg(long, value_name = "N", requires = "stream")]
    pub(crate) sequence: Option<u64>,
    /// The bundle before it in the series: the file, or the digest of its bundle manifest
    #[arg(long, value_name = "FILE|DIGEST", requires = "stream")]
    pub(crate) previous: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SealFormat {
    Jws,
    Cose,
}

/// What is demanded of a bundle's seal.
#[derive(Debug, Args)]
pub(crate) struct SealJudging {
    /// Reject a bundle that is not sealed, or whose seal is not trusted
    #[arg(long, conflicts_with = "ignore_seal")]
    pub(crate) require_seal: bool,
    /// Judge no seal: names are then what the bundle's carrier says, as in an unsealed bundle
    #[arg(long)]
    pub(crate) ignore_seal: bool,
    /// Judge the seal under this repository's statement of the policy; where there is none, under the one for "*"
    #[arg(long, value_name = "HOST/REPO", default_value = SEAL_REPOSITORY)]
    pub(crate) seal_scope: Repository,
}
