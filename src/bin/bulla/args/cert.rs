//! Certificates: `cert`. Those of the trust stores; the path of any; CRLs.

use std::path::PathBuf;

use bulla::pki::ObjectIdentifier;
use bulla::time::UnixTime;
use clap::{Args, Subcommand, ValueEnum};

use super::{Format, Output, parse_time};

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
    /// Judge a certificate's path by RFC 5280: exit status 0 valid, 1 not valid, 2 wrong usage or unreadable input
    Verify(CertVerify),
    /// Certificate revocation lists
    #[command(subcommand)]
    Crl(CertCrl),
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
    /// Do not ask first
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

#[derive(Debug, Args)]
pub(crate) struct CleanupTest {
    /// The common name that the key was made with
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Do not ask first
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertCrl {
    /// Show what CRLs say; nothing is verified
    Show(CertCrlShow),
}

/// What RFC 5280 leaves open, and `--help` must tell.
const CHOICES: &str = "\
A path is built from LEAF over the untrusted certificates, in whatever order, to a trust anchor, and judged by \
RFC 5280 §6.1 and §6.3. Choices:

- A trust anchor's own validity, basic constraints, key usage, critical extensions, and its constraints on \
names, path length and policies count; --anchor-as-key reduces it to a name and a key, as RFC 5280 allows.
- Without --initial-policy the set is anyPolicy.
- notBefore and notAfter are inclusive, in whole seconds. --at is the time at which the whole chain and its \
revocation data are judged.
- SHA-1 is refused unless --allow-sha1; MD5, DSA and RSA keys below 2048 bits always are.
- A CRL or OCSP response without nextUpdate is not current.
- Under --revocation check, which is the default, an answer that is unusable counts as none and is reported; but \
a revocation for good counts however old the list that tells of it.
- An issuer of CRLs other than the certificate's needs a valid path to the same anchor, and must be in good \
standing itself; its own list may say so where there is no other.
- Names are compared without case and white space. A name constraint on a form that cannot be compared forbids \
every name of that form.
- extKeyUsage of an issuer, where there is one, limits those below it.
- With several failing paths, the failure of the one that came furthest is told.";

#[derive(Debug, Args)]
#[command(after_long_help = CHOICES)]
pub(crate) struct CertVerify {
    /// The certificate, PEM or DER; further certificates in the file are untrusted
    #[arg(value_name = "LEAF")]
    pub(crate) leaf: PathBuf,
    /// Certificates to trust (PEM or DER); may be repeated
    #[arg(long = "trust-anchor", value_name = "FILE")]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// Certificates to build a path with (PEM or DER); may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) untrusted: Vec<PathBuf>,
    /// CRLs, complete and delta (PEM or DER); may be repeated
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) crls: Vec<PathBuf>,
    /// OCSP responses (PEM or DER); may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) ocsp: Vec<PathBuf>,
    /// Judge as of this time (RFC 3339, like 2026-11-21T20:00:00Z) instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<UnixTime>,
    /// What the certificate is to be used for
    #[arg(long, value_enum, default_value_t = ForPurpose::Any)]
    pub(crate) purpose: ForPurpose,
    /// What must be known about revocation
    #[arg(long, value_enum, default_value_t = AskRevocation::Check)]
    pub(crate) revocation: AskRevocation,
    /// A certificate policy that is acceptable; may be repeated
    #[arg(long = "initial-policy", value_name = "OID", value_parser = parse_oid)]
    pub(crate) initial_policies: Vec<ObjectIdentifier>,
    /// The path must be valid under one of the initial policies
    #[arg(long)]
    pub(crate) require_explicit_policy: bool,
    /// Policies may not be mapped to others
    #[arg(long)]
    pub(crate) inhibit_policy_mapping: bool,
    /// anyPolicy in a certificate does not count
    #[arg(long)]
    pub(crate) inhibit_any_policy: bool,
    /// Take nothing from a trust anchor but its name and key
    #[arg(long)]
    pub(crate) anchor_as_key: bool,
    /// Let signatures over SHA-1 count
    #[arg(long)]
    pub(crate) allow_sha1: bool,
    /// Refuse departures from the profile that RFC 5280 sets for authorities, which otherwise are told as notes
    #[arg(long)]
    pub(crate) strict_profile: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForPurpose {
    /// Signing code
    CodeSigning,
    /// RFC 3161 timestamps
    Timestamping,
    /// TLS as a server; no host name is compared
    ServerAuth,
    /// TLS as a client
    ClientAuth,
    /// Whatever the path allows
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AskRevocation {
    /// Nothing
    Off,
    /// What is given counts; what cannot be determined is told as a note
    Check,
    /// Every certificate below the anchor must be known to be good
    Require,
}

#[derive(Debug, Args)]
pub(crate) struct CertCrlShow {
    /// CRLs, PEM or DER
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Cert {
    /// How errors are to be printed.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Verify(verify) => verify.output.format,
            Self::Crl(CertCrl::Show(show)) => show.output.format,
            _ => Format::Text,
        }
    }
}

fn parse_oid(text: &str) -> Result<ObjectIdentifier, String> {
    text.parse().map_err(|_| "an object identifier reads like 2.5.29.32.0".to_owned())
}
