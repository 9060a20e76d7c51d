//! The command line. Where Notation has a command, it is this one too: the same words, flags and arguments; the
//! grammar between them is [`crate::grammar`]'s.

mod cert;
mod keys;
mod login;
mod policy;
mod shell;
mod signatures;

pub(crate) mod blob;
pub(crate) mod plugin;
pub(crate) mod seal;
pub(crate) mod sign;
pub(crate) mod signing;
pub(crate) mod timestamp;

use std::path::PathBuf;

use bulla::limits::Limits;
use bulla::oci::{Platform, Reference, Repository};
use bulla::time::UnixTime;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use cert::{
    AskRevocation, Cert, CertAdd, CertCrl, CertCrlShow, CertDelete, CertList, CertShow, CertVerify, CleanupTest,
    ForPurpose, GenerateTest,
};
pub(crate) use keys::{Key, KeyAdd, KeyDelete, KeyUpdate};
pub(crate) use login::{Login, Logout};
pub(crate) use policy::{Policy, PolicyImport, PolicyInit};
pub(crate) use shell::{Completion, Man};
pub(crate) use signatures::{Inspect, List, SignatureView};

/// What every command has in common, and `--help` must tell.
const IN_COMMON: &str = "\
Exit status: 0 done or trusted, 1 rejected, 2 usage or configuration, 3 damaged or malformed input, 4 environment (I/O, permission, network), \
5 skipped or undecided, 70 a defect of bulla. What is asked for goes to standard output, everything else to standard error. bulla explain CODE \
says what the code of an error means.

Environment: trust stores, trust policies, keys and settings are Notation's, in $NOTATION_CONFIG, else $XDG_CONFIG_HOME/notation, else \
~/.config/notation; plugins in $NOTATION_LIBEXEC/plugins, else plugins beside them. NOTATION_USERNAME and NOTATION_PASSWORD log in to registries. \
SOURCE_DATE_EPOCH is the time that a new bundle bears. SSL_CERT_FILE names a PEM file of certificate authorities in place of the system's. \
HTTPS_PROXY, HTTP_PROXY and NO_PROXY are kept.";

/// How what is read may be named.
const REFERENCE_FORMS: &str = "host/repo[:tag][@digest], oci:DIR[:tag|@digest], oci-archive:FILE[:tag|@digest], or the path of a bundle or layout";

/// Carries signed software across air gaps.
#[derive(Debug, Parser)]
#[command(name = "bulla", version, max_term_width = 100, after_long_help = IN_COMMON)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) talk: Talk,
}

/// How much is said beside the result.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Talk {
    /// Say on standard error what is read and asked for
    #[arg(short, long, global = true, display_order = 998)]
    pub(crate) debug: bool,
    /// Notation 1's, which version 2 dropped; it says no more than without
    #[arg(short, long, global = true, hide = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pack artifacts with their signatures and revocation data into one bundle
    Export(Export),
    /// Show the signatures of an artifact, or what a bundle holds, without judging it
    Inspect(Inspect),
    /// List the signatures of an artifact
    #[command(visible_alias = "ls")]
    List(List),
    /// Check every byte and judge every signature under this host's trust policy
    Verify(Verify),
    /// Verify a bundle and hand what is trusted to a layout, a registry or a container engine
    Import(Import),
    /// Hand the revocation data that a bundle carries to other verifiers
    #[command(subcommand)]
    Evidence(Evidence),
    /// Sign an artifact in a registry, a layout or a bundle
    Sign(sign::Sign),
    /// Sign and verify files
    #[command(subcommand)]
    Blob(blob::Blob),
    /// Deal with RFC 3161 timestamps
    #[command(subcommand)]
    Timestamp(timestamp::Timestamp),
    /// Walk the whole road with an embedded example: export, carry, verify offline, import
    Demo(Demo),
    /// Explain a diagnostic code, or list them all
    Explain(Explain),
    /// Manage the certificates of the trust stores; judge the path of a certificate, look into CRLs
    #[command(subcommand, visible_alias = "certificate")]
    Cert(Cert),
    /// Manage the keys to sign with
    #[command(subcommand)]
    Key(Key),
    /// Install, list and remove plugins
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Manage the trust policy
    #[command(subcommand)]
    Policy(Policy),
    /// Log in to a registry
    Login(Login),
    /// Log out from a registry
    Logout(Logout),
    /// Show the version
    Version,
    /// Write a completion script for a shell
    #[command(subcommand)]
    Completion(Completion),
    /// Write the manual, a page a command, into a directory
    #[command(hide = true)]
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// What to export: host/repo[:tag][@digest], oci:DIR[:tag|@digest], oci-archive:FILE[:tag|@digest], the path of a bundle or layout,
    /// or file:PATH, any file with the signatures PATH.jws.sig and PATH.cose.sig beside it
    #[arg(required = true, value_name = "REF")]
    pub(crate) references: Vec<String>,
    /// The bundle to write; `-` for standard output. A name that ends in .zst is compressed
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Name an artifact that comes from a nameless source; once for each REF, in their order
    #[arg(long = "as", value_name = "HOST/REPO:TAG")]
    pub(crate) names: Vec<Reference>,
    /// Carry only these children of an index (os/arch[/variant]), separated by commas; no digest changes
    #[arg(long = "platform", value_name = "PLATFORM", value_parser = parse_platform, value_delimiter = ',')]
    pub(crate) platforms: Vec<Platform>,
    /// CRLs from a file or directory, in place of fetching them; may be repeated
    #[arg(long = "crl", value_name = "FILE|DIR")]
    pub(crate) crls: Vec<PathBuf>,
    /// Export even where revocation data cannot be had; the bundle says what is missing
    #[arg(long)]
    pub(crate) allow_missing_evidence: bool,
    /// Fetch no revocation data: only what --crl gives and the source carries
    #[arg(long)]
    pub(crate) offline: bool,
    /// Let `docker load` (with any image store) and `podman load` read the bundle, by a manifest.json in it: images only, one
    /// platform of each. They judge no signature; `bulla import --to docker-archive:FILE` judges first and is what to hand on
    #[arg(long)]
    pub(crate) docker_load: bool,
    /// Compress or not, whatever the name of the output
    #[arg(long, value_enum, default_value_t = Compression::Auto)]
    pub(crate) compression: Compression,
    /// The zstd level: 1 is fast, 19 is small
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub(crate) level: i32,
    #[command(flatten)]
    pub(crate) sealing: seal::Sealing,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    /// zstd if the output's name ends in .zst
    Auto,
    /// An uncompressed tar
    None,
    /// A tar in seekable zstd
    Zstd,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[arg(value_name = "TARGET", help = format!("What to verify: {REFERENCE_FORMS}; - is a bundle on standard input"))]
    pub(crate) target: String,
    /// Check the bytes alone; judge no signature
    #[arg(long, conflicts_with_all = ["trust_store", "policy", "strict_notation_policy", "at", "freshness", "scope", "crls", "user_metadata", "offline", "plugin_config", "require_seal", "ignore_seal", "seal_scope"])]
    pub(crate) integrity_only: bool,
    #[command(flatten)]
    pub(crate) files: FileJudging,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) most: MostSignatures,
    /// The target is PATH:TAG or PATH@DIGEST of an OCI layout; --scope says under which repository to judge it
    #[arg(long, requires = "scope")]
    pub(crate) oci_layout: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// How many signatures Notation looks at (conformance 1.27).
const DEFAULT_SIGNATURES: usize = 100;

/// How many signatures may decide.
#[derive(Debug, Args)]
pub(crate) struct MostSignatures {
    /// How many signatures of an artifact are judged at most; one good one suffices
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_SIGNATURES, value_parser = parse_count)]
    pub(crate) max_signatures: usize,
}

impl MostSignatures {
    /// More than the usual number of signatures is a flood unless the operator expects them.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        let signatures = usual.signatures.max(self.max_signatures);
        Limits { judged_signatures: self.max_signatures, signatures, ..usual }
    }
}

/// How to judge the files of a bundle.
#[derive(Debug, Args)]
pub(crate) struct FileJudging {
    /// The trust policy for files, instead of Notation's trustpolicy.blob.json
    #[arg(long, value_name = "FILE")]
    pub(crate) blob_policy: Option<PathBuf>,
    /// Judge files under the statement of this name, in place of the global one
    #[arg(long, value_name = "NAME")]
    pub(crate) policy_name: Option<String>,
}

/// How to judge.
#[derive(Debug, Args)]
pub(crate) struct Judging {
    /// The trust stores, instead of Notation's: a directory with {ca,signingAuthority,tsa}/NAME, truststore/x509/… or x509/…
    #[arg(long, value_name = "DIR")]
    pub(crate) trust_store: Option<PathBuf>,
    /// The trust policy, instead of Notation's trustpolicy.oci.json
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Refuse a policy that Notation could not read: scopes like host/* are an extension of bulla's
    #[arg(long)]
    pub(crate) strict_notation_policy: bool,
    /// Judge as of this time (RFC 3339, like 2026-11-21T20:00:00Z) instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<UnixTime>,
    /// How old revocation data may be: current, within its nextUpdate; max-age=DURATION, like 30d or 12h (s, m, h, d), whatever that
    /// says; at-signing, conclusive for the authenticated signing time
    #[arg(long, value_name = "RULE", default_value = "current", value_parser = parse_freshness)]
    pub(crate) freshness: bulla::verification::Freshness,
    /// As of when a certificate must not have been revoked: now, or point-in-time, where an authenticated signing time before
    /// the revocation keeps a signature good
    #[arg(long, value_name = "READING", default_value = "now", value_parser = parse_reading)]
    pub(crate) revocation_time: bulla::verification::RevocationReading,
    /// Judge under this repository's statement of the policy, whatever name the content has
    #[arg(long, value_name = "HOST/REPO")]
    pub(crate) scope: Option<Repository>,
    /// CRLs from a file or directory, beside those that are carried; may be repeated
    #[arg(long = "crl", value_name = "FILE|DIR")]
    pub(crate) crls: Vec<PathBuf>,
    /// Metadata that a signature must carry; may be repeated
    #[arg(short = 'm', long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(crate) user_metadata: Vec<(String, String)>,
    /// What a verification plugin is told; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(crate) plugin_config: Vec<(String, String)>,
    /// Never fetch revocation data (a bundle is always judged without the network)
    #[arg(long)]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) seal: seal::SealJudging,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The bundle; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) bundle: String,
    /// Where to: oci:DIR, docker-archive:FILE, a registry with an optional prefix (registry.local/prefix), or for files file:DIR
    #[arg(long, value_name = "DEST")]
    pub(crate) to: String,
    /// Rename repositories: what begins with FROM begins with TO instead; may be repeated
    #[arg(long = "map", value_name = "FROM=TO", value_parser = parse_key_value)]
    pub(crate) maps: Vec<(String, String)>,
    /// Let in, on your word, what was not judged trusted; several are separated by commas, and the receipt says so
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub(crate) allow: Vec<AllowWhat>,
    /// Write what was let in, and why, to this file, which is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
    /// The platform to take from an index (os/arch[/variant]); for docker-archive only
    #[arg(long, value_name = "PLATFORM", value_parser = parse_platform)]
    pub(crate) platform: Option<Platform>,
    #[command(flatten)]
    pub(crate) files: FileJudging,
    #[command(flatten)]
    pub(crate) judging: Judging,
    #[command(flatten)]
    pub(crate) most: MostSignatures,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AllowWhat {
    /// Artifacts without any signature
    Unsigned,
    /// Artifacts with no good signature, or none that could be decided upon
    Rejected,
    /// Artifacts that the policy does not verify
    Skipped,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Evidence {
    /// Write the CRLs that a bundle, layout or registry artifact carries where another verifier looks for them
    Export(EvidenceExport),
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "The CRLs are not judged here: whoever uses the cache checks their signatures and times, and so does Notation."
)]
pub(crate) struct EvidenceExport {
    #[arg(value_name = "TARGET", help = format!("Where the CRLs are: {REFERENCE_FORMS}"))]
    pub(crate) target: String,
    /// Notation's cache directory; its folder crl is filled, so that stock Notation checks CRLs without a network
    #[arg(long, value_name = "DIR")]
    pub(crate) notation_cache: PathBuf,
    /// Replace also newer CRLs, and those of other issuers
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Where to put the example; a temporary directory, removed at the end, if not given
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A code, as errors and reports print it
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Text for people or JSON by the published schema
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

/// How to reach registries. Credentials come from these flags, else from NOTATION_USERNAME and NOTATION_PASSWORD, which are for
/// the one registry that the command line names, else from Notation's config.json, else from Docker's, and the credential
/// helpers that they name.
#[derive(Debug, Args)]
pub(crate) struct Registry {
    /// The user at the registry
    #[arg(short, long, value_name = "NAME")]
    pub(crate) username: Option<String>,
    /// The password at the registry, or a token where there is no user; other users of the host can see it here, and not in
    /// NOTATION_PASSWORD
    #[arg(short, long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// Speak plain HTTP with registries; loopback addresses are always spoken to so
    #[arg(long, alias = "plain-http")]
    pub(crate) insecure_registry: bool,
    /// Trust this certificate authority (PEM) for HTTPS, beside the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) registry_ca: Option<PathBuf>,
    /// Notation 1's, which version 2 dropped: bulla always asks the referrers API first
    #[arg(long, hide = true)]
    pub(crate) allow_referrers_api: bool,
}

impl Command {
    /// How errors are to be printed.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Inspect(inspect) => inspect.format.unwrap_or(Format::Text),
            Self::Verify(verify) => verify.output.format,
            Self::Import(import) => import.output.format,
            Self::Cert(cert) => cert.format(),
            Self::Timestamp(timestamp) => timestamp.format(),
            _ => Format::Text,
        }
    }

    /// How registries are reached, by commands that may do so.
    pub(crate) const fn registry(&self) -> Option<&Registry> {
        match self {
            Self::Export(arguments) => Some(&arguments.registry),
            Self::Inspect(arguments) => Some(&arguments.registry),
            Self::List(arguments) => Some(&arguments.registry),
            Self::Verify(arguments) => Some(&arguments.registry),
            Self::Import(arguments) => Some(&arguments.registry),
            Self::Login(arguments) => Some(&arguments.registry),
            Self::Sign(arguments) => Some(&arguments.registry),
            Self::Timestamp(timestamp::Timestamp::Add(arguments)) => Some(&arguments.registry),
            _ => None,
        }
    }
}

fn parse_platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).ok_or_else(|| "a platform reads os/arch or os/arch/variant, like linux/arm64".to_owned())
}

fn parse_time(text: &str) -> Result<UnixTime, String> {
    text.parse().map_err(|_| "a time reads like 2026-11-21T20:00:00Z (RFC 3339)".to_owned())
}

fn parse_key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it reads NAME=VALUE, neither of them empty".to_owned()),
    }
}

/// A number of signatures: at least one (conformance 1.27).
fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("it is a number greater than zero".to_owned()),
    }
}

fn parse_freshness(text: &str) -> Result<bulla::verification::Freshness, String> {
    text.parse().map_err(|error: bulla::verification::FreshnessError| error.to_string())
}

fn parse_reading(text: &str) -> Result<bulla::verification::RevocationReading, String> {
    text.parse().map_err(|error: bulla::verification::ReadingError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
