//! Looking at signatures: `list` and `inspect`.

use clap::{Args, ValueEnum};

use super::{DEFAULT_SIGNATURES, Format, REFERENCE_FORMS, Registry, parse_count};

#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(value_name = "REFERENCE", help = format!("Whose signatures: {REFERENCE_FORMS}"))]
    pub(crate) target: String,
    /// How many signatures of an artifact are listed at most
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_SIGNATURES, value_parser = parse_count)]
    pub(crate) max_signatures: usize,
    /// The reference is PATH:TAG or PATH@DIGEST of an OCI layout
    #[arg(long)]
    pub(crate) oci_layout: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Of a registry or layout reference, the signatures of the artifact are shown, as Notation does. Of a bundle or another \
archive, everything inside is: so it is of any target with --inventory, or with --format, which is the inventory's. Nothing is verified."
)]
pub(crate) struct Inspect {
    #[arg(value_name = "TARGET", help = format!("What to look at: {REFERENCE_FORMS}; - is a bundle on standard input"))]
    pub(crate) target: String,
    /// How signatures are shown: as a tree, or as JSON with Notation's keys
    #[arg(short, long, value_name = "FORM", value_enum, conflicts_with_all = ["format", "inventory"])]
    pub(crate) output: Option<SignatureView>,
    /// How many signatures of an artifact are shown at most
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_SIGNATURES, value_parser = parse_count)]
    pub(crate) max_signatures: usize,
    /// Show everything that belongs to the artifact: content, signatures, evidence
    #[arg(long)]
    pub(crate) inventory: bool,
    /// Show everything, as text for people or JSON by the published schema
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The target is PATH:TAG or PATH@DIGEST of an OCI layout
    #[arg(long)]
    pub(crate) oci_layout: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// How signatures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureView {
    /// For people
    Tree,
    /// With Notation's keys
    Json,
    /// Notation 1's name for what comes closest to the tree
    #[value(hide = true)]
    Text,
}
