//! What became of a bundle's seal.

use serde::{Deserialize, Serialize};

use super::signature::not_enforced;
use super::{Policy, Signature, sorted};
use crate::archive::StreamPosition;
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::ops::seal::SealOutcome;
use crate::time::UnixTime;
use crate::verification::{ArtifactOutcome, Verdict};

/// A bundle's seal: a signature on the bundle manifest, which says which name belongs to which digest, and that nothing
/// was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seal {
    /// What became of it.
    pub verdict: SealWord,
    /// The digest of the bundle manifest, which names the bundle.
    pub bundle: Digest,
    /// The codes that explain a verdict other than trusted, sorted.
    pub codes: Vec<DiagnosticCode>,
    /// Of a trusted seal: what failed or could not be determined, and did not count because the policy only logs it; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<DiagnosticCode>,
    /// The place in a series that the bundle claims; a trusted seal vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamPosition>,
    /// The part of the trust policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The seal itself, where it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A seal's verdict in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealWord {
    /// There is none: names are claims.
    Absent,
    /// It is good: names, tags and completeness are vouched for.
    Trusted,
    /// The policy says that seals are not to be verified: names are claims.
    Skipped,
    /// The operator said not to judge it: names are claims.
    Ignored,
    /// Only the bytes were checked.
    NotJudged,
    /// It could not be told.
    Undecided,
    /// It is not good.
    Rejected,
}

impl Seal {
    pub(super) fn of(outcome: &SealOutcome, at: Option<UnixTime>) -> Option<Self> {
        Some(match outcome {
            SealOutcome::NoBundle => return None,
            SealOutcome::Unsealed { bundle } => Self::bare(SealWord::Absent, bundle.digest),
            SealOutcome::NotJudged(members) => Self::bare(SealWord::NotJudged, members.bundle().digest),
            SealOutcome::Ignored(members) => Self::bare(SealWord::Ignored, members.bundle().digest),
            SealOutcome::Judged { judgement, .. } => Self::judged(judgement.outcome(), at),
        })
    }

    const fn bare(verdict: SealWord, bundle: Digest) -> Self {
        Self {
            verdict,
            bundle,
            codes: Vec::new(),
            not_enforced: Vec::new(),
            stream: None,
            policy: None,
            signature: None,
        }
    }

    fn judged(outcome: &ArtifactOutcome, at: Option<UnixTime>) -> Self {
        let verdict = SealWord::of(&outcome.verdict);
        let signature = outcome.signatures.first().map(|signature| Signature::of(signature, at));
        let logged = || not_enforced(signature.as_slice());
        Self {
            codes: sorted(outcome.verdict.codes()),
            not_enforced: if verdict == SealWord::Trusted { logged() } else { Vec::new() },
            policy: Some(Policy::of(outcome)),
            signature,
            ..Self::bare(verdict, outcome.artifact.digest)
        }
    }
}

impl SealWord {
    const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Trusted(_) => Self::Trusted,
            Verdict::Skipped => Self::Skipped,
            Verdict::Undecided(_) => Self::Undecided,
            Verdict::Rejected(_) => Self::Rejected,
        }
    }
}
