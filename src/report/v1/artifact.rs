//! What became of an artifact, and which part of the policy decided.

use serde::{Deserialize, Serialize};

use super::signature::not_enforced;
use super::{Signature, Word, sorted};
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::oci::{MediaType, Reference, Repository};
use crate::ops::verify::VerifiedRoot;
use crate::time::UnixTime;
use crate::verification::ArtifactOutcome;

/// One artifact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// Its name; in an unsealed bundle, a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size.
    pub size: u64,
    /// The verdict.
    pub verdict: Word,
    /// The codes that explain it, sorted.
    pub codes: Vec<DiagnosticCode>,
    /// Of a trusted artifact: what failed or could not be determined about every good signature, and did not count because
    /// the policy only logs it; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_enforced: Vec<DiagnosticCode>,
    /// The part of the trust policy that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Its signatures, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// Signatures that nobody looked at, because the policy says skip or does not cover the repository.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Digest>,
    /// Signed things that belong to it (children, other referrers). They do not change its verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Artifact>,
}

/// The part of the trust policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The repository under which the artifact was judged.
    pub scope: Repository,
    /// The statement that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Its verification level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The scope of the statement that covers the repository, as the policy writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Where no statement covers it: the scopes that the policy has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

impl Artifact {
    pub(super) fn of_root(root: &VerifiedRoot, at: Option<UnixTime>) -> Self {
        let reference = root.root.reference.clone();
        let Some(outcome) = &root.outcome else {
            let descriptor = &root.root.descriptor;
            return Self {
                reference,
                digest: descriptor.digest,
                media_type: descriptor.media_type.clone(),
                size: descriptor.size,
                verdict: Word::NotJudged,
                codes: vec![DiagnosticCode::NotVerified],
                not_enforced: Vec::new(),
                policy: None,
                signatures: Vec::new(),
                unjudged: Vec::new(),
                parts: Vec::new(),
            };
        };
        let parts = root.parts.iter().map(|part| Self::of(part, at)).collect();
        Self { reference, parts, ..Self::of(outcome, at) }
    }

    fn of(outcome: &ArtifactOutcome, at: Option<UnixTime>) -> Self {
        let signatures: Vec<Signature> =
            outcome.signatures.iter().map(|signature| Signature::of(signature, at)).collect();
        let verdict = Word::of(&outcome.verdict);
        Self {
            reference: None,
            digest: outcome.artifact.digest,
            media_type: outcome.artifact.media_type.clone(),
            size: outcome.artifact.size,
            verdict,
            codes: sorted(outcome.verdict.codes()),
            policy: Some(Policy::of(outcome)),
            unjudged: outcome.unjudged.clone(),
            not_enforced: if verdict == Word::Trusted { not_enforced(&signatures) } else { Vec::new() },
            signatures,
            parts: Vec::new(),
        }
    }
}

impl Policy {
    pub(super) fn of(outcome: &ArtifactOutcome) -> Self {
        let statement = outcome.statement.as_ref();
        Self {
            scope: outcome.scope.clone(),
            statement: statement.map(|statement| statement.name.clone()),
            level: statement.map(|statement| statement.level.clone()),
            pattern: statement.map(|statement| statement.pattern.clone()),
            scopes: outcome.scopes.clone(),
        }
    }
}
