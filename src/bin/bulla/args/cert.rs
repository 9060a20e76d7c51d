//! `bulla cert …`

use std::path::PathBuf;

use bulla::pki::ObjectIdentifier;
use bulla::time::UnixTime;
use clap::{Args, Subcommand, ValueEnum};

use super::{Format, Output, parse_time};

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// Judge a certificate's path by RFC 5280: exit status 0 valid, 1 not valid, 2 wrong usage or unreadable input
    Verify(CertVerify),
    /// Certificate revocation lists
    #[command(subcommand)]
    Crl(CertCrl),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertCrl {
    /// Show what CRLs say; nothing is verified
    Show(CertCrlShow),
}

/// What RFC 5280 leaves open, and `--help` must tell.
const CHOICES: &str = "\
A path is built from LEAF over the untrusted certificates, in whatever order, to a trust anchor, and judged by
RFC 5280 §6.1 and §6.3. Choices:

- A trust anchor's own validity, basic constraints, key usage, critical extensions, and its constraints on
  names, path length and policies count; --anchor-as-key reduces it to a name and a key, as RFC 5280 allows.
- Without --initial-policy the set is anyPolicy.
- notBefore and notAfter are inclusive, in whole seconds. --at is the time at which the whole chain and its
  revocation data are judged.
- SHA-1 is refused unless --allow-sha1; MD5, DSA and RSA keys below 2048 bits always are.
- A CRL or OCSP response without nextUpdate is not current.
- Under --revocation check, which is the default, an answer that is unusable counts as none and is reported; but
  a revocation for good counts however old the list that tells of it.
- An issuer of CRLs other than the certificate's needs a valid path to the same anchor, and must be in good
  standing itself; its own list may say so where there is no other.
- Names are compared without case and white space. A name constraint on a form that cannot be compared forbids
  every name of that form.
- extKeyUsage of an issuer, where there is one, limits those below it.
- With several failing paths, the failure of the one that came furthest is told.";

#[derive(Debug, Args)]
#[command(after_long_help = CHOICES)]
pub(crate) struct CertVerify {
    /// The certificate, PEM or DER; further certificates in the file are untrusted
    #[arg(value_name = "LEAF")]
    pub(crate) leaf: PathBuf,
    /// Certificates to trust (PEM or DER)
    #[arg(long = "trust-anchor", value_name = "FILE")]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// Certificates to build a path with (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) untrusted: Vec<PathBuf>,
    /// CRLs, complete and delta (PEM or DER)
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) crls: Vec<PathBuf>,
    /// OCSP responses (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) ocsp: Vec<PathBuf>,
    /// Judge as of this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<UnixTime>,
    /// What the certificate is to be used for
    #[arg(long, value_enum, default_value_t = ForPurpose::Any)]
    pub(crate) purpose: ForPurpose,
    /// What must be known about revocation
    #[arg(long, value_enum, default_value_t = AskRevocation::Check)]
    pub(crate) revocation: AskRevocation,
    /// A certificate policy that is acceptable
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
        }
    }
}

fn parse_oid(text: &str) -> Result<ObjectIdentifier, String> {
    text.parse().map_err(|_| "an object identifier reads like 2.5.29.32.0".to_owned())
}
