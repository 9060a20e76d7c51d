//! What came of a case, in the words of `expect`.

use std::collections::{BTreeMap, BTreeSet};

use bulla::code::Diagnostic;
use bulla::ops::verify::{Verification, VerifyError};
use bulla::verification::{ArtifactOutcome, Finding, Verdict};
use serde_json::Value;

use crate::case::Expect;

/// What came of a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdict: String,
    pub(crate) codes: BTreeSet<String>,
    pub(crate) notes: BTreeSet<String>,
    pub(crate) shows: BTreeMap<String, Value>,
}

impl Outcome {
    /// Something was read, and what it says.
    pub(crate) fn accepted<K: Into<String>>(shows: impl IntoIterator<Item = (K, Value)>) -> Self {
        let shows = shows.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { verdict: "accepted".into(), shows, ..Self::default() }
    }

    /// Something was not read, and why.
    pub(crate) fn refused(error: &dyn Diagnostic) -> Self {
        let codes = BTreeSet::from([error.code().as_str().to_owned()]);
        Self { verdict: "refused".into(), codes, ..Self::default() }
    }

    /// What a whole verification says of its only artifact.
    pub(crate) fn of_verification(verification: &Verification) -> Self {
        let [root] = verification.artifacts.as_slice() else { panic!("a case judges one artifact") };
        Self::of_artifact(root.outcome.as_ref().expect("a case is judged"))
    }

    /// What judging says of an artifact: its verdict with its codes, and as notes every other code in the findings about
    /// its signatures.
    pub(crate) fn of_artifact(outcome: &ArtifactOutcome) -> Self {
        let verdict = match outcome.verdict {
            Verdict::Trusted(_) => "trusted",
            Verdict::Rejected(_) => "rejected",
            Verdict::Undecided(_) => "undecided",
            Verdict::Skipped => "skipped",
        };
        let codes: BTreeSet<String> = outcome.verdict.codes().iter().map(|code| code.as_str().to_owned()).collect();
        let findings = outcome.signatures.iter().flat_map(|signature| &signature.checks);
        let notes = findings.filter_map(|judged| match &judged.check.finding {
            Finding::Failed(failure) | Finding::Undetermined(failure) => Some(failure.code),
            Finding::Excused(_, code) => Some(*code),
            Finding::NotApplicable(_, code) => *code,
            Finding::Passed(_) | Finding::NotRun(_) => None,
        });
        let notes = notes.map(|code| code.as_str().to_owned()).filter(|code| !codes.contains(code)).collect();
        let statement = outcome.statement.as_ref().map(|statement| statement.name.clone());
        let order: Vec<String> =
            outcome.signatures.iter().map(|signature| signature.facts.signature.to_string()).collect();
        let shows = [
            ("statement", statement.map_or(Value::Null, Value::from)),
            ("signatures", Value::from(outcome.signatures.len())),
            ("signatureDigests", Value::from(order)),
            ("checks", checks(outcome)),
        ];
        let shows = shows.map(|(name, value)| (name.to_owned(), value)).into();
        Self { verdict: verdict.to_owned(), codes, notes, shows }
    }

    /// As [`Outcome::of_verification`]; that it could not be carried through is a refusal.
    pub(crate) fn of_result(result: &Result<Verification, VerifyError>) -> Self {
        match result {
            Ok(verification) => Self::of_verification(verification),
            Err(error) => Self::refused(error),
        }
    }

    /// What differs from what was expected, in words; nothing if it is as it should be.
    pub(crate) fn differences(&self, expect: &Expect) -> Vec<String> {
        let set = |texts: &[String]| texts.iter().cloned().collect::<BTreeSet<_>>();
        let mut found = Vec::new();
        if self.verdict != expect.verdict {
            found.push(format!("the verdict is {:?}, expected {:?}", self.verdict, expect.verdict));
        }
        if self.codes != set(&expect.codes) {
            found.push(format!("the codes are {:?}, expected {:?}", self.codes, expect.codes));
        }
        if let Some(notes) = &expect.notes
            && self.notes != set(notes)
        {
            found.push(format!("the notes are {:?}, expected {notes:?}", self.notes));
        }
        for (name, value) in &expect.shows {
            let shown = self.shows.get(name);
            if shown != Some(value) {
                found.push(format!("{name} is {shown:?}, expected {value}"));
            }
        }
        found
    }
}

/// The findings on the first signature, `CHECK: RESULT` each, in the order in which they were made.
fn checks(outcome: &ArtifactOutcome) -> Value {
    let first = outcome.signatures.first().map(|signature| signature.checks.as_slice()).unwrap_or_default();
    let texts = first.iter().map(|judged| {
        let result = match &judged.check.finding {
            Finding::Passed(_) => "passed".to_owned(),
            Finding::Excused(_, code) => format!("excused {}", code.as_str()),
            Finding::Failed(failure) => format!("failed {}", failure.code.as_str()),
            Finding::Undetermined(failure) => format!("undetermined {}", failure.code.as_str()),
            Finding::NotApplicable(..) => "not-applicable".to_owned(),
            Finding::NotRun(_) => "not-run".to_owned(),
        };
        format!("{} ({}): {result}", judged.check.kind, judged.action)
    });
    texts.collect()
}
