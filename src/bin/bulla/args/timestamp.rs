//! `timestamp …`

use std::path::PathBuf;

use bulla::digest::Digest;
use bulla::pki::{HashAlgorithm, NamedHash};
use bulla::time::UnixTime;
use clap::{Args, Subcommand};

use super::sign::{AuthorityOptions, NewBundle};
use super::{Format, Output, REFERENCE_FORMS, Registry, parse_time};

#[derive(Debug, Subcommand)]
pub(crate) enum Timestamp {
    /// Put an RFC 3161 timestamp on signatures that were made before
    Add(TimestampAdd),
    /// Judge a timestamp: exit status 0 valid, 1 not valid, 2 wrong usage or unreadable input
    Verify(TimestampVerify),
    /// Show what a timestamp says; nothing is verified
    Inspect(TimestampInspect),
}

impl Timestamp {
    /// How errors are to be printed.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Add(_) => Format::Text,
            Self::Verify(verify) => verify.output.format,
            Self::Inspect(inspect) => inspect.output.format,
        }
    }
}

/// What RFC 3161 and 5652 leave open, and `--help` must tell.
const CHOICES: &str = "\
The token is judged by RFC 3161 and RFC 5652, and its authority's certificate by RFC 5280 §6 for timestamping, \
over the certificates in the token and the untrusted ones. Choices:

- --at is the time at which the authority's chain is judged, by default now. Beyond that the time of the \
timestamp must lie within the validity of the authority's certificate, fractions of a second cut off.
- The signer binds its certificate by ESSCertID of version 1 or 2 (RFC 2634, RFC 5035); both must hold where \
both are there. Signatures of the Notary Project need version 2, and keep further rules that do not apply here.
- Where it names more certificates than the signer's, the path is built of those alone.
- There is exactly one signer, named by issuer and serial number or by its key identifier: RSA PKCS#1 v1.5 and \
PSS, ECDSA, Ed25519.
- SHA-1 is refused unless --allow-sha1, but may name a certificate.
- DER is demanded: BER is refused with the code encoding-not-der.
- Certificates of other kinds in the token are passed over; the authority's own may be missing there and be \
given with --untrusted.
- A critical extension of the TSTInfo is refused. Ordering, nonce, tsa name, and the CMS signingTime are not \
judged.
- CRLs that are given count; what cannot be determined is told as a note.
- A trust anchor's own validity and constraints count, and extKeyUsage of an issuer, where there is one, limits \
those below it.";

#[derive(Debug, Args)]
#[command(after_long_help = CHOICES)]
pub(crate) struct TimestampVerify {
    /// The timestamp: a TimeStampResp or a bare token (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) token: PathBuf,
    #[command(flatten)]
    pub(crate) stamped: Stamped,
    /// Certificates to trust (PEM or DER); may be repeated
    #[arg(long = "trust-anchor", value_name = "FILE", required = true)]
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// Certificates to build a path with (PEM or DER); may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) untrusted: Vec<PathBuf>,
    /// CRLs, complete and delta (PEM or DER); may be repeated
    #[arg(long = "crl", value_name = "FILE")]
    pub(crate) crls: Vec<PathBuf>,
    /// Judge as of this time (RFC 3339, like 2026-11-21T20:00:00Z) instead of now
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) at: Option<UnixTime>,
    /// Let signatures and imprints over SHA-1 count
    #[arg(long)]
    pub(crate) allow_sha1: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What was stamped.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Stamped {
    /// The file that was stamped
    #[arg(long, value_name = "FILE")]
    pub(crate) data: Option<PathBuf>,
    /// The digest of what was stamped: sha256, sha384, sha512 or sha1, and hexadecimal digits
    #[arg(long, value_name = "ALG:HEX", value_parser = parse_digest)]
    pub(crate) digest: Option<KnownDigest>,
}

#[derive(Debug, Clone)]
pub(crate) struct KnownDigest {
    pub(crate) hash: NamedHash,
    pub(crate) octets: Vec<u8>,
}

#[derive(Debug, Args)]
pub(crate) struct TimestampInspect {
    /// A TimeStampResp or a bare token, PEM or DER
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_digest(text: &str) -> Result<KnownDigest, String> {
    let form = || "a digest reads like sha256:0123…, with two digits for each octet".to_owned();
    let (name, digits) = text.split_once(':').ok_or_else(form)?;
    let hash = match name.to_ascii_lowercase().as_str() {
        "sha256" => NamedHash::Strong(HashAlgorithm::Sha256),
        "sha384" => NamedHash::Strong(HashAlgorithm::Sha384),
        "sha512" => NamedHash::Strong(HashAlgorithm::Sha512),
        "sha1" => NamedHash::Sha1,
        _ => return Err("the algorithms are sha256, sha384, sha512 and sha1".into()),
    };
    let pairs = digits.as_bytes().chunks(2);
    let octet = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit));
        text.and_then(|text| u8::from_str_radix(text, 16).ok())
    };
    let octets = pairs.map(octet).collect::<Option<Vec<u8>>>().ok_or_else(form)?;
    match hash.digest(b"").map(|any| any.len()) {
        Some(length) if length == octets.len() => Ok(KnownDigest { hash, octets }),
        _ => Err(format!("{} octets are no {hash}", octets.len())),
    }
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "In a registry or layout, a signature with the timestamp in its envelope is stored beside the old one. A bundle is never \
changed: a new one is written, which carries the timestamp as evidence beside the signature; it is not sealed."
)]
pub(crate) struct TimestampAdd {
    #[arg(value_name = "REF", help = format!("The signed artifact: {REFERENCE_FORMS}"))]
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
