//! What became of a signature: who signed, when, what was checked and by which evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sorted;
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::oci::MediaType;
use crate::time::UnixTime;
use crate::trust::Action;
use crate::verification::{
    EvidenceUse, Finding, JudgedCheck, SignatureOutcome, SignatureVerdict, SignerFacts, TimeSource,
};

/// One signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// The signature manifest.
    pub digest: Digest,
    /// The media type of its envelope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<MediaType>,
    /// Whether it is good under the policy.
    pub verdict: SignatureWord,
    /// The codes that explain it, sorted.
    pub codes: Vec<DiagnosticCode>,
    /// The signer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    /// What is known about when it was made.
    pub times: Times,
    /// Metadata that the signer added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub user_metadata: BTreeMap<String, String>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// The revocation data that was used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// The verdict on one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureWord {
    /// Good
    Good,
    /// Something enforced failed
    Rejected,
    /// Something enforced could not be determined
    Undecided,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signer {
    /// Subject of the certificate.
    pub subject: String,
    /// Issuer of the certificate.
    pub issuer: String,
    /// Its serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// Its key.
    pub key: String,
    /// The signature algorithm.
    pub algorithm: String,
}

/// When a signature was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Times {
    /// The signing scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
    /// What the signer says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_signing_time: Option<UnixTime>,
    /// What somebody trusted vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticated_signing_time: Option<AuthenticatedTime>,
    /// When the signature expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<UnixTime>,
}

/// A signing time that somebody vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticatedTime {
    /// Not before this.
    pub earliest: UnixTime,
    /// Not after this.
    pub latest: UnixTime,
    /// Who vouches: `timestamp` or `signing-authority`.
    pub source: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What was checked, by the names of the trust policy.
    pub check: String,
    /// What the policy does about a bad result: `enforce`, `log` or `skip`.
    pub action: String,
    /// What was found.
    pub result: CheckResult,
    /// The code of a failure or of something to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<DiagnosticCode>,
    /// The finding, in a sentence.
    pub message: String,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The certificate that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckResult {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed,
    /// It could not be determined.
    Undetermined,
    /// There is nothing to check.
    NotApplicable,
    /// It was not run.
    NotRun,
}

/// Revocation data that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// What it is: `crl`, `delta-crl` or `ocsp`.
    pub kind: String,
    /// SHA-256 of it.
    pub digest: Digest,
    /// Who issued it.
    pub issuer: String,
    /// When.
    pub this_update: UnixTime,
    /// Until when it is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<UnixTime>,
    /// Its age at the verification time, in seconds.
    pub age_seconds: u64,
    /// The certificate that it was asked about.
    pub certificate: String,
}

/// The codes of what failed or could not be determined and did not count, because the policy only logs it, or was not checked
/// because the policy says so: what a verdict stands on that one good signature without any such finding does not need. Sorted.
pub(super) fn not_enforced(signatures: &[Signature]) -> Vec<DiagnosticCode> {
    let good = signatures.iter().filter(|signature| signature.verdict == SignatureWord::Good);
    let logged: Vec<Vec<DiagnosticCode>> = good.map(|signature| signature.lenient().collect()).collect();
    if logged.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let mut codes = sorted(&logged.concat());
    codes.dedup();
    codes
}

impl Check {
    /// What would or might have spoken against the signature, if the policy did not merely log it, or skip it.
    pub fn not_enforced(&self) -> Option<DiagnosticCode> {
        match (self.action.as_str(), self.result) {
            ("log", CheckResult::Failed | CheckResult::Undetermined) => self.code,
            ("skip", _) => Some(DiagnosticCode::CheckSkipped),
            _ => None,
        }
    }
}

impl Signature {
    /// The codes of the findings that the policy only logs, and that it skips a check.
    fn lenient(&self) -> impl Iterator<Item = DiagnosticCode> + '_ {
        self.checks.iter().filter_map(Check::not_enforced)
    }

    pub(super) fn of(outcome: &SignatureOutcome, at: Option<UnixTime>) -> Self {
        let facts = &outcome.facts;
        let (verdict, codes) = match &outcome.verdict {
            SignatureVerdict::Good => (SignatureWord::Good, Vec::new()),
            SignatureVerdict::Rejected(codes) => (SignatureWord::Rejected, sorted(codes)),
            SignatureVerdict::Undecided(codes) => (SignatureWord::Undecided, sorted(codes)),
        };
        Self {
            digest: facts.signature,
            envelope: facts.media_type.clone(),
            verdict,
            codes,
            signer: facts.signer.as_ref().map(Signer::of),
            times: Times::of(outcome),
            user_metadata: facts.user_metadata.clone(),
            checks: outcome.checks.iter().map(Check::of).collect(),
            evidence: facts.evidence.iter().map(|used| Evidence::of(used, at)).collect(),
        }
    }
}

impl Signer {
    pub(in crate::report) fn of(facts: &SignerFacts) -> Self {
        Self {
            subject: facts.subject.clone(),
            issuer: facts.issuer.clone(),
            serial: facts.serial.clone(),
            fingerprint: facts.fingerprint,
            key: facts.key.clone(),
            algorithm: facts.algorithm.clone(),
        }
    }
}

impl Times {
    fn of(outcome: &SignatureOutcome) -> Self {
        let times = &outcome.facts.times;
        Self {
            scheme: times.scheme.map(|scheme| scheme.to_string()),
            claimed_signing_time: times.claimed,
            authenticated_signing_time: times.authenticated.map(|time| AuthenticatedTime {
                earliest: time.earliest,
                latest: time.latest,
                source: match time.source {
                    TimeSource::Timestamp => "timestamp".to_owned(),
                    TimeSource::SigningAuthority => "signing-authority".to_owned(),
                },
            }),
            expiry: times.expiry,
        }
    }
}

impl Check {
    fn of(judged: &JudgedCheck) -> Self {
        let (result, code, message, hint) = match &judged.check.finding {
            Finding::Passed(message) => (CheckResult::Passed, None, message, None),
            Finding::Excused(message, code) => (CheckResult::Passed, Some(*code), message, None),
            Finding::Failed(failure) => {
                (CheckResult::Failed, Some(failure.code), &failure.message, failure.hint.clone())
            }
            Finding::Undetermined(failure) => {
                (CheckResult::Undetermined, Some(failure.code), &failure.message, failure.hint.clone())
            }
            Finding::NotApplicable(message, code) => (CheckResult::NotApplicable, *code, message, None),
            Finding::NotRun(message) => (CheckResult::NotRun, None, message, None),
        };
        Self {
            check: judged.check.kind.to_string(),
            action: match judged.action {
                Action::Enforce => "enforce".to_owned(),
                Action::Log => "log".to_owned(),
                Action::Skip => "skip".to_owned(),
            },
            result,
            code,
            message: message.clone(),
            hint,
            certificate: judged.check.certificate.clone(),
        }
    }
}

impl Evidence {
    fn of(used: &EvidenceUse, at: Option<UnixTime>) -> Self {
        Self {
            kind: used.kind.as_str().to_owned(),
            digest: used.digest,
            issuer: used.issuer.clone(),
            this_update: used.this_update,
            next_update: used.next_update,
            age_seconds: at.map_or(0, |at| at.since(used.this_update).as_secs()),
            certificate: used.certificate.clone(),
        }
    }
}
