//! From findings to verdicts. This is the only place that reads the trust policy's verification level.

use super::signature::SignatureFacts;
use super::{Check, Finding};
use crate::code::DiagnosticCode;
use crate::oci::{Descriptor, Repository};
use crate::trust::{Action, CheckKind, PolicyStatement, VerificationLevel};

/// A check with what the policy makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedCheck {
    /// The finding.
    pub check: Check,
    /// Whether a bad finding counts.
    pub action: Action,
}

impl JudgedCheck {
    /// Whether it speaks against the signature under the policy.
    pub fn counts_against(&self) -> bool {
        self.action == Action::Enforce && self.check.finding.failure().is_some()
    }
}

/// What one signature is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureVerdict {
    /// It is good under the policy.
    Good,
    /// It is bad: at least one enforced check failed.
    Rejected(Vec<DiagnosticCode>),
    /// Nothing enforced failed, but something enforced could not be determined.
    Undecided(Vec<DiagnosticCode>),
}

/// A signature with its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureOutcome {
    /// What was found, but for the findings, which are among the checks.
    pub facts: SignatureFacts,
    /// The findings under the policy's level.
    pub checks: Vec<JudgedCheck>,
    /// The verdict.
    pub verdict: SignatureVerdict,
}

/// Judges one signature's facts at a level.
pub(super) fn judge_signature(mut facts: SignatureFacts, level: &VerificationLevel) -> SignatureOutcome {
    let judge = |mut check: Check| {
        let action = level.action(check.kind);
        if action == Action::Skip {
            check.finding = Finding::NotRun(format!("the policy says skip for {}", check.kind));
        }
        JudgedCheck { check, action }
    };
    let checks: Vec<JudgedCheck> = std::mem::take(&mut facts.checks).into_iter().map(judge).collect();
    let codes = |pick: fn(&Finding) -> bool| {
        let mut codes: Vec<DiagnosticCode> = checks
            .iter()
            .filter(|judged| judged.counts_against() && pick(&judged.check.finding))
            .filter_map(|judged| Some(judged.check.finding.failure()?.code))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    let failed = codes(|finding| matches!(finding, Finding::Failed(_)));
    let undetermined = codes(|finding| matches!(finding, Finding::Undetermined(_)));
    // Fail closed: a signature without an enforced integrity check that passed is good at no level.
    let intact = checks
        .iter()
        .any(|judged| judged.check.kind == CheckKind::Integrity && matches!(judged.check.finding, Finding::Passed(_)));
    let verdict = if !failed.is_empty() {
        SignatureVerdict::Rejected(failed)
    } else if !undetermined.is_empty() {
        SignatureVerdict::Undecided(undetermined)
    } else if intact {
        SignatureVerdict::Good
    } else {
        SignatureVerdict::Rejected(vec![DiagnosticCode::SignatureInvalid])
    };
    SignatureOutcome { facts, checks, verdict }
}

/// An artifact that at least one signature vouches for under the host's policy. Only judging makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedArtifact {
    descriptor: Descriptor,
    scope: Repository,
}

impl TrustedArtifact {
    /// The artifact.
    pub const fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The artifact, for whoever acts on the proof.
    pub fn into_descriptor(self) -> Descriptor {
        self.descriptor
    }

    /// The repository under which it was judged.
    pub const fn scope(&self) -> &Repository {
        &self.scope
    }
}

/// What an artifact is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// At least one signature is good (conformance 1.30).
    Trusted(Box<TrustedArtifact>),
    /// No signature is good, and why.
    Rejected(Vec<DiagnosticCode>),
    /// No signature is good, but one of them might be if more were known.
    Undecided(Vec<DiagnosticCode>),
    /// The policy says skip: nothing was judged (conformance 8.04).
    Skipped,
}

impl Verdict {
    /// Whether the artifact is rejected for want of any signature.
    pub fn is_unsigned(&self) -> bool {
        matches!(self, Self::Rejected(codes) if codes.as_slice() == [DiagnosticCode::SignatureAbsent])
    }

    /// The codes that explain it.
    pub fn codes(&self) -> &[DiagnosticCode] {
        match self {
            Self::Rejected(codes) | Self::Undecided(codes) => codes,
            Self::Trusted(_) => &[],
            Self::Skipped => &[DiagnosticCode::SkippedByPolicy],
        }
    }
}

/// Judges an artifact by its signatures.
pub(super) fn judge_artifact(
    artifact: &Descriptor,
    scope: &Repository,
    statement: Option<&PolicyStatement>,
    signatures: &[SignatureOutcome],
) -> Verdict {
    let Some(statement) = statement else {
        return Verdict::Rejected(vec![DiagnosticCode::PolicyNotApplicable]);
    };
    if statement.level().is_skip() {
        return Verdict::Skipped;
    }
    let mut rejected = Vec::new();
    let mut undecided = Vec::new();
    for signature in signatures {
        match &signature.verdict {
            SignatureVerdict::Good => {
                let (descriptor, scope) = (artifact.clone(), scope.clone());
                return Verdict::Trusted(Box::new(TrustedArtifact { descriptor, scope }));
            }
            SignatureVerdict::Rejected(codes) => rejected.extend_from_slice(codes),
            SignatureVerdict::Undecided(codes) => undecided.extend_from_slice(codes),
        }
    }
    let sorted = |mut codes: Vec<DiagnosticCode>| {
        codes.sort_unstable();
        codes.dedup();
        codes
    };
    if !undecided.is_empty() {
        return Verdict::Undecided(sorted(undecided));
    }
    if signatures.is_empty() {
        rejected.push(DiagnosticCode::SignatureAbsent);
    }
    Verdict::Rejected(sorted(rejected))
}

#[cfg(test)]
mod tests {
    use super::super::signature::SignatureTimes;
    use super::*;
    use crate::digest::Digest;
    use crate::trust::LevelName;
    use crate::verification::Failure;

    fn facts(findings: &[(CheckKind, Finding)]) -> SignatureFacts {
        SignatureFacts {
            signature: Digest::sha256(b""),
            media_type: None,
            signer: None,
            times: SignatureTimes::default(),
            user_metadata: Default::default(),
            checks: findings.iter().map(|(kind, finding)| Check::of(*kind, finding.clone())).collect(),
            evidence: Vec::new(),
        }
    }

    fn failed(code: DiagnosticCode) -> Finding {
        Finding::Failed(Failure::new(code, "bad"))
    }

    fn judged(level: LevelName, findings: &[(CheckKind, Finding)]) -> SignatureVerdict {
        judge_signature(facts(findings), &VerificationLevel::new(level)).verdict
    }

    #[test]
    fn the_level_decides_which_findings_count() {
        // Conformance 7.13 and 8.02.
        use DiagnosticCode::{CertificateRevoked, ChainUntrusted, CrlMissing, SignatureExpired, SignatureInvalid};
        let ok = (CheckKind::Integrity, Finding::Passed("ok".into()));
        let untrusted = (CheckKind::Authenticity, failed(ChainUntrusted));
        let expired = (CheckKind::Expiry, failed(SignatureExpired));
        let revoked = (CheckKind::Revocation, failed(CertificateRevoked));
        let unknown = (CheckKind::Revocation, Finding::Undetermined(Failure::new(CrlMissing, "?")));
        let broken = (CheckKind::Integrity, failed(SignatureInvalid));
        let rejected = |code| SignatureVerdict::Rejected(vec![code]);
        use LevelName::{Audit, Permissive, Strict};
        for (level, findings, expected) in [
            (Strict, vec![ok.clone()], SignatureVerdict::Good),
            (Strict, vec![ok.clone(), unknown.clone()], SignatureVerdict::Undecided(vec![CrlMissing])),
            (Strict, vec![ok.clone(), unknown.clone(), expired.clone()], rejected(SignatureExpired)),
            (Permissive, vec![ok.clone(), unknown.clone(), expired.clone(), revoked.clone()], SignatureVerdict::Good),
            (Permissive, vec![ok.clone(), untrusted.clone()], rejected(ChainUntrusted)),
            (Audit, vec![ok.clone(), untrusted.clone(), revoked.clone()], SignatureVerdict::Good),
            (Audit, vec![broken.clone()], rejected(SignatureInvalid)),
            // Nothing that was found to be wrong is not enough: integrity must have been found to hold.
            (Audit, vec![], rejected(SignatureInvalid)),
        ] {
            assert_eq!(judged(level, &findings), expected, "{level:?} {findings:?}");
        }
    }

    #[test]
    fn the_best_signature_decides_and_could_not_tell_is_never_good() {
        let artifact = Descriptor::of("a/b", b"x");
        let scope: Repository = "host/repo".parse().unwrap();
        let policy = crate::trust::PolicyDocument::parse(
            br#"{"version":"1.0","trustPolicies":[
                {"name":"n","registryScopes":["host/repo"],"signatureVerification":{"level":"strict"},
                 "trustStores":["ca:x"],"trustedIdentities":["*"]},
                {"name":"s","registryScopes":["host/skipped"],"signatureVerification":{"level":"skip"}}]}"#,
        )
        .unwrap();
        let outcome = |verdict| SignatureOutcome { facts: facts(&[]), checks: Vec::new(), verdict };
        let good = outcome(SignatureVerdict::Good);
        let bad = outcome(SignatureVerdict::Rejected(vec![DiagnosticCode::SignatureInvalid]));
        let open = outcome(SignatureVerdict::Undecided(vec![DiagnosticCode::CrlMissing]));
        let judge =
            |signatures: &[SignatureOutcome]| judge_artifact(&artifact, &scope, policy.select(&scope), signatures);
        assert!(matches!(judge(&[bad.clone(), good, open.clone()]), Verdict::Trusted(_)));
        assert_eq!(judge(&[bad.clone(), open]), Verdict::Undecided(vec![DiagnosticCode::CrlMissing]));
        assert_eq!(judge(&[bad]), Verdict::Rejected(vec![DiagnosticCode::SignatureInvalid]));
        assert!(judge(&[]).is_unsigned());
        let other: Repository = "host/other".parse().unwrap();
        let verdict = judge_artifact(&artifact, &other, policy.select(&other), &[]);
        assert_eq!(verdict, Verdict::Rejected(vec![DiagnosticCode::PolicyNotApplicable]));
        let skipped: Repository = "host/skipped".parse().unwrap();
        assert_eq!(judge_artifact(&artifact, &skipped, policy.select(&skipped), &[]), Verdict::Skipped);
    }
}
