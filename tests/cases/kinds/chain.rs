//! `chain`: a certificate chain against the profile of its purpose; its validity, and its anchor, where the case asks.

use bulla::limits::Limits;
use bulla::pki::{Certificate, CertificateChain, ConformingChain, Profile};
use serde::Deserialize;
use serde_json::json;

use super::{Ran, material};
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    /// Names of certificates in `pki`, leaf first.
    certificates: Vec<String>,
    profile: Purpose,
    /// Names of certificates that are trusted; the chain must hold one of them, if there are any.
    #[serde(default)]
    anchors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Purpose {
    CodeSigning,
    Timestamping,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let certificates = material::certificates(&inputs.certificates)?;
    let profile = match inputs.profile {
        Purpose::CodeSigning => Profile::CodeSigning,
        Purpose::Timestamping => Profile::Timestamping,
    };
    let inspected = CertificateChain::new(certificates, &Limits::default()).and_then(|chain| chain.inspect(profile));
    let chain = match inspected {
        Ok(chain) => chain,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    if let Some(at) = case.file.at
        && let Err(failure) = chain.check_validity(at, at)
    {
        let code = if failure.is_expired() { "certificate-expired" } else { "certificate-not-yet-valid" };
        return Ok(Outcome { verdict: "refused".into(), codes: [code.to_owned()].into(), ..Outcome::default() }.into());
    }
    Ok(anchored(&chain, &material::certificates(&inputs.anchors)?).into())
}

fn anchored(chain: &ConformingChain, anchors: &[Certificate]) -> Outcome {
    let kind = ("key", json!(chain.key_kind().as_str()));
    if anchors.is_empty() {
        return Outcome::accepted([kind]);
    }
    match chain.verify_anchor(anchors) {
        Ok(trusted) => Outcome::accepted([kind, ("anchor", json!(trusted.anchor().short_name()))]),
        Err(error) => Outcome::refused(&error),
    }
}
