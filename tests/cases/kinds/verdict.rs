//! `verdict`: judges an artifact in an OCI layout, as `bulla verify` does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bulla::limits::Limits;
use bulla::oci::{Reference, Target};
use bulla::ops::progress::NoProgress;
use bulla::ops::seal::SubjectSeal;
use bulla::ops::verify::{Depth, Judging, RootToVerify, Subject, VerifyError, verify};
use bulla::pki::Crl;
use bulla::store::ContentStore as _;
use bulla::store::layout::LayoutStore;
use bulla::trust::{Dialect, PolicyDocument, Trust, TrustStores};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Ran, material};
use crate::case::Case;
use crate::facts::folder;
use crate::outcome::Outcome;

/// The name under which artifacts are judged where a case has no reason for another.
pub(crate) const NAME: &str = "registry.example/app";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The name of a layout in `layouts`.
    layout: String,
    /// Which artifact of it: a tag, or a digest.
    #[serde(default = "tag")]
    target: String,
    /// Trust stores, by name, with certificates of `pki`.
    #[serde(default)]
    trust: BTreeMap<String, Vec<String>>,
    /// The statements of the trust policy.
    policy: Vec<Value>,
}

fn tag() -> String {
    "v1".into()
}

pub(crate) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let world = World {
        layout: &folder().join("layouts").join(&inputs.layout),
        target: &inputs.target,
        stores: material::stores(&inputs.trust)?,
        policy: json!({ "version": "1.0", "trustPolicies": inputs.policy }),
        crls: Vec::new(),
    };
    world.judge(case).map(Ran::Outcome)
}

/// What is judged, and by what.
pub(crate) struct World<'a> {
    pub(crate) layout: &'a Path,
    pub(crate) target: &'a str,
    pub(crate) stores: TrustStores,
    pub(crate) policy: Value,
    pub(crate) crls: Vec<Crl>,
}

impl World<'_> {
    pub(crate) fn judge(self, case: &Case) -> Result<Outcome, String> {
        let options = &case.file.options;
        let limits = Limits::default();
        let dialect = if options.strict_notation_policy { Dialect::Notation } else { Dialect::Bulla };
        let policy = match PolicyDocument::parse_as(&serde_json::to_vec(&self.policy).unwrap(), dialect) {
            Ok(policy) => policy,
            Err(error) => return Ok(Outcome::refused(&error)),
        };
        let store = match LayoutStore::open(self.layout, &limits) {
            Ok(store) => store,
            Err(error) => return Ok(Outcome::refused(&error)),
        };
        let target: Target = match self.target.parse() {
            Ok(digest) => Target::Digest(digest),
            Err(_) => Target::Tag(self.target.parse().map_err(|error| format!("{}: {error}", self.target))?),
        };
        let descriptor = match store.resolve(&target) {
            Ok(found) => found.ok_or_else(|| format!("the layout has no {}", self.target))?,
            Err(error) => return Ok(Outcome::refused(&error)),
        };
        let reference: Reference = NAME.parse().unwrap();
        let scope = options.scope.as_ref().map(|text| text.parse().unwrap());
        let judging = Judging {
            plugins: None,
            trust: &Trust { policy, files: None, stores: self.stores },
            at: case.at()?,
            freshness: options.freshness(),
            revocation: options.revocation_time(),
            scope,
            seal: material::no_seal(),
            user_metadata: options.user_metadata.clone(),
            supplied: &self.crls,
            live: None,
        };
        let subject = Subject {
            store: &store,
            roots: vec![RootToVerify { descriptor: descriptor.bare(), reference: Some(reference) }],
            omitted: BTreeSet::new(),
            listed: BTreeSet::new(),
            seal: SubjectSeal::NoBundle,
        };
        let result: Result<_, VerifyError> = verify(&subject, &Depth::Judge(judging), &limits, &NoProgress);
        Ok(Outcome::of_result(&result))
    }
}
