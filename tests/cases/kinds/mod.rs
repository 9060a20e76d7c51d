//! What a case can run. One file a kind; each has its own `Inputs`, read strictly.

mod chain;
pub(crate) mod config;
pub(crate) mod envelope;
mod identity;
mod manifest;
pub(crate) mod material;
mod payload;
mod policy;
mod reference;
pub(crate) mod vector;
pub(crate) mod verdict;

use crate::case::Case;
use crate::judging;
use crate::outcome::Outcome;

/// What running a case gives.
pub(crate) enum Ran {
    /// What came of it.
    Outcome(Outcome),
    /// It cannot be run on this machine, and why. The suite says so aloud.
    Skipped(String),
}

impl From<Outcome> for Ran {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

/// Runs a case. An error means that the case itself is wrong, never that bulla refused something.
pub(crate) type Run = fn(&Case) -> Result<Ran, String>;

const OWN: &[(&str, Run)] = &[
    ("blob-policy", policy::blob),
    ("chain", chain::run),
    ("config", config::run),
    ("envelope", envelope::run),
    ("identity", identity::run),
    ("manifest", manifest::run),
    ("payload", payload::run),
    ("policy", policy::oci),
    ("reference", reference::run),
    ("vector", vector::judged),
    ("vector-envelope", vector::changed),
    ("verdict", verdict::run),
];

/// Every kind, by the name in `case.json`.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, Run)> {
    OWN.iter().chain(judging::KINDS).copied()
}

/// The kind of that name.
pub(crate) fn find(name: &str) -> Option<Run> {
    all().find(|(known, _)| *known == name).map(|(_, run)| run)
}
