//! `payload`: reads a payload and, where the case says so, compares it with an artifact and with metadata asked for.

use std::collections::BTreeMap;

use bulla::notary::Payload;
use bulla::oci::Descriptor;
use serde::Deserialize;
use serde_json::json;

use super::Ran;
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// The payload as it was signed.
    payload: String,
    /// The artifact to compare with.
    artifact: Option<Descriptor>,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let payload = match Payload::parse(inputs.payload.as_bytes()) {
        Ok(payload) => payload,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    if let Some(artifact) = &inputs.artifact
        && let Err(error) = payload.matches(artifact)
    {
        return Ok(Outcome::refused(&error).into());
    }
    let wanted: &BTreeMap<String, String> = &case.file.options.user_metadata;
    if let Err(error) = payload.check_user_metadata(wanted) {
        return Ok(Outcome::refused(&error).into());
    }
    let target = payload.target();
    Ok(Outcome::accepted([
        ("mediaType", json!(target.media_type)),
        ("digest", json!(target.digest)),
        ("size", json!(target.size)),
        ("annotations", json!(target.annotations)),
    ])
    .into())
}
