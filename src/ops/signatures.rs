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
        Carried::read(layer, limits, pool, |most| fetch(layer, manifest, most))
    })?;
    let mut evidence = CarriedEvidence::default();
    pieces.into_iter().flatten().for_each(|piece| piece.add_to(&mut evidence));
    Ok(evidence)
}

/// One piece of evidence as it is carried, for any signature: an artifact's or a seal's.
pub(super) enum Carried {
    /// A CRL or an OCSP response.
    Revocation(Piece),
    /// A timestamp token.
    Token(Box<TimestampToken>),
}

impl Carried {
    /// Reads the layer of an evidence manifest whose bytes `fetch` brings, told how many there may be. What is malformed,
    /// or larger than such a thing is read, counts as not there.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub(super) fn read<E>(
        layer: &Descriptor,
        limits: &Limits,
        pool: &CertificatePool,
        fetch: impl FnOnce(u64) -> Result<Vec<u8>, E>,
    ) -> Result<Option<Self>, E> {
        if !is_read(layer, limits) {
            return Ok(None);
        }
        Ok(match layer.media_type.as_str() {
            names::TIMESTAMP => {
                let token = TimestampToken::read(&fetch(limits.token_bytes())?, limits, pool);
                token.ok().map(|token| Self::Token(Box::new(token)))
            }
            names::OCSP => {
                let response = OcspResponse::read(fetch(limits.ocsp_bytes)?, limits, pool);
                response.ok().map(|response| Self::Revocation(Piece::Ocsp(response)))
            }
            _ => Crl::from_der(fetch(limits.crl_bytes)?).ok().map(|crl| Self::Revocation(Piece::Crl(crl))),
        })
    }

    /// Puts it with the evidence that judging is given.
    pub(super) fn add_to(self, evidence: &mut CarriedEvidence) {
        match self {
            Self::Revocation(Piece::Crl(crl)) => evidence.insert(crl),
            Self::Revocation(Piece::Ocsp(response)) => evidence.insert_ocsp(&response),
            Self::Token(token) => evidence.insert_token(*token),
        }
    }
}

/// Whether a piece of evidence is read, by its size. A CRL always is: one that is larger than is read is an error of
/// whoever brings it, because an authority publishes it in that size, while nobody needs such a response or token.
fn is_read(layer: &Descriptor, limits: &Limits) -> bool {
    match layer.media_type.as_str() {
        names::TIMESTAMP => layer.size <= limits.token_bytes(),
        names::OCSP => layer.size <= limits.ocsp_bytes,
        _ => true,
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
    /// More judgements than one verification makes.
    #[error(
        "the signatures would be judged {found} times, once for every name that leads to them; at most {limit} are"
    )]
    TooOften {
        /// How many there would be.
        found: usize,
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
    // What is too large is not read; each signature is read by itself.
    let envelopes = signatures.iter().filter_map(|signature| envelope_of(&signature.manifest));
    let envelopes = envelopes.map(|envelope| envelope.size).filter(|size| *size <= limits.envelope_bytes);
    let layers = manifests
        .flat_map(|manifest| evidence_layers(manifest).chain(token_layers(manifest)))
        .filter(|layer| is_read(layer, limits));
    let evidence: BTreeMap<Digest, u64> = layers.map(|layer| (layer.digest, layer.size)).chain(added).collect();
    let found = envelopes.chain(evidence.into_values()).fold(0, u64::saturating_add);
    if found > MOST_BYTES { Err(SignatureFlood::TooMuch { found, limit: MOST_BYTES }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRL: &[u8] = include_bytes!("../../testdata/cases/revocation/signing-crl-point-matches/one.crl");
    const OCSP: &[u8] = include_bytes!("../../testdata/cases/revocation/signing-fresh-ocsp-max-age-exactly/one.ocsp");

    fn size(bytes: &[u8]) -> u64 {
        u64::try_from(bytes.len()).unwrap()
    }

    /// What is read of a layer of this type, where OCSP responses and tokens may have so many bytes; or how many bytes
    /// were asked for.
    fn read(media_type: &str, bytes: &[u8], small: u64) -> (usize, Option<u64>) {
        let limits = Limits { ocsp_bytes: small, envelope_bytes: small, ..Limits::default() };
        let (mut asked, mut evidence) = (None, CarriedEvidence::default());
        let fetch = |most| {
            asked = Some(most);
            Ok::<_, StoreError>(bytes.to_vec())
        };
        let layer = Descriptor::of(media_type, bytes);
        let piece = Carried::read(&layer, &limits, &CertificatePool::default(), fetch).unwrap();
        piece.into_iter().for_each(|piece| piece.add_to(&mut evidence));
        (evidence.len(), asked)
    }

    #[test]
    fn a_response_or_token_that_is_too_large_is_not_even_brought() {
        assert_eq!(read(names::OCSP, OCSP, size(OCSP)), (1, Some(size(OCSP))));
        assert_eq!(read(names::OCSP, OCSP, size(OCSP) - 1), (0, None));
        assert_eq!(read(names::TIMESTAMP, OCSP, size(OCSP)), (0, Some(size(OCSP))), "it is no token");
        assert_eq!(read(names::TIMESTAMP, OCSP, size(OCSP) - 1), (0, None));
        assert_eq!(read(names::CRL, CRL, 1), (1, Some(Limits::default().crl_bytes)), "a CRL has a limit of its own");
        assert_eq!(read(names::CRL, OCSP, 1), (0, Some(Limits::default().crl_bytes)), "it is no CRL");
    }

    #[test]
    fn only_what_is_read_is_counted() {
        let limits = Limits { ocsp_bytes: 10, envelope_bytes: 20, ..Limits::default() };
        for (media_type, at_most) in [(names::OCSP, 10), (names::TIMESTAMP, 20)] {
            let layer = |size| Descriptor::new(media_type, Digest::sha256(b"x"), size);
            assert!(is_read(&layer(at_most), &limits), "{media_type}");
            assert!(!is_read(&layer(at_most + 1), &limits), "{media_type}");
        }
        assert!(is_read(&Descriptor::new(names::CRL, Digest::sha256(b"x"), u64::MAX), &limits));
    }
}
