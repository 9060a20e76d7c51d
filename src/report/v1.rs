//! The verification report, version 1 (`schemas/report-v1.schema.json`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::oci::{MediaType, Reference, Repository};
use crate::ops::seal::SealOutcome;
use crate::ops::verify::{Verification, VerifiedRoot};
use crate::time::UnixTime;
use crate::trust::Action;
use crate::verification::{
    ArtifactOutcome, EvidenceUse, Finding, Freshness, JudgedCheck, RevocationReading, SignatureOutcome,
    SignatureVerdict, SignerFacts, TimeSource, Verdict,
};

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
    pub fn new(source: Source, clock: Option<Clock>, verification: &Verification, notices: Vec<Notice>) -> Self {
        let at = clock.as_ref().map(|clock| clock.verification_time);
        let artifacts: Vec<Artifact> = verification.artifacts.iter().map(|root| Artifact::of_root(root, at)).collect();
        let verdict = artifacts.iter().map(|artifact| artifact.verdict).max().unwrap_or(Word::NotJudged);
        let mut codes: Vec<DiagnosticCode> =
            artifacts.iter().flat_map(|artifact| artifact.codes.iter().copied()).collect();
        codes.sort_unstable_by_key(|code| code.as_str());
        codes.dedup();
        Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            source,
            clock,
            verdict,
            codes,
            integrity: Integrity { blobs: verification.integrity.blobs, bytes: verification.integrity.bytes },
            seal: Seal::of(&verification.seal, at),
            artifacts,
            notices,
        }
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

impl Artifact {
    fn of_root(root: &VerifiedRoot, at: Option<UnixTime>) -> Self {
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
        Self {
            reference: None,
            digest: outcome.artifact.digest,
            media_type: outcome.artifact.media_type.clone(),
            size: outcome.artifact.size,
            verdict: Word::of(&outcome.verdict),
            codes: sorted(outcome.verdict.codes()),
            policy: Some(Policy::of(outcome)),
            unjudged: outcome.unjudged.clone(),
            signatures: outcome.signatures.iter().map(|signature| Signature::of(signature, at)).collect(),
            parts: Vec::new(),
        }
    }
}

impl Seal {
    fn of(outcome: &SealOutcome, at: Option<UnixTime>) -> Option<Self> {
        let bare = |verdict, bundle| Self { verdict, bundle, codes: Vec::new(), policy: None, signature: None };
        Some(match outcome {
            SealOutcome::NoBundle => return None,
            SealOutcome::Unsealed { bundle } => bare(SealWord::Absent, bundle.digest),
            SealOutcome::NotJudged(members) => bare(SealWord::NotJudged, members.bundle().digest),
            SealOutcome::Ignored(members) => bare(SealWord::Ignored, members.bundle().digest),
            SealOutcome::Judged { outcome, .. } => Self {
                verdict: SealWord::of(&outcome.verdict),
                bundle: outcome.artifact.digest,
                codes: sorted(outcome.verdict.codes()),
                policy: Some(Policy::of(outcome)),
                signature: outcome.signatures.first().map(|signature| Signature::of(signature, at)),
            },
        })
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

impl Policy {
    fn of(outcome: &ArtifactOutcome) -> Self {
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

impl Signature {
    fn of(outcome: &SignatureOutcome, at: Option<UnixTime>) -> Self {
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
    pub(super) fn of(facts: &SignerFacts) -> Self {
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

/// An error as a document, for `--format json` (`schemas/error-v1.schema.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorDocument {
    /// Always 1.
    pub schema_version: u32,
    /// What made it.
    pub tool: String,
    /// The error.
    pub error: ErrorBody,
}

/// The error in an [`ErrorDocument`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorBody {
    /// The code.
    pub code: DiagnosticCode,
    /// What happened.
    pub message: String,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl ErrorDocument {
    /// The document of an error.
    pub fn new(error: &dyn Diagnostic) -> Self {
        Self {
            schema_version: 1,
            tool: super::TOOL.to_owned(),
            error: ErrorBody { code: error.code(), message: error.to_string(), hint: error.hint() },
        }
    }
}
