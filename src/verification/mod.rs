//! Decisions. Pure: what is judged, the trust, the evidence and the time are all arguments.
//!
//! Checks return [findings](Finding); [`verdict`] alone reads the trust policy's level and makes a verdict of them.

pub mod evidence;
pub mod plan;
pub mod revocation;
pub mod signature;

mod artifact;
mod freshness;
mod memo;
mod outcome;
mod plugin;
mod reading;
mod timestamp;
mod verdict;

pub use artifact::{
    ArtifactOutcome, SealJudgement, StatementName, evaluate, evaluate_blob, evaluate_file, evaluate_names,
    evaluate_seal,
};
pub use evidence::{CarriedEvidence, EvidenceFlood, EvidenceKind, EvidenceUse, InScope};
pub(crate) use freshness::Span;
pub use freshness::{Clocks, Freshness, FreshnessError};
pub use memo::{EvidenceTries, Memo};
pub use outcome::{Check, Failure, Finding};
pub use plan::{ChainRole, EvidenceNeed, EvidencePlan, PlanNote, plan, plan_with};
pub use plugin::VerificationPlugins;
pub use reading::{ReadingError, RevocationReading};
pub use signature::{FoundSignature, SignatureFacts, SignatureTimes, SignerFacts, Terms};
pub use timestamp::{AuthenticatedTime, TimeSource};
pub use verdict::{JudgedCheck, SignatureOutcome, SignatureVerdict, TrustedArtifact, Verdict};
