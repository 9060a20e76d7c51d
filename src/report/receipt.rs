//! The receipt of an import, version 1 (`schemas/receipt-v1.schema.json`): what was let in, under which name, on what
//! ground.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::tables::{Bytes, Clean, Count};
use super::v1::{Clock, Report, SealWord, Source, Times, Word};
use crate::archive::StreamPosition;
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::oci::{Reference, Repository};
use crate::ops::import::{KeptName, KeptReason};
use crate::store::KeptTag;
use crate::time::UnixTime;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// Always 1.
    pub schema_version: u32,
    /// What made the receipt.
    pub tool: String,
    /// When the import was completed, by the host's clock.
    pub completed_at: UnixTime,
    /// Where the content came from.
    pub source: Source,
    /// The verification time and the rules about time.
    pub clock: Clock,
    /// The bundle and its seal. A seal is no content of a repository: here alone it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<ReceivedSeal>,
    /// Where it went.
    pub destination: String,
    /// What was let in.
    pub imported: Vec<Imported>,
    /// What was not.
    pub refused: Vec<Refused>,
    /// Digest tags that the destination has for something else than was brought, and keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// What was written.
    pub written: Written,
}

/// A digest tag of the destination that was left as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kept {
    /// Its name: with its repository in a registry, alone in a layout.
    pub name: String,
    /// What has it.
    pub digest: Digest,
    /// What was brought for it. Its content is there, under its digest alone.
    pub brought: Digest,
    /// Why it stays.
    pub reason: KeptWord,
}

/// Why a tag was left as it was, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptWord {
    /// Nobody judged what was brought for it.
    NotJudged,
}

impl Kept {
    /// What an import says of it.
    pub fn of(kept: &KeptName) -> Self {
        let KeptTag { kept: digest, brought, .. } = kept.tag;
        let reason = match kept.reason {
            KeptReason::NotJudged => KeptWord::NotJudged,
        };
        Self { name: kept.to_string(), digest, brought, reason }
    }
}

/// The bundle, and who sealed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceivedSeal {
    /// What became of the seal.
    pub verdict: SealWord,
    /// The digest of the bundle manifest, which names the bundle.
    pub bundle: Digest,
    /// The codes that explain a verdict other than trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<DiagnosticCode>,
    /// The seal's signature manifest, where it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Digest>,
    /// The subject of the certificate that sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// SHA-256 of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Digest>,
    /// When it was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// The statement of the trust policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Of a trusted seal: what failed or could not be determined, and did not count because the policy only logs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<DiagnosticCode>,
    /// The place in a series that the bundle claims; a trusted seal vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamPosition>,
}

impl ReceivedSeal {
    /// What a report says of the seal.
    pub fn of(report: &Report) -> Option<Self> {
        let seal = report.seal.as_ref()?;
        let signature = seal.signature.as_ref();
        let signer = signature.and_then(|signature| signature.signer.as_ref());
        Some(Self {
            verdict: seal.verdict,
            bundle: seal.bundle,
            codes: seal.codes.clone(),
            signature: signature.map(|signature| signature.digest),
            signer: signer.map(|signer| signer.subject.clone()),
            fingerprint: signer.map(|signer| signer.fingerprint),
            times: signature.map(|signature| signature.times.clone()),
            statement: seal.policy.as_ref().and_then(|policy| policy.statement.clone()),
            not_enforced: seal.not_enforced.clone(),
            stream: seal.stream.clone(),
        })
    }
}

/// One artifact that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Imported {
    /// Its name in the bundle.
    pub reference: Reference,
    /// Its name at the destination.
    pub imported_as: String,
    /// Its digest.
    pub digest: Digest,
    /// How it was judged.
    pub verdict: Word,
    /// The codes that explain a verdict other than trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<DiagnosticCode>,
    /// Of a trusted artifact: what failed or could not be determined about every good signature, and did not count because
    /// the policy only logs it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<DiagnosticCode>,
    /// What the operator allowed, where the verdict alone would not have let it in: `unsigned`, `rejected`, `skipped`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// The repository under which it was judged: the reference's own, unless the operator said another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Repository>,
    /// The statement of the trust policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Its verification level, with what it overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The signatures that were good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub good_signatures: Vec<Digest>,
}

/// One artifact that was not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Refused {
    /// Its name in the bundle.
    pub reference: Reference,
    /// Its digest.
    pub digest: Digest,
    /// How it was judged.
    pub verdict: Word,
    /// Why.
    pub codes: Vec<DiagnosticCode>,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Written {
    /// Blobs and manifests that were sent.
    pub copied: u64,
    /// Those that were there already.
    pub already_there: u64,
    /// Bytes sent.
    pub bytes: u64,
}

/// Writes the receipt for people, as the end of a verification report.
///
/// # Errors
/// Those of the writer.
pub fn write_receipt(receipt: &Receipt, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for imported in &receipt.imported {
        write!(out, "imported {} as {}", imported.reference, imported.imported_as)?;
        match &imported.allowed {
            Some(allowed) => {
                writeln!(out, " ({}, let in on the operator's word: --allow {allowed})", imported.verdict.as_str())?;
            }
            None if imported.not_enforced.is_empty() => writeln!(out)?,
            None => {
                let codes: Vec<&str> = imported.not_enforced.iter().map(|code| code.as_str()).collect();
                writeln!(out, " (trusted; not enforced by the policy: {})", codes.join(", "))?;
            }
        }
    }
    for refused in &receipt.refused {
        let codes: Vec<&str> = refused.codes.iter().map(|code| code.as_str()).collect();
        writeln!(out, "NOT imported: {} ({}: {})", refused.reference, refused.verdict.as_str(), codes.join(", "))?;
    }
    for kept in &receipt.kept {
        let why = match kept.reason {
            KeptWord::NotJudged => "nobody judged what the bundle has for it",
        };
        writeln!(
            out,
            "note[{}]: {} stays with {}: {why} ({})",
            DiagnosticCode::DigestTagKept,
            Clean(&kept.name),
            kept.digest,
            kept.brought
        )?;
    }
    let written = &receipt.written;
    writeln!(
        out,
        "{}: {} written ({}), {} already there",
        Clean(&receipt.destination),
        Count(usize::try_from(written.copied).unwrap_or(usize::MAX), "blob"),
        Bytes(written.bytes),
        written.already_there
    )
}
