//! Judging an artifact: every signature of it, under the statement that covers its repository.

use super::signature::{FoundSignature, Terms, examine};
use super::verdict::{SignatureOutcome, Verdict, judge_artifact, judge_signature};
use crate::oci::{Descriptor, Repository};
use crate::trust::{PolicyDocument, PolicyStatement, VerificationLevel};

/// Everything found and decided about one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactOutcome {
    /// The artifact.
    pub artifact: Descriptor,
    /// The repository under which it was judged.
    pub scope: Repository,
    /// The statement of the policy that covers the scope, and its level, by name.
    pub statement: Option<StatementName>,
    /// Its signatures, by digest.
    pub signatures: Vec<SignatureOutcome>,
    /// The verdict.
    pub verdict: Verdict,
}

/// Which part of the policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementName {
    /// The name of the statement.
    pub name: String,
    /// The name of its level.
    pub level: String,
}

impl StatementName {
    fn of(statement: &PolicyStatement) -> Self {
        Self { name: statement.name().to_owned(), level: describe(statement.level()) }
    }
}

/// The level by its name, with what the policy changes about it.
fn describe(level: &VerificationLevel) -> String {
    let mut text = level.base().name().to_owned();
    for (check, action) in level.overrides() {
        text.push_str(&format!(", {check}={action}"));
    }
    text
}

/// Judges a manifest that carries a file by the detached signatures of that file, each with the file as its hash describes
/// it. The verdict is about the manifest: whoever has it has the file.
pub fn evaluate_file(
    manifest: &Descriptor,
    scope: &Repository,
    signatures: &[(Descriptor, FoundSignature)],
    statement: Option<&PolicyStatement>,
    terms: &Terms<'_>,
) -> ArtifactOutcome {
    let mut outcomes: Vec<SignatureOutcome> = statement
        .into_iter()
        .flat_map(|statement| {
            signatures.iter().filter_map(|(file, found)| evaluate_blob(file, found, statement, terms))
        })
        .collect();
    outcomes.sort_by_key(|outcome| outcome.facts.signature);
    let verdict = judge_artifact(manifest, scope, statement, &outcomes);
    ArtifactOutcome {
        artifact: manifest.clone(),
        scope: scope.clone(),
        statement: statement.map(StatementName::of),
        signatures: outcomes,
        verdict,
    }
}

/// Judges the detached signature of a blob under a statement of the blob policy (conformance 12.06); `None` where that says
/// skip. `blob` is described by its own bytes, under the hash of the signature's algorithm.
pub fn evaluate_blob(
    blob: &Descriptor,
    found: &FoundSignature,
    statement: &PolicyStatement,
    terms: &Terms<'_>,
) -> Option<SignatureOutcome> {
    let level = statement.level();
    (!level.is_skip()).then(|| judge_signature(examine(blob, found, statement, terms), level))
}

/// Judges `artifact` by `signatures`. All of them are judged and reported: a broken one never hides a good one.
pub fn evaluate(
    artifact: &Descriptor,
    scope: &Repository,
    signatures: &[FoundSignature],
    policy: &PolicyDocument,
    terms: &Terms<'_>,
) -> ArtifactOutcome {
    let statement = policy.select(scope);
    let mut outcomes: Vec<SignatureOutcome> = match statement {
        Some(statement) if !statement.level().is_skip() => signatures
            .iter()
            .map(|found| judge_signature(examine(artifact, found, statement, terms), statement.level()))
            .collect(),
        _ => Vec::new(),
    };
    outcomes.sort_by_key(|outcome| outcome.facts.signature);
    let verdict = judge_artifact(artifact, scope, statement, &outcomes);
    ArtifactOutcome {
        artifact: artifact.clone(),
        scope: scope.clone(),
        statement: statement.map(StatementName::of),
        signatures: outcomes,
        verdict,
    }
}
