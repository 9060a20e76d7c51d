//! NIST PKITS 1.0.1: every test of the suite, with its CRLs and policies.

use std::path::PathBuf;

use bulla::pki::validation::Duties;

use crate::case::{Case, load};
use crate::skip;
use crate::table::{Exception, Table, check};

const EXCEPTIONS: &[Exception] = &[
    Exception {
        id: "4.1.4",
        reason: "DSA: withdrawn for signing by FIPS 186-5, and here with SHA-1 and 1024 bits; bulla has no DSA",
    },
    Exception {
        id: "4.1.5",
        reason: "DSA, with parameters that are inherited besides: withdrawn for signing by FIPS 186-5; bulla has no DSA",
    },
];

/// Where `.ci/run` puts the certificates, or where `BULLA_PKITS` says that they are: the folder with `certs` and `crls`.
pub(crate) fn folder() -> Option<PathBuf> {
    let installed = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/suites/pkits");
    let folder = std::env::var_os("BULLA_PKITS").map_or(installed, PathBuf::from);
    if folder.join("certs").is_dir() {
        return Some(folder);
    }
    skip::tool(format_args!(
        "PKITS: no certificates in {}; .ci/run installs them, or BULLA_PKITS names PKITS_data of the package cryptography_vectors",
        folder.display()
    ));
    None
}

/// Where a file of the table lies.
pub(crate) fn place(folder: &std::path::Path, name: &str) -> PathBuf {
    folder.join(name.strip_prefix("pkits/").unwrap())
}

pub(crate) fn cases() -> Option<(Vec<Case>, PathBuf)> {
    Some((load("pkits.json")?, folder()?))
}

#[test]
fn every_test_of_pkits() {
    let Some((cases, folder)) = cases() else { return };
    let read = |name: &str| std::fs::read(place(&folder, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut table = Table::default();
    let mut outcomes = Vec::new();
    for case in &cases {
        let verdict = case.judge(Duties::Reported, &read);
        let why = verdict.outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        table.add(case, verdict.outcome.is_ok(), &why);
        outcomes.push((case, verdict.outcome.is_ok(), why));
    }
    table.print("PKITS");
    check(&outcomes, EXCEPTIONS);
}

/// What PKITS says of the policies of a valid path.
#[test]
fn the_policies_of_valid_paths() {
    let Some((cases, folder)) = cases() else { return };
    let read = |name: &str| std::fs::read(place(&folder, name)).unwrap();
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| case.is_valid()) {
        let Ok(path) = case.judge(Duties::Reported, &read).outcome else { continue };
        let mut found: Vec<String> = path.policies().user_constrained.iter().map(ToString::to_string).collect();
        let mut expected = case.user_constrained_policy_set.clone();
        found.sort();
        expected.sort();
        if found != expected {
            wrong.push(format!("{}: {found:?}, not {expected:?}", case.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
