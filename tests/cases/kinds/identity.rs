//! `identity`: the trusted identities of a statement, read and compared with the subject of a certificate.

use bulla::trust::TrustedIdentities;
use serde::Deserialize;

use super::{Ran, material};
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    identities: Vec<String>,
    /// The name of a certificate in `pki`.
    certificate: Option<String>,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let identities = match TrustedIdentities::parse(&inputs.identities) {
        Ok(identities) => identities,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let Some(name) = &inputs.certificate else {
        return Ok(Outcome { verdict: "accepted".into(), ..Outcome::default() }.into());
    };
    let certificate = material::certificate(name)?;
    Ok(match identities.evaluate(certificate.subject()) {
        Ok(()) => Outcome { verdict: "trusted".into(), ..Outcome::default() },
        Err(error) => Outcome { verdict: "rejected".into(), ..Outcome::refused(&error) },
    }
    .into())
}
