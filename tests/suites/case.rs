//! One case of a suite, in the terms of the `bulla cert verify` contract.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bulla::ops::path::{NamedFile, PathFiles, PathVerdict, path_limits, verify_path};
use bulla::pki::validation::{Duties, PathSettings, PolicyInputs, Purpose, RevocationMode};
use serde::Deserialize;

use crate::skip;

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Expected {
    Valid,
    Invalid,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) trust_anchors: Vec<String>,
    pub(crate) untrusted: Vec<String>,
    pub(crate) crls: Vec<String>,
    pub(crate) ocsp: Vec<String>,
    pub(crate) leaf: String,
    pub(crate) at: String,
    pub(crate) purpose: String,
    pub(crate) revocation: String,
    #[serde(default)]
    pub(crate) initial_policy: Vec<String>,
    #[serde(default)]
    pub(crate) require_explicit_policy: bool,
    #[serde(default)]
    pub(crate) inhibit_policy_mapping: bool,
    #[serde(default)]
    pub(crate) inhibit_any_policy: bool,
    pub(crate) expect: Expected,
    #[serde(default)]
    pub(crate) tier: Option<String>,
    /// What PKITS expects the user-constrained-policy-set to be.
    #[serde(default)]
    pub(crate) user_constrained_policy_set: Vec<String>,
    /// Why the case is not one of this contract.
    #[serde(default)]
    skip: Option<String>,
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
}

/// The cases of a table beside the repository, or nothing, said aloud.
pub(crate) fn load(name: &str) -> Option<Vec<Case>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/suites").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        skip::always(format_args!("{name}: there is no {}", path.display()));
        return None;
    };
    let suite: Suite = serde_json::from_slice(&bytes).unwrap();
    let cases: Vec<Case> = suite.cases.into_iter().filter(|case| case.skip.is_none()).collect();
    assert!(!cases.is_empty());
    Some(cases)
}

impl Case {
    pub(crate) fn is_valid(&self) -> bool {
        matches!(self.expect, Expected::Valid)
    }

    pub(crate) fn is_core(&self) -> bool {
        self.tier.as_deref().is_none_or(|tier| tier == "core")
    }

    pub(crate) fn settings(&self, duties: Duties) -> PathSettings {
        let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == self.purpose).unwrap();
        PathSettings {
            purpose,
            policies: PolicyInputs {
                initial: self.initial_policy.iter().map(|policy| policy.parse().unwrap()).collect::<BTreeSet<_>>(),
                require_explicit: self.require_explicit_policy,
                inhibit_mapping: self.inhibit_policy_mapping,
                inhibit_any: self.inhibit_any_policy,
            },
            revocation: match self.revocation.as_str() {
                "off" => RevocationMode::Off,
                "check" => RevocationMode::Check,
                "require" => RevocationMode::Require,
                other => panic!("{other}"),
            },
            duties,
            ..PathSettings::new(self.at.parse().unwrap())
        }
    }

    /// Judges the case; files come from `read`.
    pub(crate) fn judge(&self, duties: Duties, read: &dyn Fn(&str) -> Vec<u8>) -> PathVerdict {
        let named =
            |names: &[String]| names.iter().map(|name| NamedFile { name: name.clone(), bytes: read(name) }).collect();
        let files = PathFiles {
            leaf: read(&self.leaf),
            trust_anchors: named(&self.trust_anchors),
            untrusted: named(&self.untrusted),
            crls: named(&self.crls),
            ocsp: named(&self.ocsp),
        };
        verify_path(&files, &self.settings(duties), &path_limits())
            .unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// The command line of the case; `place` says where a file lies.
    pub(crate) fn arguments(&self, place: &dyn Fn(&str) -> PathBuf) -> Vec<String> {
        let mut words = vec!["cert".to_owned(), "verify".into()];
        let mut add = |option: &str, values: &[String]| {
            for value in values {
                words.extend([format!("--{option}"), value.clone()]);
            }
        };
        let places =
            |names: &[String]| -> Vec<String> { names.iter().map(|name| place(name).display().to_string()).collect() };
        add("trust-anchor", &places(&self.trust_anchors));
        add("untrusted", &places(&self.untrusted));
        add("crl", &places(&self.crls));
        add("ocsp", &places(&self.ocsp));
        add("at", std::slice::from_ref(&self.at));
        add("purpose", std::slice::from_ref(&self.purpose));
        add("revocation", std::slice::from_ref(&self.revocation));
        add("initial-policy", &self.initial_policy);
        for (is_set, option) in [
            (self.require_explicit_policy, "--require-explicit-policy"),
            (self.inhibit_policy_mapping, "--inhibit-policy-mapping"),
            (self.inhibit_any_policy, "--inhibit-any-policy"),
        ] {
            words.extend(is_set.then(|| option.to_owned()));
        }
        words.extend(["--format".into(), "json".into(), place(&self.leaf).display().to_string()]);
        words
    }
}
