//! `timestamp …`

use bulla::digest::Digest;
use clap::{Args, Subcommand};

use super::Registry;
use super::sign::{AuthorityOptions, NewBundle};

#[derive(Debug, Subcommand)]
pub(crate) enum Timestamp {
    /// Put an RFC 3161 timestamp on signatures that were made before
    Add(TimestampAdd),
}

/// In a registry or layout, a signature with the timestamp in its envelope is stored beside the old one. A bundle is never
/// changed: a new one is written, which carries the timestamp as evidence beside the signature.
#[derive(Debug, Args)]
pub(crate) struct TimestampAdd {
    /// The signed artifact: a registry, layout or bundle reference
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) authority: AuthorityOptions,
    /// Only this signature, by the digest of its manifest; may be repeated
    #[arg(long = "signature", value_name = "DIGEST")]
    pub(crate) signatures: Vec<Digest>,
    /// Also where a signature has a timestamp
    #[arg(long)]
    pub(crate) renew: bool,
    /// REF is PATH:TAG or PATH@DIGEST of an OCI layout
    #[arg(long)]
    pub(crate) oci_layout: bool,
    #[command(flatten)]
    pub(crate) bundle: NewBundle,
    #[command(flatten)]
    pub(crate) registry: Registry,
}
