//! C2SP/x509-limbo: the cases that need no host name. `core` is what RFC 5280 settles; the other tiers are duties of
//! authorities (`profile`), cost (`dos`) and what RFC 5280 leaves open (`wildcard`).

use bulla::pki::validation::Duties;

use crate::case::{Case, load};
use crate::table::{Exception, Table, check};

/// Cases in which an authority does not keep the profile of RFC 5280 §4 or §5. Validation by §6 does not depend on it, so
/// that the path is valid; the departure is reported, and `--strict-profile` refuses it.
const DUTIES: &[Exception] = &[];

/// What is accepted even with `--strict-profile`.
const STRICT: &[Exception] = &[];

fn judge(cases: &[Case], duties: Duties, name: &str, exceptions: &[Exception]) {
    let mut table = Table::default();
    let mut outcomes = Vec::new();
    for case in cases {
        let verdict = case.judge(duties, &|name| case.files[name].clone().into_bytes());
        let why = verdict.outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        table.add(case, verdict.outcome.is_ok(), &why);
        outcomes.push((case, verdict.outcome.is_ok(), why));
    }
    table.print(name);
    check(&outcomes, exceptions);
}

#[test]
fn every_case_of_limbo() {
    let Some(cases) = load("limbo.json") else { return };
    judge(&cases, Duties::Reported, "limbo", DUTIES);
    assert!(DUTIES.iter().all(|exception| cases.iter().all(|case| case.id != exception.id || !case.is_core())));
}

#[test]
fn the_profile_can_be_enforced() {
    let Some(mut cases) = load("limbo.json") else { return };
    cases.retain(|case| !case.is_core());
    judge(&cases, Duties::Enforced, "limbo, tiers beside core, --strict-profile", STRICT);
}
