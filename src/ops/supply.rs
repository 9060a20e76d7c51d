//! Supplying signatures with the evidence that judging them will need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::collect::{CollectError, Collection};
use super::pack::Supplies;
use super::signatures::{carried_evidence, envelope_of, read_signature};
use crate::archive::{CarriedCrl, EvidenceGap, SignatureRecord, names};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::{CrlFetchError, CrlSource, EvidenceManifest};
use crate::json::JsonError;
use crate::limits::Limits;
use crate::oci::{Descriptor, Manifest};
use crate::pki::{Crl, CrlError};
use crate::verification::{CarriedEvidence, CrlNeed, FoundSignature, PlanNote, evidence, plan};

/// What to do where evidence cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GapPolicy {
    /// Fail, naming every gap.
    #[default]
    Refuse,
    /// Go on; the bundle says what is missing.
    Record,
}

/// Where evidence may come from.
pub struct Sources<'a> {
    /// CRLs that the operator supplied.
    pub supplied: &'a [Crl],
    /// The network, if it may be used.
    pub live: Option<&'a dyn CrlSource>,
}

/// Brings every CRL that a signature will need, from the first place that has it: the operator, the network, evidence
/// that the source already carries. Each URL is asked once.
pub struct Gatherer<'a> {
    supplied: CarriedEvidence,
    live: Option<&'a dyn CrlSource>,
    carried: CarriedEvidence,
    fetched: BTreeMap<String, Result<Crl, Failed>>,
    limits: &'a Limits,
}

/// Why one URL gave nothing; kept, so that it is not asked again.
#[derive(Debug, Clone)]
enum Failed {
    Fetch(CrlFetchError),
    NotACrl { url: String, error: CrlError },
}

impl Failed {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Fetch(_) => DiagnosticCode::EvidenceUnavailable,
            Self::NotACrl { error, .. } => error.code(),
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Fetch(error) => error.to_string(),
            Self::NotACrl { url, error } => format!("{url}: {error}"),
        }
    }
}

/// A CRL and where certificates say that it is.
pub type Named = (Crl, Vec<String>);

impl<'a> Gatherer<'a> {
    /// A gatherer that knows what the operator and the source bring along.
    pub fn new(sources: &Sources<'a>, carried: CarriedEvidence, limits: &'a Limits) -> Self {
        let mut supplied = CarriedEvidence::default();
        for crl in sources.supplied {
            supplied.insert(crl.clone());
        }
        Self { supplied, live: sources.live, carried, fetched: BTreeMap::new(), limits }
    }

    /// The CRLs for one certificate.
    ///
    /// # Errors
    /// The gap that is left.
    pub fn gather(&mut self, need: &CrlNeed) -> Result<Vec<Named>, EvidenceGap> {
        let supplied = fitting(&self.supplied, need);
        if !supplied.is_empty() {
            return Ok(supplied);
        }
        let mut found = Vec::new();
        let mut failure = None;
        for url in &need.urls {
            match self.fetch(url).and_then(|crl| fits(&crl, need, url).map(|()| crl)) {
                Ok(crl) => found.push((crl, vec![url.clone()])),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        let Some(failure) = failure else { return Ok(found) };
        let carried = fitting(&self.carried, need);
        if !carried.is_empty() {
            return Ok(carried);
        }
        Err(EvidenceGap {
            code: failure.code(),
            certificate: need.certificate.subject().to_string(),
            urls: need.urls.clone(),
            reason: failure.reason(),
        })
    }

    fn fetch(&mut self, url: &str) -> Result<Crl, Failed> {
        if let Some(known) = self.fetched.get(url) {
            return known.clone();
        }
        let fetched = match self.live {
            None => Err(Failed::Fetch(CrlFetchError {
                code: DiagnosticCode::NetworkForbidden,
                message: format!("{url} was not asked: the network may not be used"),
                hint: None,
            })),
            Some(live) => live
                .fetch_crl(url, self.limits.crl_bytes)
                .map_err(Failed::Fetch)
                .and_then(|bytes| Crl::from_der(bytes).map_err(|error| Failed::NotACrl { url: url.to_owned(), error })),
        };
        self.fetched.insert(url.to_owned(), fetched.clone());
        fetched
    }
}

fn fitting(evidence: &CarriedEvidence, need: &CrlNeed) -> Vec<Named> {
    let candidates = evidence.candidates(&need.certificate).iter();
    candidates.filter(|crl| fits(crl, need, "").is_ok()).map(|crl| (crl.clone(), need.urls.clone())).collect()
}

/// Where the issuer's certificate is not at hand (a timestamp authority's root), the name must do; whoever judges has
/// the root and checks the signature.
fn fits(crl: &Crl, need: &CrlNeed, url: &str) -> Result<(), Failed> {
    let failed = |error| Failed::NotACrl { url: url.to_owned(), error };
    match &need.issuer {
        Some(issuer) => evidence::accept(crl, issuer, &need.certificate).map(drop).map_err(failed),
        None if crl.issuer() == need.certificate.issuer() => Ok(()),
        None => Err(failed(CrlError::IssuerMismatch {
            expected: need.certificate.issuer().to_string(),
            found: crl.issuer().to_string(),
        })),
    }
}

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
    let carried =
        carried_evidence(collection.manifests.values(), |layer, _| collection.fetch(&layer.digest, limits.crl_bytes))?;
    let mut gatherer = Gatherer::new(sources, carried, limits);
    let mut supplies = Supplies::default();
    let mut crls: BTreeMap<Digest, (Crl, BTreeSet<String>)> = BTreeMap::new();
    for signature in collection.notary_signatures() {
        let manifest = &signature.manifest;
        let found = read_signature(manifest, limits, |layer| collection.fetch(&layer.digest, limits.envelope_bytes))?;
        let (mut record, named) = supply_one(manifest, &found, &mut gatherer, limits);
        if !named.is_empty() {
            let evidence = encode_evidence(manifest.descriptor(), &named)?;
            record.evidence = Some(evidence.0.digest);
            supplies.evidence_manifests.push(evidence);
        }
        supplies.signatures.push(record);
        for (crl, urls) in named {
            crls.entry(crl.digest()).or_insert_with(|| (crl, BTreeSet::new())).1.extend(urls);
        }
    }
    supplies.crls = crls.into_values().map(|(crl, urls)| (carried_crl(&crl, urls), Arc::from(crl.der()))).collect();
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

fn supply_one(
    manifest: &Manifest,
    found: &FoundSignature,
    gatherer: &mut Gatherer<'_>,
    limits: &Limits,
) -> (SignatureRecord, Vec<Named>) {
    let mut record = SignatureRecord {
        digest: found.digest,
        subject: found.subject.digest,
        envelope: envelope_of(manifest).map(|envelope| envelope.digest),
        envelope_media_type: found.media_type.clone(),
        evidence: None,
        missing: Vec::new(),
    };
    let mut named = Vec::new();
    match &found.envelope {
        Ok(envelope) => {
            let plan = plan(envelope, limits);
            for need in &plan.needs {
                match gatherer.gather(need) {
                    Ok(crls) => named.extend(crls),
                    Err(gap) => record.missing.push(gap),
                }
            }
            record.missing.extend(plan.notes.iter().filter_map(gap_of));
        }
        // What cannot be judged yet cannot be supplied either. A malformed signature will never be good, so it lacks
        // nothing: it must not stand in the way of a good one.
        Err(failure) if failure.code == DiagnosticCode::EnvelopeUnsupported => record.missing.push(EvidenceGap {
            code: failure.code,
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
        Some(EvidenceGap { code, certificate, urls: urls.to_vec(), reason })
    };
    match note {
        PlanNote::OcspOnly(certificate, urls) => gap(
            DiagnosticCode::OcspUnsupported,
            certificate.subject().to_string(),
            urls,
            "the certificate offers OCSP only, which is not carried yet".into(),
        ),
        PlanNote::NoHttpPoint(certificate) => gap(
            DiagnosticCode::CrlMissing,
            certificate.subject().to_string(),
            &[],
            "none of the certificate's CRL distribution points is an HTTP URL".into(),
        ),
        PlanNote::Unreadable(certificate, reason) => {
            gap(DiagnosticCode::CertificateMalformed, certificate.subject().to_string(), &[], reason.clone())
        }
        // Judging such a token fails whatever is carried, and a certificate that offers nothing lacks nothing.
        PlanNote::TokenUnreadable(_) | PlanNote::NotOffered(_) => None,
    }
}

fn encode_evidence(signature: &Descriptor, named: &[Named]) -> Result<(Descriptor, Arc<[u8]>), JsonError> {
    let mut layers: BTreeMap<Digest, (Descriptor, Vec<String>)> = BTreeMap::new();
    for (crl, urls) in named {
        let layer = layers.entry(crl.digest()).or_insert_with(|| (Descriptor::of(names::CRL, crl.der()), Vec::new()));
        layer.1.extend(urls.iter().cloned());
    }
    let (descriptor, bytes) = EvidenceManifest::new(signature, layers.into_values()).encode()?;
    Ok((descriptor, bytes.into()))
}

fn carried_crl(crl: &Crl, urls: BTreeSet<String>) -> CarriedCrl {
    CarriedCrl {
        digest: crl.digest(),
        size: u64::try_from(crl.der().len()).unwrap_or(u64::MAX),
        issuer: crl.issuer().to_string(),
        urls: urls.into_iter().collect(),
        this_update: crl.this_update(),
        next_update: crl.next_update(),
        number: crl.number().map(ToString::to_string),
    }
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
                "make the distribution points reachable, supply the CRLs from files, or explicitly allow missing evidence"
                    .into(),
            ),
        }
    }
}
