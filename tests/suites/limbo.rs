//! C2SP/x509-limbo: the cases that need no host name. `core` is what RFC 5280 settles; the other tiers are duties of
//! authorities (`profile`), cost (`dos`) and what RFC 5280 leaves open (`wildcard`).

use bulla::pki::validation::Duties;

use crate::case::{Case, load};
use crate::table::{Exception, Table, check};

/// Cases in which an authority does not keep the profile of RFC 5280 §4 or §5. Validation by §6 does not depend on it, so
/// that the path is valid; the departure is reported, and `--strict-profile` refuses it.
const DUTIES: &[Exception] = &[
    Exception {
        id: "crl::crlnumber-missing",
        reason: "§5.2.3 binds issuers of CRLs; §6.3 needs the number for deltas only, and a delta without it is refused",
    },
    Exception {
        id: "crl::crlnumber-critical",
        reason: "§5.2.3 binds issuers of CRLs; an extension that is understood may be marked critical",
    },
    Exception {
        id: "rfc5280::root-non-critical-basic-constraints",
        reason: "§4.2.1.9 binds authorities; §6.1 reads basicConstraints critical or not",
    },
    Exception {
        id: "rfc5280::aki::leaf-missing-aki",
        reason: "§4.2.1.1 binds authorities; the identifier is a hint for building paths, and §6.1 does not read it",
    },
    Exception {
        id: "rfc5280::aki::intermediate-missing-aki",
        reason: "§4.2.1.1 binds authorities; the identifier is a hint for building paths, and §6.1 does not read it",
    },
    Exception {
        id: "rfc5280::aki::cross-signed-root-missing-aki",
        reason: "§4.2.1.1 binds authorities, and nothing of an anchor but its name and key is an input of §6.1",
    },
    Exception {
        id: "rfc5280::nc::permitted-dns-match-noncritical",
        reason: "the same chain is valid as webpki::nc::permitted-dns-match-noncritical (core); the constraint is processed",
    },
    Exception {
        id: "rfc5280::pc::ica-noncritical-pc",
        reason: "§4.2.1.11 binds authorities; §6.1 processes policyConstraints critical or not",
    },
    Exception {
        id: "rfc5280::san::noncritical-with-empty-subject",
        reason: "§4.2.1.6 binds authorities; §6.1 processes subjectAltName critical or not",
    },
    Exception {
        id: "rfc5280::san::underscore-dns",
        reason: "§4.2.1.6 binds authorities; hosts with underscores exist, and no constraint is at stake",
    },
    Exception {
        id: "rfc5280::san::ip-in-dns",
        reason: "§4.2.1.6 binds authorities; as a host name the text stands for no address, and no constraint is at stake",
    },
    Exception {
        id: "rfc5280::serial::negative",
        reason: "§4.1.2.2 asks who relies on certificates to handle such numbers, and PKITS 4.4.14 wants them accepted",
    },
    Exception {
        id: "rfc5280::serial::zero",
        reason: "§4.1.2.2 asks who relies on certificates to handle such numbers; PKITS 4.4.14 wants negative ones accepted",
    },
    Exception {
        id: "rfc5280::ski::root-missing-ski",
        reason: "§4.2.1.2 binds authorities; the identifier is a hint for building paths, and §6.1 does not read it",
    },
    Exception {
        id: "rfc5280::ski::intermediate-missing-ski",
        reason: "§4.2.1.2 binds authorities; the identifier is a hint for building paths, and §6.1 does not read it",
    },
];

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
    // Nobody is left in the dark about them.
    for case in cases.iter().filter(|case| DUTIES.iter().any(|exception| exception.id == case.id)) {
        let path = case.judge(Duties::Reported, &|name| case.files[name].clone().into_bytes()).outcome.unwrap();
        assert!(!path.departures().is_empty(), "{}", case.id);
    }
    assert!(DUTIES.iter().all(|exception| cases.iter().all(|case| case.id != exception.id || !case.is_core())));
}

#[test]
fn the_profile_can_be_enforced() {
    let Some(mut cases) = load("limbo.json") else { return };
    cases.retain(|case| !case.is_core());
    judge(&cases, Duties::Enforced, "limbo, tiers beside core, --strict-profile", STRICT);
}
