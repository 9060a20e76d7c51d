//! `reference`: reads the name of an artifact, and shows under which tag its referrers are found.

use bulla::oci::{Location, Target, referrers_tag};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ran;
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    reference: String,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let location = match Location::parse(&inputs.reference) {
        Ok(location) => location,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let shows = match &location {
        Location::Registry(reference) => vec![
            ("repository", json!(reference.repository.to_string())),
            ("tag", json!(reference.tag.as_ref().map(ToString::to_string))),
            ("digest", json!(reference.digest.map(|digest| digest.to_string()))),
            ("referrersTag", json!(reference.digest.map(|digest| referrers_tag(&digest).to_string()))),
        ],
        Location::Layout { path, target } => vec![("path", json!(path)), ("target", target_text(target.as_ref()))],
        Location::Archive { path, target } => vec![("archive", json!(path)), ("target", target_text(target.as_ref()))],
    };
    Ok(Outcome::accepted(shows).into())
}

fn target_text(target: Option<&Target>) -> Value {
    match target {
        None => Value::Null,
        Some(Target::Tag(tag)) => json!(format!(":{tag}")),
        Some(Target::Digest(digest)) => json!(format!("@{digest}")),
    }
}
