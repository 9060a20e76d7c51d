//! `manifest`: reads the manifest that carries a signature.

use bulla::notary::{SignatureManifest, SignatureManifestForm};
use bulla::oci::{Descriptor, Manifest};
use serde::Deserialize;
use serde_json::json;

use super::Ran;
use super::material::Document;
use crate::case::Case;
use crate::outcome::Outcome;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Inputs {
    /// What the descriptor that led to it says.
    media_type: String,
    document: Document,
}

pub(super) fn run(case: &Case) -> Result<Ran, String> {
    let inputs: Inputs = case.inputs()?;
    let bytes = inputs.document.bytes();
    let manifest = match Manifest::parse(&Descriptor::of(inputs.media_type.as_str(), &bytes), bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let signature = match SignatureManifest::read(&manifest) {
        Ok(signature) => signature,
        Err(error) => return Ok(Outcome::refused(&error).into()),
    };
    let form = match signature.form() {
        SignatureManifestForm::ArtifactType => "artifact-type",
        SignatureManifestForm::ConfigMediaType => "config-media-type",
        SignatureManifestForm::ArtifactManifest => "artifact-manifest",
        SignatureManifestForm::Detached => "detached",
    };
    Ok(Outcome::accepted([
        ("form", json!(form)),
        ("envelope", json!(signature.envelope().media_type)),
        ("subject", json!(signature.subject().digest)),
    ])
    .into())
}
