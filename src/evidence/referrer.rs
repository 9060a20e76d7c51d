//! Evidence as a referrer: an OCI artifact whose subject is the signature manifest that it serves
//! (`schemas/bundle-v1.md`, "Evidence").

use serde::Serialize;

use crate::archive::{empty_config, names};
use crate::json::{self, JsonError};
use crate::oci::{Descriptor, Manifest, MediaType};

/// The manifest that carries evidence for one signature.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceManifest {
    schema_version: u64,
    media_type: MediaType,
    artifact_type: MediaType,
    config: Descriptor,
    layers: Vec<Descriptor>,
    subject: Descriptor,
}

impl EvidenceManifest {
    /// The manifest for `signature`, carrying `evidence`, each piece with the URLs under which certificates name it. The same
    /// evidence makes the same bytes, in whatever order it comes.
    pub fn new(signature: &Descriptor, evidence: impl IntoIterator<Item = (Descriptor, Vec<String>)>) -> Self {
        let mut layers: Vec<Descriptor> = evidence
            .into_iter()
            .map(|(mut layer, mut urls)| {
                urls.sort();
                urls.dedup();
                // A timestamp token has no address.
                if !urls.is_empty() {
                    layer.annotations.insert(names::EVIDENCE_URL.to_owned(), urls.join(" "));
                }
                layer
            })
            .collect();
        layers.sort_by_key(|layer| layer.digest);
        layers.dedup_by_key(|layer| layer.digest);
        Self {
            schema_version: 2,
            media_type: MediaType::OCI_MANIFEST.into(),
            artifact_type: names::EVIDENCE.into(),
            config: empty_config(),
            layers,
            subject: signature.bare(),
        }
    }

    /// The bytes, and the descriptor that a list of referrers shows.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn encode(&self) -> Result<(Descriptor, Vec<u8>), JsonError> {
        let bytes = json::to_vec(self)?;
        let mut descriptor = Descriptor::of(MediaType::OCI_MANIFEST, &bytes);
        descriptor.artifact_type = Some(self.artifact_type.clone());
        Ok((descriptor, bytes))
    }
}

/// The timestamp tokens that `manifest` carries, if it is an evidence manifest.
pub fn token_layers(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let is_evidence = manifest.artifact_type().is_some_and(|found| *found == names::EVIDENCE);
    manifest.layers().iter().filter(move |layer| is_evidence && layer.media_type == names::TIMESTAMP)
}

/// The CRLs and OCSP responses that `manifest` carries, if it is an evidence manifest.
pub fn evidence_layers(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    let is_evidence = manifest.artifact_type().is_some_and(|found| *found == names::EVIDENCE);
    let known = |layer: &Descriptor| layer.media_type == names::CRL || layer.media_type == names::OCSP;
    manifest.layers().iter().filter(move |layer| is_evidence && known(layer))
}
