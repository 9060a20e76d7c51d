//! How a suite went, by section.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::case::Case;

/// Cases of a section whose outcome is not the one that the suite expects.
#[derive(Default)]
struct Row {
    cases: usize,
    false_accepts: Vec<String>,
    false_rejects: Vec<String>,
}

/// All of one tier.
#[derive(Default)]
pub(crate) struct Table {
    rows: BTreeMap<String, Row>,
}

impl Table {
    pub(crate) fn add(&mut self, case: &Case, accepted: bool, why: &str) {
        let tier = case.tier.as_deref().unwrap_or("core");
        let row = self.rows.entry(format!("{tier:9} {}", case.section)).or_default();
        row.cases += 1;
        match (accepted, case.is_valid()) {
            (true, false) => row.false_accepts.push(case.id.clone()),
            (false, true) => row.false_rejects.push(format!("{} ({why})", case.id)),
            _ => {}
        }
    }

    /// Writes it past the test runner, which keeps what a passing test prints to itself.
    pub(crate) fn print(&self, name: &str) {
        let mut out =
            format!("{name}\n{:50} {:>6} {:>14} {:>14}\n", "section", "cases", "false accepts", "false rejects");
        let (mut cases, mut accepts, mut rejects) = (0, 0, 0);
        for (section, row) in &self.rows {
            let (a, r) = (row.false_accepts.len(), row.false_rejects.len());
            (cases, accepts, rejects) = (cases + row.cases, accepts + a, rejects + r);
            out += &format!("{section:50} {:>6} {a:>14} {r:>14}\n", row.cases);
            for id in &row.false_accepts {
                out += &format!("    accepts {id}\n");
            }
            for id in &row.false_rejects {
                out += &format!("    rejects {id}\n");
            }
        }
        out += &format!("{:50} {cases:>6} {accepts:>14} {rejects:>14}\n", "all");
        let _ = std::io::stderr().write_all(out.as_bytes());
    }
}

/// A case whose outcome differs from the suite's, and why that is right.
pub(crate) struct Exception {
    pub(crate) id: &'static str,
    pub(crate) reason: &'static str,
}

/// Compares outcomes with expectations: what differs must be in the table of exceptions, and what is there must differ.
pub(crate) fn check(cases: &[(&Case, bool, String)], exceptions: &[Exception]) {
    let mut wrong = Vec::new();
    for (case, accepted, why) in cases {
        let excepted = exceptions.iter().find(|exception| exception.id == case.id);
        match (*accepted == case.is_valid(), excepted) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(exception)) => {
                wrong.push(format!("{}: unexpected success; the exception says: {}", case.id, exception.reason));
            }
            (false, None) => wrong.push(format!("{}: accepted {accepted}, which is wrong: {why}", case.id)),
        }
    }
    for exception in exceptions {
        assert!(exception.reason.len() > 20, "{} needs a reason", exception.id);
        if !cases.iter().any(|(case, ..)| case.id == exception.id) {
            wrong.push(format!("{}: no such case", exception.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
