//! A sample of both suites through the program itself: exit status and document.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::case::{Case, load};
use crate::pkits;

/// Runs `bulla cert verify --format json`; its exit status and the document, which must follow the published schema.
pub(crate) fn run(arguments: &[String]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulla"));
    let output = command.args(arguments).env_clear().output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    conforms("path-v1", &document);
    (output.status.code().unwrap(), document)
}

pub(crate) fn conforms(schema: &str, document: &Value) {
    let path = format!("{}/schemas/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{document:#}");
}

/// The program says what the function says.
fn compare(case: &Case, read: &dyn Fn(&str) -> Vec<u8>, place: &dyn Fn(&str) -> PathBuf) {
    let verdict = case.judge(bulla::pki::validation::Duties::Reported, read);
    let (status, document) = run(&case.arguments(place));
    assert_eq!(status, i32::from(verdict.outcome.is_err()), "{}: {document:#}", case.id);
    assert_eq!(document["valid"], verdict.outcome.is_ok(), "{}", case.id);
    if let Err(error) = &verdict.outcome {
        use bulla::code::Diagnostic as _;
        assert_eq!(document["failure"]["code"], error.code().as_str(), "{}", case.id);
        assert_eq!(document["failure"]["message"], error.to_string(), "{}", case.id);
    }
}

#[test]
fn a_sample_of_pkits() {
    let Some((cases, folder)) = pkits::cases() else { return };
    let place = |name: &str| pkits::place(&folder, name);
    for case in cases.iter().step_by(9) {
        compare(case, &|name| std::fs::read(place(name)).unwrap(), &place);
    }
}

#[test]
fn a_sample_of_limbo() {
    let Some(cases) = load("limbo.json") else { return };
    for case in cases.iter().step_by(7) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &case.files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let place = |name: &str| Path::new(folder.path()).join(name);
        compare(case, &|name| case.files[name].clone().into_bytes(), &place);
    }
}
