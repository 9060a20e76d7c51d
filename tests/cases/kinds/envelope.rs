//! `envelope`: parses a signature envelope and verifies it, without trust and without a clock.

use bulla::limits::Limits;
use bulla::notary::{AuthenticEnvelope, SignatureEnvelope};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Ran;
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inputs {
    /// The file.
    envelope: String,
    /// Its media type.
    media_type: String,
    /// How many blanks are put behind it: files of megabytes are not kept.
    #[serde(default)]
    pad: usize,
}

pub(crate) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let mut bytes = case.read(&inputs.envelope)?;
    bytes.resize(bytes.len() + inputs.pad, b' ');
    Ok(judge(&inputs.media_type, &bytes).into())
}

/// Parses and verifies.
pub(crate) fn judge(media_type: &str, bytes: &[u8]) -> Outcome {
    let parsed = SignatureEnvelope::parse(&media_type.into(), bytes, &Limits::default());
    match parsed.and_then(|envelope| envelope.verify()) {
        Ok(envelope) => Outcome::accepted(shows(&envelope)),
        Err(error) => Outcome::refused(&error),
    }
}

fn shows(envelope: &AuthenticEnvelope) -> [(&'static str, Value); 12] {
    let attributes = envelope.attributes();
    let extended: serde_json::Map<String, Value> =
        attributes.extended.iter().map(|(name, found)| (name.clone(), found.value.clone())).collect();
    let target = envelope.payload().target();
    [
        ("scheme", json!(attributes.scheme.name())),
        ("signingTime", json!(attributes.signing_time)),
        ("authenticSigningTime", json!(attributes.authentic_signing_time)),
        ("expiry", json!(attributes.expiry)),
        ("critical", json!(attributes.critical)),
        ("extended", Value::Object(extended)),
        ("algorithm", json!(envelope.algorithm().name())),
        ("hash", json!(envelope.algorithm().hash().as_str())),
        ("signingAgent", json!(envelope.signing_agent())),
        ("timestamp", json!(envelope.timestamp().map(<[u8]>::len))),
        ("annotations", json!(target.annotations)),
        ("certificates", json!(envelope.chain().certificates().len())),
    ]
}
