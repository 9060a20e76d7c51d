//! `sign`, and what every command that signs or stamps shares.

use std::path::PathBuf;
use std::time::Duration;

use bulla::notary::EnvelopeType;
use clap::{Args, ValueEnum};

use super::signing::KeyOptions;
use super::{REFERENCE_FORMS, Registry, parse_key_value};

#[derive(Debug, Args)]
#[command(
    after_long_help = "A bundle is never changed: a new one is written, with the signature added; it is not sealed."
)]
pub(crate) struct Sign {
    #[arg(value_name = "REF", help = format!("What to sign: {REFERENCE_FORMS}"))]
    pub(crate) reference: String,
    /// Passed over, as Notation does
    #[arg(hide = true)]
    pub(crate) rest: Vec<String>,
    #[command(flatten)]
    pub(crate) key: KeyOptions,
    #[command(flatten)]
    pub(crate) signature: SignatureOptions,
    #[command(flatten)]
    pub(crate) authority: AuthorityOptions,
    /// REF is PATH:TAG or PATH@DIGEST of an OCI layout
    #[arg(long, conflicts_with = "force_referrers_tag")]
    pub(crate) oci_layout: bool,
    /// List the signature under the referrers tag also where the registry has the referrers API
    #[arg(long)]
    pub(crate) force_referrers_tag: bool,
    /// Write the signature manifest in the form for OCI 1.0, the only one that Notation up to 1.3.2 finds in layouts
    #[arg(long)]
    pub(crate) legacy_manifest: bool,
    #[command(flatten)]
    pub(crate) bundle: NewBundle,
    #[command(flatten)]
    pub(crate) registry: Registry,
}

/// What a signature says, and in which format.
#[derive(Debug, Args)]
pub(crate) struct SignatureOptions {
    /// The format of the signature envelope
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true)]
    pub(crate) signature_format: Option<SignatureFormat>,
    /// How long the signature is to hold, like 24h or 1h30m; without it, as long as its certificates
    #[arg(short, long, value_name = "DURATION", value_parser = parse_expiry)]
    pub(crate) expiry: Option<Duration>,
    /// Metadata to sign beside the artifact; may be repeated
    #[arg(short = 'm', long, value_name = "KEY=VALUE", value_parser = parse_key_value)]
    pub(crate) user_metadata: Vec<(String, String)>,
}

/// The formats of a signature envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureFormat {
    /// JWS JSON
    Jws,
    /// COSE_Sign1
    Cose,
}

impl From<SignatureFormat> for EnvelopeType {
    fn from(format: SignatureFormat) -> Self {
        match format {
            SignatureFormat::Jws => Self::Jws,
            SignatureFormat::Cose => Self::Cose,
        }
    }
}

/// Who confirms the time.
#[derive(Debug, Args)]
pub(crate) struct AuthorityOptions {
    /// Ask this RFC 3161 timestamp authority for a timestamp
    #[arg(long, value_name = "URL", requires = "timestamp_root_cert")]
    pub(crate) timestamp_url: Option<String>,
    /// The root certificate of the timestamp authority, PEM or DER
    #[arg(long, value_name = "FILE", requires = "timestamp_url")]
    pub(crate) timestamp_root_cert: Option<PathBuf>,
}

/// A bundle that takes the place of one that is not changed.
#[derive(Debug, Args)]
pub(crate) struct NewBundle {
    /// For a bundle: the new bundle to write; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// CRLs from a file or directory: for a bundle to carry, and about the timestamp authority; may be repeated
    #[arg(long = "crl", value_name = "FILE|DIR")]
    pub(crate) crls: Vec<PathBuf>,
    /// For a bundle: fetch no revocation data: only what --crl gives and the bundle carries
    #[arg(long)]
    pub(crate) offline: bool,
    /// For a bundle: write it even where revocation data cannot be had; it says what is missing
    #[arg(long)]
    pub(crate) allow_missing_evidence: bool,
}

/// A duration as Go writes it: decimal numbers with units behind each other, `1h30m`, `1.5h`, `90s`. Whole seconds, not
/// negative (conformance 2.26).
pub(crate) fn parse_expiry(text: &str) -> Result<Duration, String> {
    const FORM: &str = "a duration reads like 24h, 90m or 1h30m";
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(FORM.to_owned());
        }
        let unit = after.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        nanos = part(whole, fraction, unit).and_then(|part| nanos.checked_add(part)).ok_or(FORM)?;
        rest = after;
    }
    // Go's durations end after 292 years.
    let nanos = i64::try_from(nanos).map_err(|_| "the duration is too long".to_owned())?.unsigned_abs();
    match nanos {
        _ if unsigned.is_empty() => Err(FORM.to_owned()),
        nanos if !nanos.is_multiple_of(1_000_000_000) => Err("a duration in whole seconds is wanted".to_owned()),
        nanos => Ok(Duration::from_nanos(nanos)),
    }
}

fn part(whole: &str, fraction: &str, unit: &str) -> Option<u128> {
    let unit: u128 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    // More than these no unit can tell apart.
    let fraction: String = fraction.chars().take(18).collect();
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let behind = number(&fraction)?.checked_mul(unit)?.checked_div(scale)?;
    number(whole)?.checked_mul(unit)?.checked_add(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let seconds = |text: &str| parse_expiry(text).map(|duration| duration.as_secs());
        for (text, wanted) in [
            ("0", 0),
            ("24h", 86_400),
            ("1h30m", 5_400),
            ("1.5h", 5_400),
            (".5m", 30),
            ("2.m", 120),
            ("+90s", 90),
            ("1m1m", 120),
            ("2000ms", 2),
        ] {
            assert_eq!(seconds(text), Ok(wanted), "{text}");
        }
        for bad in ["", "+", "1", "h", ".h", "-1h", "1d", "1 h", "1h30", "300ms", "1.0001s", "9999999999h", "1hh"] {
            assert!(parse_expiry(bad).is_err(), "{bad}");
        }
    }
}
