//! What both show of the same signatures.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{program, serve, worlds};
use crate::case::Case;
use crate::{runner, tools};

/// `inspect -o json` of both over signatures with subjects, algorithms and tokens of all kinds.
#[test]
fn signatures_are_shown_alike() {
    let test = "signatures_are_shown_alike";
    if !tools::there(test, &["notation"]) {
        return;
    }
    let (cases, _) = runner::cases();
    let (names, others): (Vec<&Case>, Vec<&Case>) =
        cases.iter().filter(|case| can_be_shown(case)).partition(|case| case.file.kind == "identity");
    let mut shown = 0;
    for case in names.into_iter().chain(others.into_iter().step_by(9)) {
        let Ok(worlds) = worlds::of(case) else { continue };
        let registry = serve(&worlds[0].0);
        let (_, repository) = worlds[0].0.repository.split_once('/').unwrap();
        let reference = format!("{}/{repository}@{}", registry.host(), worlds[0].0.target.digest);
        let [theirs, ours] =
            [(program::installed(), "Signatures"), (PathBuf::from(env!("CARGO_BIN_EXE_bulla")), "signatures")]
                .map(|(program, member)| inspected(&program, &reference, member));
        assert_eq!(theirs, ours, "{}", case.id);
        shown += 1;
    }
    assert!(shown > 60, "{shown}");
}

/// The signatures as a program shows them, without what the two versions of Notation have different names for.
fn inspected(program: &Path, reference: &str, member: &str) -> Vec<Value> {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["inspect", "--insecure-registry", "-o", "json", reference].map(str::to_owned);
    let ended = program::run(program, home.path(), "127.0.0.1:9", &arguments);
    let document: Value = ended.document().unwrap_or_else(|| panic!("{ended:?}"));
    let mut signatures = document[member].as_array().unwrap().clone();
    for signature in &mut signatures {
        for member in ["mediaType", "signatureEnvelopeType"] {
            signature.as_object_mut().unwrap().remove(member);
        }
        signature["signedAttributes"].as_object_mut().unwrap().remove("contentType");
        // Notation drops fractions of seconds.
        if let Some(time) = signature.pointer_mut("/unsignedAttributes/timestampSignature/timestamp") {
            let text = time.as_str().unwrap();
            let whole = |time: &str| {
                format!("{}Z", time.trim_matches(['[', ']', ' ']).trim_end_matches('Z').split('.').next().unwrap())
            };
            *time = text.split(',').map(whole).collect::<Vec<_>>().join(" to ").into();
        }
    }
    signatures.sort_by_key(|signature| signature["digest"].to_string());
    signatures
}

/// Signatures that are well formed: of one whose chain or token is not, the two show different things.
fn can_be_shown(case: &Case) -> bool {
    let timestamp = case.id.starts_with("timestamp/");
    let kind = ["identity", "vector", "signed"].contains(&&*case.file.kind);
    kind && case.file.expect.verdict != "refused" && (!timestamp || case.id.starts_with("timestamp/end-"))
}
