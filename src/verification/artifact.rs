//! Judging an artifact: every signature of it, under the statement that covers its repository.

use std::collections::{BTreeMap, BTreeSet};

use super::memo::Memo;
use super::signature::{FoundSignature, Terms, examine};
use super::verdict::{SignatureOutcome, Verdict, judge_artifact, judge_signature};
use crate::digest::Digest;
use crate::notary::Purpose;
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
    /// Where no statement covers the scope: the scopes that the policy has.
    pub scopes: Vec<String>,
    /// Signatures that nobody looked at, because no statement covers the scope or the statement says skip.
    pub unjudged: Vec<Digest>,
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
    /// The scope of the statement that covers the repository, as the policy writes it.
    pub pattern: String,
}

fn scopes_of(policy: &PolicyDocument) -> Vec<String> {
    policy.statements().flat_map(|(scopes, _)| scopes.iter().map(ToString::to_string)).collect()
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
/// it, under each of its names in their order. The verdict is about the manifest: whoever has it has the file.
pub fn evaluate_file(
    manifest: &Descriptor,
    scopes: &[&Repository],
    signatures: &[(Descriptor, FoundSignature)],
    statement: Option<&PolicyStatement>,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Vec<ArtifactOutcome> {
    let mut outcomes: Vec<SignatureOutcome> = match statement {
        Some(statement) if !statement.level().is_skip() => signatures
            .iter()
            .map(|(file, found)| {
                judge_signature(examine(Purpose::Artifact, file, found, statement, terms, memo), statement.level())
            })
            .collect(),
        _ => Vec::new(),
    };
    outcomes.sort_by_key(|outcome| outcome.facts.signature);
    let is_judged = outcomes.len() == signatures.len();
    let passed_over = signatures.iter().filter(|_| !is_judged).map(|(_, found)| found.digest);
    let unjudged: Vec<Digest> = BTreeSet::from_iter(passed_over).into_iter().collect();
    let under = |scope: &&Repository| ArtifactOutcome {
        artifact: manifest.clone(),
        scope: Repository::clone(scope),
        // Statements about files have no scope.
        statement: statement.map(|statement| StatementName {
            name: statement.name().to_owned(),
            level: describe(statement.level()),
            pattern: scope.to_string(),
        }),
        scopes: Vec::new(),
        unjudged: unjudged.clone(),
        signatures: outcomes.clone(),
        verdict: judge_artifact(manifest, scope, statement, &outcomes),
    };
    scopes.iter().map(under).collect()
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
    let memo = Memo::new(terms.limits);
    (!level.is_skip()).then(|| judge_signature(examine(Purpose::Artifact, blob, found, statement, terms, &memo), level))
}

/// Judges `artifact` by `signatures`. All of them are judged and reported: a broken one never hides a good one.
pub fn evaluate(
    artifact: &Descriptor,
    scope: &Repository,
    signatures: &[FoundSignature],
    policy: &PolicyDocument,
    terms: &Terms<'_>,
) -> ArtifactOutcome {
    let outcomes =
        judge_under(Purpose::Artifact, artifact, signatures, policy.select(scope), terms, &Memo::new(terms.limits));
    conclude(artifact, scope, signatures, policy, outcomes)
}

/// As [`evaluate`], for one of many artifacts that are judged together, under each of its names in their order. What a
/// signature is worth depends on the statement that covers a name, not on the name: it is judged once for each statement.
pub fn evaluate_names(
    artifact: &Descriptor,
    scopes: &[&Repository],
    signatures: &[FoundSignature],
    policy: &PolicyDocument,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Vec<ArtifactOutcome> {
    let mut found: Vec<ArtifactOutcome> = Vec::with_capacity(scopes.len());
    let mut judged: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    for scope in scopes {
        let statement = policy.select(scope);
        let name = statement.map(PolicyStatement::name);
        let outcomes = match judged.get(&name).and_then(|place| found.get(*place)) {
            Some(same) => same.signatures.clone(),
            None => judge_under(Purpose::Artifact, artifact, signatures, statement, terms, memo),
        };
        judged.entry(name).or_insert(found.len());
        found.push(conclude(artifact, scope, signatures, policy, outcomes));
    }
    found
}

/// A bundle's seal, judged as a seal. Only [`evaluate_seal`] makes one: a signature on the bundle manifest that was made for
/// anything else is none, whoever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealJudgement {
    outcome: ArtifactOutcome,
}

impl SealJudgement {
    /// What was found and decided. The artifact in it is the bundle manifest.
    pub const fn outcome(&self) -> &ArtifactOutcome {
        &self.outcome
    }
}

/// Judges the seal on the bundle manifest `bundle`: as any signature, and that its payload says what it is for.
pub fn evaluate_seal(
    bundle: &Descriptor,
    scope: &Repository,
    seal: &FoundSignature,
    policy: &PolicyDocument,
    terms: &Terms<'_>,
) -> SealJudgement {
    let seal = std::slice::from_ref(seal);
    let outcomes = judge_under(Purpose::Seal, bundle, seal, policy.select(scope), terms, &Memo::new(terms.limits));
    SealJudgement { outcome: conclude(bundle, scope, seal, policy, outcomes) }
}

/// Every signature under one statement, by digest; none where there is no statement, or it says skip.
fn judge_under(
    purpose: Purpose,
    artifact: &Descriptor,
    signatures: &[FoundSignature],
    statement: Option<&PolicyStatement>,
    terms: &Terms<'_>,
    memo: &Memo,
) -> Vec<SignatureOutcome> {
    let Some(statement) = statement.filter(|statement| !statement.level().is_skip()) else { return Vec::new() };
    let judge = |found| judge_signature(examine(purpose, artifact, found, statement, terms, memo), statement.level());
    let mut outcomes: Vec<SignatureOutcome> = signatures.iter().map(judge).collect();
    outcomes.sort_by_key(|outcome| outcome.facts.signature);
    outcomes
}

/// What became of the artifact under one name, by what its signatures were found to be worth under the name's statement.
fn conclude(
    artifact: &Descriptor,
    scope: &Repository,
    signatures: &[FoundSignature],
    policy: &PolicyDocument,
    outcomes: Vec<SignatureOutcome>,
) -> ArtifactOutcome {
    let selected = policy.select_by(scope);
    let statement = selected.map(|(_, statement)| statement);
    let is_judged = outcomes.len() == signatures.len();
    let passed_over = signatures.iter().filter(|_| !is_judged).map(|found| found.digest);
    let unjudged = BTreeSet::from_iter(passed_over).into_iter().collect();
    let verdict = judge_artifact(artifact, scope, statement, &outcomes);
    ArtifactOutcome {
        artifact: artifact.clone(),
        scope: scope.clone(),
        statement: selected.map(|(pattern, statement)| StatementName {
            name: statement.name().to_owned(),
            level: describe(statement.level()),
            pattern: pattern.to_string(),
        }),
        scopes: if statement.is_none() { scopes_of(policy) } else { Vec::new() },
        unjudged,
        signatures: outcomes,
        verdict,
    }
}
