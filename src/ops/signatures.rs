//! From signature manifests in a store to signatures that can be planned for, shown and judged.

use super::closure::Closure;
use crate::archive::names;
use crate::code::DiagnosticCode;
use crate::evidence::carried_crls;
use crate::limits::Limits;
use crate::notary::{SignatureEnvelope, SignatureManifest};
use crate::oci::{Descriptor, Manifest};
use crate::pki::Crl;
use crate::store::{ContentKind, ContentStore, StoreError, fetch};
use crate::verification::{CarriedEvidence, Failure, FoundSignature};

/// Reads one signature. What is wrong with the signature is a value; only a failing or damaged store is an error.
///
/// # Errors
/// The store fails, or gives other content than was asked for.
pub fn read_signature(
    store: &dyn ContentStore,
    manifest: &Manifest,
    limits: &Limits,
) -> Result<FoundSignature, StoreError> {
    let digest = manifest.descriptor().digest;
    let subject = manifest.subject().cloned().unwrap_or_else(|| manifest.descriptor().bare());
    let found = |media_type, envelope| FoundSignature { digest, subject: subject.clone(), media_type, envelope };
    let signature = match SignatureManifest::read(manifest) {
        Ok(signature) => signature,
        Err(error) => return Ok(found(None, Err(Failure::from(error)))),
    };
    let layer = &signature.envelope;
    let media_type = Some(layer.media_type.clone());
    if layer.size > limits.envelope_bytes {
        let message = format!("the envelope has {} bytes; at most {} are read", layer.size, limits.envelope_bytes);
        return Ok(found(media_type, Err(Failure::new(DiagnosticCode::EnvelopeTooLarge, message))));
    }
    let Some(bytes) = fetch(store, layer, ContentKind::Blob, limits.envelope_bytes)? else {
        return Err(StoreError::missing(layer, &format!("the signature {digest}")));
    };
    let envelope = SignatureEnvelope::parse(&layer.media_type, &bytes, limits).map_err(Failure::from);
    Ok(found(media_type, envelope))
}

/// The descriptor of the envelope that a signature manifest names, if its form is right.
pub fn envelope_of(manifest: &Manifest) -> Option<Descriptor> {
    SignatureManifest::read(manifest).ok().map(|signature| signature.envelope)
}

/// Every CRL that evidence referrers in the closure carry. One that cannot be read says nothing, so it is left out:
/// whoever needs it will find it missing.
///
/// # Errors
/// The store fails, or gives other content than was asked for.
pub fn carried_evidence(
    store: &dyn ContentStore,
    closure: &Closure,
    limits: &Limits,
) -> Result<CarriedEvidence, StoreError> {
    let mut evidence = CarriedEvidence::default();
    let mut layers: Vec<&Descriptor> = closure.manifests.values().flat_map(|manifest| carried_crls(manifest)).collect();
    layers.sort_by_key(|layer| layer.digest);
    layers.dedup_by_key(|layer| layer.digest);
    for layer in layers {
        let Some(bytes) = fetch(store, layer, ContentKind::Blob, limits.crl_bytes)? else {
            return Err(StoreError::missing(layer, names::EVIDENCE));
        };
        if let Ok(crl) = Crl::from_der(bytes) {
            evidence.insert(crl);
        }
    }
    Ok(evidence)
}
