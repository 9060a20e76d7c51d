//! The verification report, version 1 (`schemas/report-v1.schema.json`).
//!
//! `artifact` tells what became of each artifact, `signature` of each signature, `seal` of a bundle's seal; `error` is
//! the document that an error is.

use serde::{Deserialize, Serialize};

use crate::archive::StreamPosition;
use crate::code::DiagnosticCode;
use crate::ops::verify::Verification;
use crate::time::UnixTime;
use crate::verification::{Freshness, RevocationReading, Verdict};

mod artifact;
mod error;
mod seal;
mod signature;

pub use artifact::{Artifact, Policy};
pub use error::{ErrorBody, ErrorDocument};
pub use seal::{Seal, SealWord};
pub use signature::{AuthenticatedTime, Check, CheckResult, Evidence, Signature, SignatureWord, Signer, Times};

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// Always 1.
    pub schema_version: u32,
    /// What made the report.
    pub tool: String,
    /// Where the content lies.
    pub source: Source,
    /// The verification time and the rules about time; absent if only the bytes were checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// What became of it all.
    pub verdict: Word,
    /// The codes that explain a verdict other than trusted, sorted.
    pub codes: Vec<DiagnosticCode>,
    /// What was hashed. A report exists only where all of it was what its digests say.
    pub integrity: Integrity,
    /// The seal, or that there is none; absent where the source is no bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<Seal>,
    /// The artifacts.
    pub artifacts: Vec<Artifact>,
    /// What the reader should know beside the verdicts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// Where the content lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// What kind of place it is.
    pub kind: SourceKind,
    /// The place, as the operator named it.
    pub location: String,
}

/// Kinds of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// A bundle
    Bundle,
    /// Another tool's archive of an OCI layout
    Archive,
    /// An OCI layout directory
    Layout,
    /// A registry
    Registry,
}

/// The times that the verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Clock {
    /// The verification time.
    pub verification_time: UnixTime,
    /// Whether it is the host's clock or was given.
    pub source: ClockSource,
    /// The freshness rule for revocation data.
    pub freshness: String,
    /// As of when a certificate must not have been revoked: `now`, or `point-in-time`.
    pub revocation_time: String,
    /// Whether revocation data might be fetched.
    pub network: NetworkUse,
}

/// Where the verification time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockSource {
    /// The host's clock
    HostClock,
    /// The operator
    Given,
}

/// Whether the network might be used for evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkUse {
    /// Never touched
    Forbidden,
    /// Asked for what was not carried
    Allowed,
}

/// A verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// At least one signature is good under the host's policy.
    Trusted,
    /// The policy says that nothing is to be verified.
    Skipped,
    /// Only the bytes were checked.
    NotJudged,
    /// It could not be told.
    Undecided,
    /// No signature is good.
    Rejected,
}

/// What was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Integrity {
    /// Blobs and manifests.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notice {
    /// The code.
    pub code: DiagnosticCode,
    /// What it is about, in a sentence.
    pub message: String,
}

impl Report {
    /// Makes the report of a verification.
    pub fn new(source: Source, clock: Option<Clock>, verification: &Verification, mut notices: Vec<Notice>) -> Self {
        let at = clock.as_ref().map(|clock| clock.verification_time);
        let artifacts: Vec<Artifact> = verification.artifacts.iter().map(|root| Artifact::of_root(root, at)).collect();
        let verdict = artifacts.iter().map(|artifact| artifact.verdict).max().unwrap_or(Word::NotJudged);
        let mut codes: Vec<DiagnosticCode> =
            artifacts.iter().flat_map(|artifact| artifact.codes.iter().copied()).collect();
        codes.sort_unstable_by_key(|code| code.as_str());
        codes.dedup();
        let seal = Seal::of(&verification.seal, at);
        notices.extend(not_enforced(&artifacts, seal.as_ref()));
        Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            source,
            clock,
            verdict,
            codes,
            integrity: Integrity { blobs: verification.integrity.blobs, bytes: verification.integrity.bytes },
            seal,
            artifacts,
            notices,
        }
    }
}

/// Says once what would be easy to miss: that somebody who wrote the policy, and not a check, lets something be trusted.
fn not_enforced(artifacts: &[Artifact], seal: Option<&Seal>) -> Option<Notice> {
    let lenient = artifacts.iter().filter(|artifact| !artifact.not_enforced.is_empty()).count();
    let seal = seal.is_some_and(|seal| !seal.not_enforced.is_empty()).then_some("the seal");
    let artifacts = match (lenient, artifacts.len()) {
        (0, _) => None,
        (1, 1) => Some("the artifact".to_owned()),
        (some, all) => Some(format!("{some} of {all} artifacts")),
    };
    let what: Vec<&str> = artifacts.as_deref().into_iter().chain(seal).collect();
    if what.is_empty() {
        return None;
    }
    let message = format!(
        "{}: trusted although a check failed or was not made; the level of the trust policy's statement, or its override, does \
         not enforce it",
        what.join(" and ")
    );
    Some(Notice { code: DiagnosticCode::NotEnforced, message })
}

impl Report {
    /// Adds the place in a series that a bundle claims.
    #[must_use]
    pub fn with_stream(mut self, stream: Option<StreamPosition>) -> Self {
        if let Some(seal) = &mut self.seal {
            seal.stream = stream;
        }
        self
    }
}

impl Clock {
    /// The clock of a judgement.
    pub fn new(
        at: UnixTime,
        source: ClockSource,
        freshness: Freshness,
        reading: RevocationReading,
        network: NetworkUse,
    ) -> Self {
        let (freshness, revocation_time) = (freshness.to_string(), reading.to_string());
        Self { verification_time: at, source, freshness, revocation_time, network }
    }
}

impl Word {
    /// The word of a verdict.
    pub const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Trusted(_) => Self::Trusted,
            Verdict::Rejected(_) => Self::Rejected,
            Verdict::Undecided(_) => Self::Undecided,
            Verdict::Skipped => Self::Skipped,
        }
    }

    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Skipped => "skipped",
            Self::NotJudged => "not judged",
            Self::Undecided => "undecided",
            Self::Rejected => "rejected",
        }
    }
}

fn sorted(codes: &[DiagnosticCode]) -> Vec<DiagnosticCode> {
    let mut codes = codes.to_vec();
    codes.sort_unstable_by_key(|code| code.as_str());
    codes
}
