//! `case.json`: what a case says about itself, and what its kind is given to run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bulla::code::DiagnosticCode;
use bulla::time::UnixTime;
use bulla::verification::{Freshness, RevocationReading};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::facts::Facts;

/// One case, as it is written. An unknown member anywhere makes the suite fail.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CaseFile {
    /// What the case shows, in a line.
    pub(crate) title: String,
    /// The numbers of the conformance checklist that it tests; at least one.
    pub(crate) facts: Vec<String>,
    /// What is run: the name of one of [`crate::kinds::all`].
    pub(crate) kind: String,
    /// What it is run on: as the kind says. Names of files are relative to the case's folder.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) inputs: Value,
    /// The verification time, where there is one (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<UnixTime>,
    /// How to judge.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    pub(crate) options: Options,
    /// What must come of it.
    pub(crate) expect: Expect,
}

/// The choices of whoever verifies; everything has the program's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Options {
    /// As `--freshness`: `current`, `max-age=30d`, `at-signing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) freshness: Option<String>,
    /// As `--revocation-time`: `now`, `point-in-time`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revocation_time: Option<String>,
    /// As `--scope`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// As `--user-metadata`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) user_metadata: BTreeMap<String, String>,
    /// As `--strict-notation-policy`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) strict_notation_policy: bool,
}

impl Options {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The freshness rule.
    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness.as_deref().map(|text| text.parse().unwrap()).unwrap_or_default()
    }

    /// What a revocation means for what was signed before it.
    pub(crate) fn revocation_time(&self) -> RevocationReading {
        self.revocation_time.as_deref().map(|text| text.parse().unwrap()).unwrap_or_default()
    }
}

/// What must come of a case, exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Expect {
    /// `trusted`, `rejected`, `undecided`, `skipped` where something is judged; `accepted` or `refused` where it is read.
    pub(crate) verdict: String,
    /// The codes that explain the verdict: all of them, in any order.
    pub(crate) codes: Vec<String>,
    /// Codes that are reported and change nothing (logged, excused, of another signature): all of them, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notes: Option<Vec<String>>,
    /// Values that are read off: each that is named here must be found so. What there is, is for the kind to say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) shows: BTreeMap<String, Value>,
}

/// A case with its place.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// `AREA/ID`
    pub(crate) id: String,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// What it says.
    pub(crate) file: CaseFile,
}

impl Case {
    /// Reads and checks one case; what is wrong with it is said in words.
    pub(crate) fn load(id: &str, folder: &Path, facts: &Facts) -> Result<Self, String> {
        let bytes = fs::read(folder.join("case.json")).map_err(|error| format!("case.json: {error}"))?;
        // bulla's own reader for the one thing that serde lets pass in `inputs`: a member twice.
        let file: CaseFile = bulla::json::from_slice(&bytes).map_err(|error| format!("case.json: {error}"))?;
        if file.facts.is_empty() || file.title.is_empty() {
            return Err("a case has a title, and names at least one fact".into());
        }
        if let Some(unknown) = file.facts.iter().find(|fact| !facts.contains(fact)) {
            return Err(format!("there is no fact {unknown}"));
        }
        let codes = file.expect.codes.iter().chain(file.expect.notes.iter().flatten());
        for code in codes {
            if !DiagnosticCode::ALL.iter().any(|known| known.as_str() == code) {
                return Err(format!("there is no code {code}"));
            }
        }
        Ok(Self { id: id.to_owned(), folder: folder.to_owned(), file })
    }

    /// The inputs, in the form that the kind defines; an unknown member fails the case.
    pub(crate) fn inputs<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_value(self.file.inputs.clone()).map_err(|error| format!("inputs: {error}"))
    }

    /// A file of the case.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        fs::read(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// The verification time.
    pub(crate) fn at(&self) -> Result<UnixTime, String> {
        self.file.at.ok_or_else(|| "this kind needs a verification time (\"at\")".to_owned())
    }
}
