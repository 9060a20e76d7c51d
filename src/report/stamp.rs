//! How a timestamp was judged (`schemas/timestamp-v1.schema.json`), and what a token says
//! (`schemas/timestamp-token-v1.schema.json`).

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::path::{
    PathCertificate, PathFacts, PathFailure, left_out, write_certificates, write_failure, write_notices,
};
use super::tables::Clean;
use super::v1::Notice;
use crate::cms::SignerId;
use crate::code::DiagnosticCode;
use crate::digest::hex;
use crate::ops::stamp::StampVerdict;
use crate::pki::Certificate;
use crate::time::UnixTime;
use crate::tsp::{EssVersion, Stamp, StampSettings, TimestampError};

/// The document of `bulla timestamp verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StampReport {
    /// Always 1.
    pub schema_version: u32,
    /// What made the document.
    pub tool: String,
    /// Whether the timestamp holds.
    pub valid: bool,
    /// The time at which the authority's path was judged.
    pub at: UnixTime,
    /// Why it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<PathFailure>,
    /// What the token says, if it can be read. Nothing of it counts unless the timestamp holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenFacts>,
    /// The authority's path, its own certificate first, the anchor last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<PathCertificate>,
    /// What the reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// The document of `bulla timestamp inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenReport {
    /// Always 1.
    pub schema_version: u32,
    /// What made the document.
    pub tool: String,
    /// What the token says. Nothing was verified.
    pub token: TokenFacts,
}

/// What a token says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenFacts {
    /// When the authority saw the imprint.
    pub gen_time: UnixTime,
    /// How far off that may be, both ways: `1s`, `500ms`, `1500100us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<String>,
    /// The authority's policy.
    pub policy: String,
    /// The token's serial number, in hexadecimal.
    pub serial: String,
    /// The hash of the imprint: `SHA-256`, …, or an object identifier.
    pub hash: String,
    /// The imprint, in hexadecimal.
    pub imprint: String,
    /// Whether tokens of this authority are in the order of their times.
    pub ordering: bool,
    /// The nonce of the request, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What the authority calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsa: Option<String>,
    /// Extensions, each by its object identifier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// The status of the response, if it was one: `granted` or `grantedWithMods`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// Who signed.
    pub signer: SignerFacts,
    /// The certificates in the token, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<PathCertificate>,
}

/// What a token says of its signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignerFacts {
    /// The subject of its certificate, if that is in the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How it is named: `issuerAndSerialNumber` or `subjectKeyIdentifier`.
    pub named_by: String,
    /// The serial number or the key identifier, in hexadecimal.
    pub identifier: String,
    /// The hash of the content.
    pub digest_algorithm: String,
    /// The signature algorithm.
    pub signature_algorithm: String,
    /// The attributes that bind its certificate, with their hash: `ESSCertIDv2 SHA-256`.
    pub bound_by: Vec<String>,
    /// When it says it signed; nothing rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_time: Option<UnixTime>,
}

impl StampReport {
    /// Makes the report.
    pub fn new(verdict: &StampVerdict, settings: &StampSettings) -> Self {
        let mut report = Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            valid: verdict.outcome.is_ok(),
            at: settings.at,
            failure: None,
            token: verdict.stamp.as_ref().map(TokenFacts::new),
            path: Vec::new(),
            notices: Vec::new(),
        };
        match &verdict.outcome {
            Ok(valid) => {
                let facts = PathFacts::new(valid.path());
                report.path = facts.path;
                report.notices = facts.notices;
                if valid.info().earliest() > settings.at {
                    let message = format!("the timestamp is of {}, after {}", valid.info().gen_time, settings.at);
                    report.notices.push(Notice { code: DiagnosticCode::ClockBehind, message });
                }
            }
            Err(error) => report.failure = Some(failure(error)),
        }
        report.notices.extend(verdict.unusable.iter().map(left_out));
        report
    }
}

fn failure(error: &TimestampError) -> PathFailure {
    let evidence = match error {
        TimestampError::Path { source } => PathFailure::new(source).evidence,
        _ => Vec::new(),
    };
    PathFailure { code: error.own_code(), message: error.to_string(), hint: error.own_hint(), evidence }
}

impl TokenReport {
    /// Makes the report.
    pub fn new(stamp: &Stamp) -> Self {
        Self { schema_version: 1, tool: super::TOOL.to_owned(), token: TokenFacts::new(stamp) }
    }
}

impl TokenFacts {
    fn new(stamp: &Stamp) -> Self {
        let info = stamp.info();
        let certificate = |certificate: &Certificate| PathCertificate::new(certificate, false, None);
        Self {
            gen_time: info.gen_time,
            accuracy: info.accuracy.map(written),
            policy: info.policy.clone(),
            serial: info.serial.to_string(),
            hash: info.hash.to_string(),
            imprint: hex(&info.imprint),
            ordering: info.ordering,
            nonce: info.nonce.as_deref().map(hex),
            tsa: info.tsa.clone(),
            extensions: info.extensions.iter().map(|(oid, _)| oid.clone()).collect(),
            response: stamp.answer().map(|answer| {
                let word = if answer.status == 0 { "granted" } else { "grantedWithMods" };
                word.to_owned()
            }),
            signer: SignerFacts::new(stamp),
            certificates: stamp.certificates().iter().map(certificate).collect(),
        }
    }
}

/// In the largest unit that needs no fraction.
fn written(accuracy: std::time::Duration) -> String {
    match (accuracy.subsec_micros(), accuracy.subsec_millis()) {
        (0, _) => format!("{}s", accuracy.as_secs()),
        (micros, millis) if millis.saturating_mul(1000) == micros => format!("{}ms", accuracy.as_millis()),
        _ => format!("{}us", accuracy.as_micros()),
    }
}

impl SignerFacts {
    fn new(stamp: &Stamp) -> Self {
        let signer = stamp.signer();
        let (named_by, identifier) = match signer.id() {
            SignerId::IssuerAndSerial { serial, .. } => ("issuerAndSerialNumber", serial.to_string()),
            SignerId::KeyIdentifier(key) => ("subjectKeyIdentifier", hex(key)),
        };
        let bound = stamp.essential().into_iter().map(|(version, hash)| match version {
            EssVersion::V1 => format!("ESSCertID {hash}"),
            EssVersion::V2 => format!("ESSCertIDv2 {hash}"),
        });
        Self {
            subject: stamp.authority().map(|certificate| certificate.subject().to_string()),
            named_by: named_by.to_owned(),
            identifier,
            digest_algorithm: signer.digest_algorithm().to_string(),
            signature_algorithm: signer.signature_algorithm(),
            bound_by: bound.collect(),
            signing_time: stamp.signing_time(),
        }
    }
}

/// Writes the verdict for people.
///
/// # Errors
/// Those of the writer.
pub fn write_stamp(report: &StampReport, out: &mut dyn Write) -> io::Result<()> {
    let word = if report.valid { "VALID" } else { "NOT VALID" };
    match &report.token {
        Some(token) => writeln!(out, "{word}  timestamp of {}", token.gen_time)?,
        None => writeln!(out, "{word}  timestamp that cannot be read")?,
    }
    write_failure(report.failure.as_ref(), out)?;
    writeln!(out, "  at           {}", report.at)?;
    if let Some(token) = &report.token {
        write_token(token, out)?;
    }
    write_certificates(&report.path, out)?;
    write_notices(&report.notices, out)
}

/// Writes what a token says for people.
///
/// # Errors
/// Those of the writer.
pub fn write_token_report(report: &TokenReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "TIMESTAMP  {}", report.token.gen_time)?;
    write_token(&report.token, out)?;
    write_certificates(&report.token.certificates, out)?;
    writeln!(out, "Nothing was verified: this is what the file says.")
}

fn write_token(token: &TokenFacts, out: &mut dyn Write) -> io::Result<()> {
    let accuracy = token.accuracy.as_deref().unwrap_or("not given");
    writeln!(out, "  accuracy     {accuracy}")?;
    writeln!(out, "  imprint      {} {}", token.hash, token.imprint)?;
    writeln!(out, "  policy       {}", token.policy)?;
    writeln!(out, "  serial       {}", token.serial)?;
    let optional = [("nonce", &token.nonce), ("authority", &token.tsa), ("response", &token.response)];
    for (word, text) in optional {
        if let Some(text) = text {
            writeln!(out, "  {word:<11}  {}", Clean(text))?;
        }
    }
    for extension in &token.extensions {
        writeln!(out, "  extension    {extension}")?;
    }
    let signer = &token.signer;
    let subject = signer.subject.as_deref().unwrap_or("certificate not in the token");
    writeln!(out, "  signer       {}", Clean(subject))?;
    writeln!(out, "               {} {}", signer.named_by, signer.identifier)?;
    writeln!(out, "               {}, {}", signer.signature_algorithm, signer.bound_by.join(", "))?;
    Ok(())
}
