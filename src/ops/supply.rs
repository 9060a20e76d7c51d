//! Supplying signatures with the evidence that judging them will need.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::closure::NotarySignature;
use super::collect::{CollectError, Collection};
pub use super::gather::Sources;
use super::gather::{Gatherer, Named};
use super::pack::Supplies;
use super::signatures::{carried_evidence, check_amount, envelope_of, read_signature};
use crate::archive::{EvidenceGap, EvidenceRecord, GapCode, SignatureRecord};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::EvidenceManifest;
use crate::json::JsonError;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest, MediaType};
use crate::parallel::try_map_in_parallel;
use crate::pki::CertificatePool;
use crate::verification::{CarriedEvidence, EvidencePlan, Failure, FoundSignature, PlanNote, plan_with};

/// What to do where evidence cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GapPolicy {
    /// Fail, naming every gap.
    #[default]
    Refuse,
    /// Go on; the bundle says what is missing.
    Record,
}

/// Signatures whose certificates are held while their evidence is gathered.
const PLANNED_TOGETHER: usize = 256;

/// Supplies every Notary signature of the collection.
///
/// # Errors
/// A store fails, or evidence cannot be had and `gaps` says to refuse.
pub fn supply(
    collection: &Collection,
    sources: &Sources<'_>,
    gaps: GapPolicy,
    limits: &Limits,
) -> Result<Supplies, SupplyError> {
    let pool = CertificatePool::default();
    let carried = carried_evidence(collection.manifests.values(), limits, &pool, |layer, _, most| {
        collection.fetch(&layer.digest, most)
    })?;
    let signatures = collection.notary_signatures();
    let mut gatherer = Gatherer::new(sources, carried, limits);
    let mut supplies = Supplies::default();
    let mut pieces: BTreeMap<Digest, Named> = BTreeMap::new();
    for together in signatures.chunks(PLANNED_TOGETHER) {
        let carried = gatherer.carried();
        let plan = |signature: &NotarySignature| plan_one(collection, signature, carried, limits, &pool);
        let planned = try_map_in_parallel(together, plan)?;
        for (signature, planned) in together.iter().zip(planned) {
            let manifest = &signature.manifest;
            let (mut record, named) = supply_one(manifest, &planned, &mut gatherer);
            if !named.is_empty() {
                let evidence = encode_evidence(manifest.descriptor(), &named)?;
                record.evidence = Some(evidence.0.digest);
                supplies.evidence_manifests.push(evidence);
            }
            supplies.signatures.push(record);
            for found in named {
                match pieces.entry(found.piece.digest()) {
                    Entry::Occupied(known) => known.into_mut().urls.extend(found.urls),
                    Entry::Vacant(empty) => drop(empty.insert(found)),
                }
            }
        }
    }
    supplies.evidence = pieces.into_values().map(|named| (record_of(&named), Arc::from(named.piece.der()))).collect();
    let added = supplies.evidence.iter().map(|(record, bytes)| (record.digest(), length(bytes)));
    check_amount(signatures, collection.manifests.values(), added, limits).map_err(CollectError::from)?;
    let missing: Vec<(Digest, EvidenceGap)> = supplies
        .signatures
        .iter()
        .flat_map(|record| record.missing.iter().map(|gap| (record.digest, gap.clone())))
        .collect();
    if missing.is_empty() || gaps == GapPolicy::Record {
        return Ok(supplies);
    }
    Err(SupplyError::Missing { gaps: missing })
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// A signature without what is not needed any more, and what it will need.
pub(super) struct Planned {
    digest: Digest,
    subject: Digest,
    media_type: Option<MediaType>,
    plan: Result<EvidencePlan, Failure>,
}

impl Planned {
    pub(super) fn of(
        found: FoundSignature,
        carried: &CarriedEvidence,
        limits: &Limits,
        pool: &CertificatePool,
    ) -> Self {
        let plan = found.envelope.map(|envelope| plan_with(&envelope, carried, limits, pool));
        Self { digest: found.digest, subject: found.subject.digest, media_type: found.media_type, plan }
    }
}

fn plan_one(
    collection: &Collection,
    signature: &NotarySignature,
    carried: &CarriedEvidence,
    limits: &Limits,
    pool: &CertificatePool,
) -> Result<Planned, CollectError> {
    let fetch = |layer: &Descriptor| collection.fetch(&layer.digest, limits.envelope_bytes);
    let found = read_signature(&signature.manifest, limits, pool, fetch)?;
    Ok(Planned::of(found, carried, limits, pool))
}

/// Finds the evidence for one signature, and what is missing.
pub(super) fn supply_one(
    manifest: &Manifest,
    planned: &Planned,
    gatherer: &mut Gatherer<'_>,
) -> (SignatureRecord, Vec<Named>) {
    let mut record = SignatureRecord {
        digest: planned.digest,
        subject: planned.subject,
        envelope: envelope_of(manifest).map(|envelope| envelope.digest),
        envelope_media_type: planned.media_type.clone(),
        evidence: None,
        missing: Vec::new(),
    };
    let mut named = Vec::new();
    match &planned.plan {
        Ok(plan) => {
            for need in &plan.needs {
                let gathered = gatherer.gather(need);
                named.extend(gathered.found);
                record.missing.extend(gathered.gap);
            }
            record.missing.extend(plan.notes.iter().filter_map(gap_of));
        }
        // What cannot be judged yet cannot be supplied either. A malformed signature will never be good, so it lacks
        // nothing: it must not stand in the way of a good one.
        Err(failure) if failure.code == DiagnosticCode::EnvelopeUnsupported => record.missing.push(EvidenceGap {
            code: failure.code.into(),
            certificate: "(unknown)".to_owned(),
            urls: Vec::new(),
            reason: failure.message.clone(),
        }),
        Err(_) => {}
    }
    record.missing.sort();
    record.missing.dedup();
    (record, named)
}

fn gap_of(note: &PlanNote) -> Option<EvidenceGap> {
    let gap = |code, certificate: String, urls: &[String], reason: String| {
        Some(EvidenceGap { code: GapCode::from(code), certificate, urls: urls.to_vec(), reason })
    };
    match note {
        PlanNote::NoHttpPoint(certificate) => gap(
            DiagnosticCode::CrlMissing,
            certificate.subject().to_string(),
            &[],
            "none of the certificate's CRL distribution points and OCSP responders is an HTTP URL".into(),
        ),
        PlanNote::Unreadable(certificate, reason) => {
            gap(DiagnosticCode::CertificateMalformed, certificate.subject().to_string(), &[], reason.clone())
        }
        PlanNote::AuthorityCrowd(certificate) => gap(
            DiagnosticCode::EvidenceFlood,
            certificate.subject().to_string(),
            &[],
            "the timestamp brings more certificates of its issuer's name than are tried".into(),
        ),
        // Judging such a token fails whatever is carried, and a certificate that offers nothing lacks nothing.
        PlanNote::TokenUnreadable(_) | PlanNote::NotOffered(_) => None,
    }
}

/// The evidence manifest of a signature.
pub(super) fn encode_evidence(signature: &Descriptor, named: &[Named]) -> Result<(Descriptor, Arc<[u8]>), JsonError> {
    let mut layers: BTreeMap<Digest, (Descriptor, Vec<String>)> = BTreeMap::new();
    for found in named {
        let layer = layers.entry(found.piece.digest()).or_insert_with(|| (record_of(found).descriptor(), Vec::new()));
        layer.1.extend(found.urls.iter().cloned());
    }
    let (descriptor, bytes) = EvidenceManifest::new(signature, layers.into_values()).encode()?;
    Ok((descriptor, bytes.into()))
}

fn record_of(named: &Named) -> EvidenceRecord {
    let urls: BTreeSet<String> = named.urls.iter().cloned().collect();
    named.piece.record(urls.into_iter().collect())
}

/// Why signatures could not be supplied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupplyError {
    /// What was collected cannot be read.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// A document of our own could not be written.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Evidence is missing.
    #[error("{}", describe(.gaps))]
    Missing {
        /// Each gap with the signature that has it.
        gaps: Vec<(Digest, EvidenceGap)>,
    },
}

fn describe(gaps: &[(Digest, EvidenceGap)]) -> String {
    let mut text = String::from("revocation data that judging the signatures will need could not be had:");
    for (signature, gap) in gaps {
        text.push_str(&format!(
            "\n  signature {signature}, certificate \"{}\": {} [{}]",
            gap.certificate, gap.reason, gap.code
        ));
    }
    text
}

impl Diagnostic for SupplyError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Collect(error) => error.code(),
            Self::Json(error) => error.code(),
            Self::Missing { .. } => DiagnosticCode::EvidenceUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Collect(error) => error.hint(),
            Self::Json(_) => None,
            Self::Missing { .. } => Some(
                "make the distribution points and responders reachable, supply CRLs from files, or explicitly allow missing evidence"
                    .into(),
            ),
        }
    }
}
