//! From signature manifests to signatures that can be planned for, shown and judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closure::NotarySignature;
use super::gather::Piece;
use crate::archive::names;
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::{evidence_layers, token_layers};
use crate::limits::Limits;
use crate::notary::{SignatureEnvelope, SignatureManifest};
use crate::oci::{Descriptor, Manifest};
use crate::parallel::try_map_in_parallel;
use crate::pki::{CertificatePool, Crl, OcspResponse};
use crate::store::{ContentKind, ContentStore, StoreError, fetch};
use crate::tsp::TimestampToken;
use crate::verification::{CarriedEvidence, Failure, FoundSignature};

/// Brings a blob into memory, checked; that it is missing is an error.
///
/// # Errors
/// The store fails, does not have it, or gives other content than was asked for.
pub fn fetch_blob(
    store: &dyn ContentStore,
    blob: &Descriptor,
    limit: u64,
    named_by: &Digest,
) -> Result<Vec<u8>, StoreError> {
    fetch(store, blob, ContentKind::Blob, limit)?.ok_or_else(|| StoreError::missing(blob, &named_by.to_string()))
}

/// Reads one signature, whose envelope `fetch` brings, with certificates that others bring too from `pool`. What is wrong with the signature is a value.
///
/// # Errors
/// Those of `fetch`: a failing or damaged store.
pub fn read_signature<E>(
    manifest: &Manifest,
    limits: &Limits,
    pool: &CertificatePool,
    fetch: impl FnOnce(&Descriptor) -> Result<Vec<u8>, E>,
) -> Result<FoundSignature, E> {
    let digest = manifest.descriptor().digest;
    let subject = manifest.subject().cloned().unwrap_or_else(|| manifest.descriptor().bare());
    let found = |media_type, envelope| FoundSignature { digest, subject: subject.clone(), media_type, envelope };
    let signature = match SignatureManifest::read(manifest) {
        Ok(signature) => signature,
        Err(error) => return Ok(found(None, Err(Failure::from(error)))),
    };
    let layer = signature.envelope();
    let media_type = Some(layer.media_type.clone());
    if layer.size > limits.envelope_bytes {
        let message = format!("the envelope has {} bytes; at most {} are read", layer.size, limits.envelope_bytes);
        return Ok(found(media_type, Err(Failure::new(DiagnosticCode::EnvelopeTooLarge, message))));
    }
    let bytes = fetch(layer)?;
    let envelope = SignatureEnvelope::read(&layer.media_type, &bytes, limits, pool).map_err(Failure::from);
    Ok(found(media_type, envelope))
}

/// The descriptor of the envelope that a signature manifest names, if its form is right.
pub fn envelope_of(manifest: &Manifest) -> Option<Descriptor> {
    SignatureManifest::read(manifest).ok().map(|signature| signature.envelope().clone())
}

/// Every CRL, OCSP response and timestamp token that evidence referrers among `manifests` carry, each brought once by `fetch`, which is
/// told the manifest that names it and how many bytes it may have. One that cannot be read says nothing, so it is left
/// out: whoever needs it will find it missing.
///
/// # Errors
/// Those of `fetch`: a failing or damaged store.
pub fn carried_evidence<'m, E: Send>(
    manifests: impl Iterator<Item = &'m Arc<Manifest>>,
    limits: &Limits,
    pool: &CertificatePool,
    fetch: impl Fn(&Descriptor, &Manifest, u64) -> Result<Vec<u8>, E> + Sync,
) -> Result<CarriedEvidence, E> {
    let pieces = |manifest: &'m Arc<Manifest>| evidence_layers(manifest).chain(token_layers(manifest));
    // Under each of the types that it is given: whoever calls a CRL something else takes nothing from what it says.
    let layers: BTreeMap<(Digest, &str), (&Descriptor, &Arc<Manifest>)> = manifests
        .flat_map(|manifest| {
            pieces(manifest).map(move |layer| ((layer.digest, layer.media_type.as_str()), (layer, manifest)))
        })
        .collect();
    let layers: Vec<(&Descriptor, &Arc<Manifest>)> = layers.into_values().collect();
    let pieces = try_map_in_parallel(&layers, |(layer, manifest)| {
        read_carried(layer, limits, pool, |most| fetch(layer, manifest, most))
    })?;
    let mut evidence = CarriedEvidence::default();
    for piece in pieces.into_iter().flatten() {
        match piece {
            Carried::Revocation(Piece::Crl(crl)) => evidence.insert(crl),
            Carried::Revocation(Piece::Ocsp(response)) => evidence.insert_ocsp(&response),
            Carried::Token(token) => evidence.insert_token(*token),
        }
    }
    Ok(evidence)
}

/// Evidence as it is carried.
enum Carried {
    Revocation(Piece),
    Token(Box<TimestampToken>),
}

/// Reads one layer of an evidence manifest; what is too large or malformed counts as not there.
fn read_carried<E>(
    layer: &Descriptor,
    limits: &Limits,
    pool: &CertificatePool,
    fetch: impl Fn(u64) -> Result<Vec<u8>, E>,
) -> Result<Option<Carried>, E> {
    match layer.media_type.as_str() {
        names::TIMESTAMP if layer.size > limits.token_bytes() => Ok(None),
        names::TIMESTAMP => {
            let token = TimestampToken::read(&fetch(limits.token_bytes())?, limits, pool);
            Ok(token.ok().map(|token| Carried::Token(Box::new(token))))
        }
        names::OCSP if layer.size > limits.ocsp_bytes => Ok(None),
        names::OCSP => {
            let response = OcspResponse::read(fetch(limits.ocsp_bytes)?, limits, pool);
            Ok(response.ok().map(|response| Carried::Revocation(Piece::Ocsp(response))))
        }
        _ => Ok(Crl::from_der(fetch(limits.crl_bytes)?).ok().map(|crl| Carried::Revocation(Piece::Crl(crl)))),
    }
}

/// How much of signatures and revocation data is held in memory for one artifact, or for one bundle that is made: four
/// CRLs of the greatest size that is read. Real ones have kilobytes, and a hostile bundle may hold any number.
pub const MOST_BYTES: u64 = 256 << 20;

/// Why signatures are not judged at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFlood {
    /// More signatures than one artifact may have.
    #[error("{subject} has more than {limit} signatures")]
    TooMany {
        /// The artifact.
        subject: Digest,
        /// The limit.
        limit: usize,
    },
    /// More than is held in memory.
    #[error("the signatures and their revocation data have {found} bytes; at most {limit} are read")]
    TooMuch {
        /// How many there are.
        found: u64,
        /// The limit.
        limit: u64,
    },
}

impl Diagnostic for SignatureFlood {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::ClosureTooLarge
    }

    fn hint(&self) -> Option<String> {
        Some("somebody may have flooded the artifact with signatures".into())
    }
}

/// Checks, by what the manifests say and before anything else is read, that the signatures and the evidence among
/// `manifests`, and the pieces of evidence that are to be added, can be judged: what export lets pass, verification does
/// not refuse.
///
/// # Errors
/// There are too many, or they are too large.
pub fn check_amount<'m>(
    signatures: &[NotarySignature],
    manifests: impl Iterator<Item = &'m Arc<Manifest>>,
    added: impl Iterator<Item = (Digest, u64)>,
    limits: &Limits,
) -> Result<(), SignatureFlood> {
    let mut counts: BTreeMap<Digest, usize> = BTreeMap::new();
    for signature in signatures {
        let count = counts.entry(signature.subject).or_default();
        *count = count.saturating_add(1);
        if *count > limits.signatures {
            return Err(SignatureFlood::TooMany { subject: signature.subject, limit: limits.signatures });
        }
    }
    // Envelopes and OCSP responses that are too large are not read; each signature is read by itself.
    let envelopes = signatures.iter().filter_map(|signature| envelope_of(&signature.manifest));
    let envelopes = envelopes.map(|envelope| envelope.size).filter(|size| *size <= limits.envelope_bytes);
    let is_read = |layer: &&Descriptor| layer.media_type != names::OCSP || layer.size <= limits.ocsp_bytes;
    let tokens =
        |manifest: &'m Arc<Manifest>| token_layers(manifest).filter(|layer| layer.size <= limits.token_bytes());
    let layers = manifests.flat_map(|manifest| evidence_layers(manifest).filter(is_read).chain(tokens(manifest)));
    let evidence: BTreeMap<Digest, u64> = layers.map(|layer| (layer.digest, layer.size)).chain(added).collect();
    let found = envelopes.chain(evidence.into_values()).fold(0, u64::saturating_add);
    if found > MOST_BYTES { Err(SignatureFlood::TooMuch { found, limit: MOST_BYTES }) } else { Ok(()) }
}
