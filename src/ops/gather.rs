//! Gathering the revocation data that one certificate needs, from whoever has it.

use std::collections::BTreeMap;

use crate::archive::{CarriedCrl, CarriedOcsp, EvidenceGap, EvidenceRecord};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::Digest;
use crate::evidence::{EvidenceFetchError, LiveEvidence};
use crate::limits::Limits;
use crate::pki::{
    CertIdHash, Certificate, Crl, CrlError, OcspError, OcspRequest, OcspResponse, OcspStatus, VerifiedOcsp,
};
use crate::verification::{CarriedEvidence, EvidenceFlood, EvidenceNeed, evidence};

/// Where evidence may come from.
pub struct Sources<'a> {
    /// CRLs that the operator supplied.
    pub supplied: &'a [Crl],
    /// The network, if it may be used.
    pub live: Option<&'a dyn LiveEvidence>,
}

/// A piece of evidence.
#[derive(Debug, Clone)]
pub enum Piece {
    /// A CRL, complete or delta
    Crl(Crl),
    /// An OCSP response
    Ocsp(OcspResponse),
}

/// A piece of evidence and where certificates say that it is.
#[derive(Debug, Clone)]
pub struct Named {
    /// The evidence.
    pub piece: Piece,
    /// Where it is to be had.
    pub urls: Vec<String>,
}

impl Piece {
    /// SHA-256 of it.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Crl(crl) => crl.digest(),
            Self::Ocsp(response) => response.digest(),
        }
    }

    /// The bytes as they came.
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Crl(crl) => crl.der(),
            Self::Ocsp(response) => response.der(),
        }
    }

    /// Its line in an inventory.
    pub fn record(&self, urls: Vec<String>) -> EvidenceRecord {
        let (digest, size) = (self.digest(), u64::try_from(self.der().len()).unwrap_or(u64::MAX));
        match self {
            Self::Crl(crl) => EvidenceRecord::Crl(CarriedCrl {
                digest,
                size,
                issuer: crl.issuer().to_string(),
                urls,
                this_update: crl.this_update(),
                next_update: crl.next_update(),
                number: crl.number().map(ToString::to_string),
                base_number: crl.base_crl_number().map(ToString::to_string),
            }),
            Self::Ocsp(response) => {
                let (this_update, next_update) = response.period();
                EvidenceRecord::Ocsp(CarriedOcsp {
                    digest,
                    size,
                    responder: response.responder(),
                    serials: response.serials().map(ToString::to_string).collect(),
                    urls,
                    produced_at: response.produced_at(),
                    this_update,
                    next_update,
                })
            }
        }
    }
}

/// What was found for one certificate.
#[derive(Debug, Default)]
pub struct Gathered {
    /// All that was found.
    pub found: Vec<Named>,
    /// What is missing, if what was found does not suffice.
    pub gap: Option<EvidenceGap>,
}

/// Why a certificate is not supplied by one kind of evidence; kept for each address, so that it is not asked again.
#[derive(Debug, Clone)]
enum Failed {
    Fetch(EvidenceFetchError),
    NotACrl { url: String, error: CrlError },
    NotOcsp { url: String, error: OcspError },
    Unknown { url: String },
    NoIssuer,
    NoResponderCrl,
    NoHttpDelta,
}

impl Failed {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Fetch(_) => DiagnosticCode::EvidenceUnavailable,
            Self::NotACrl { error, .. } => error.code(),
            Self::NotOcsp { error, .. } => error.code(),
            Self::Unknown { .. } => DiagnosticCode::OcspUnknown,
            Self::NoIssuer => DiagnosticCode::OcspMissing,
            Self::NoResponderCrl => DiagnosticCode::OcspResponderUnchecked,
            Self::NoHttpDelta => DiagnosticCode::DeltaCrlMissing,
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Fetch(error) => error.to_string(),
            Self::NotACrl { url, error } => format!("{url}: {error}"),
            Self::NotOcsp { url, error } => format!("{url}: {error}"),
            Self::Unknown { url } => format!("{url}: the responder does not know the certificate"),
            Self::NoIssuer => "no responder can be asked, because the issuer's certificate is not at hand".to_owned(),
            Self::NoResponderCrl => {
                "the responder's certificate wants its revocation checked by a CRL and names none".to_owned()
            }
            Self::NoHttpDelta => "changes to the CRL are published as delta CRLs, but not over HTTP".to_owned(),
        }
    }
}

/// What one kind of evidence gave: what was found, and why that does not suffice.
type Attempt = (Vec<Named>, Result<(), Failed>);

/// Brings what a signature will need, from the first place that has it: the operator, the network, evidence
/// that the source already carries. Each address is asked once.
pub struct Gatherer<'a> {
    supplied: CarriedEvidence,
    live: Option<&'a dyn LiveEvidence>,
    carried: CarriedEvidence,
    fetched: BTreeMap<String, Result<Crl, Failed>>,
    asked: BTreeMap<(String, Vec<u8>), Result<OcspResponse, Failed>>,
    limits: &'a Limits,
}

impl<'a> Gatherer<'a> {
    /// A gatherer that knows what the operator and the source bring along.
    pub fn new(sources: &Sources<'a>, carried: CarriedEvidence, limits: &'a Limits) -> Self {
        let mut supplied = CarriedEvidence::default();
        for crl in sources.supplied {
            supplied.insert(crl.clone());
        }
        let (fetched, asked) = (BTreeMap::new(), BTreeMap::new());
        Self { supplied, live: sources.live, carried, fetched, asked, limits }
    }

    /// What the source brings along.
    pub const fn carried(&self) -> &CarriedEvidence {
        &self.carried
    }

    /// The evidence for one certificate: both kinds, where it offers both. One that answers suffices (conformance 10.01).
    ///
    /// What the source carries travels along and will be tried by whoever judges, so too much of it is a gap, whatever else
    /// is found.
    pub fn gather(&mut self, need: &EvidenceNeed) -> Gathered {
        let mut gathered = self.find(need);
        if let Some(flood) = self.flood(need) {
            gathered.gap = Some(EvidenceGap {
                code: flood.code().into(),
                certificate: need.certificate.subject().to_string(),
                urls: Vec::new(),
                reason: flood.to_string(),
            });
        }
        gathered
    }

    fn flood(&self, need: &EvidenceNeed) -> Option<EvidenceFlood> {
        let (certificate, most) = (&need.certificate, self.limits.evidence_tries);
        let crls = self.carried.bases_for(certificate, most).flood.or(self.carried.deltas_for(certificate, most).flood);
        let responses = |issuer| self.carried.responses_for(certificate, issuer, most).flood;
        crls.or_else(|| need.issuer.as_ref().and_then(responses))
    }

    fn find(&mut self, need: &EvidenceNeed) -> Gathered {
        let (mut found, ocsp) = self.responses(need);
        let (crls, crl) = self.crls(need);
        found.extend(crls);
        let offers = |urls: &[String], attempt: Result<(), Failed>| if urls.is_empty() { None } else { Some(attempt) };
        let attempts: Vec<_> =
            [offers(&need.crl_urls, crl), offers(&need.ocsp_urls, ocsp)].into_iter().flatten().collect();
        if attempts.iter().any(Result::is_ok) {
            return Gathered { found, gap: None };
        }
        let failures: Vec<Failed> = attempts.into_iter().filter_map(Result::err).collect();
        let gap = failures.first().map(|first| EvidenceGap {
            code: first.code().into(),
            certificate: need.certificate.subject().to_string(),
            urls: need.crl_urls.iter().chain(&need.ocsp_urls).cloned().collect(),
            reason: failures.iter().map(Failed::reason).collect::<Vec<_>>().join("; "),
        });
        Gathered { found, gap }
    }

    /// The first responder that answers is believed (conformance 10.06); where none does, what is carried.
    fn responses(&mut self, need: &EvidenceNeed) -> Attempt {
        let Some(issuer) = need.issuer.clone() else { return (Vec::new(), Err(Failed::NoIssuer)) };
        let mut failure = None;
        for url in &need.ocsp_urls {
            let verified = self.ask(url, &need.certificate, &issuer).and_then(|response| {
                let error = |error| Failed::NotOcsp { url: url.clone(), error };
                response.verify(&need.certificate, &issuer).map_err(error)
            });
            match verified {
                Ok(verified) => return self.answered(&verified, need, &issuer, url),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        let carried: Vec<VerifiedOcsp> = self
            .carried
            .responses_for(&need.certificate, &issuer, self.limits.evidence_tries)
            .pieces
            .into_iter()
            .filter_map(|response| response.verify(&need.certificate, &issuer).ok())
            .collect();
        let mut found = Vec::new();
        let mut result = Err(failure.unwrap_or(Failed::NoIssuer));
        for verified in carried {
            let url = need.ocsp_urls.first().cloned().unwrap_or_default();
            let (pieces, answer) = self.answered(&verified, need, &issuer, &url);
            found.extend(pieces);
            result = if result.is_ok() { result } else { answer };
        }
        (found, result)
    }

    /// An answer, and the CRLs that its responder needs for itself (conformance 10.13).
    fn answered(&mut self, verified: &VerifiedOcsp, need: &EvidenceNeed, issuer: &Certificate, url: &str) -> Attempt {
        let mut found = vec![Named { piece: Piece::Ocsp(verified.response().clone()), urls: need.ocsp_urls.clone() }];
        if let Some(responder) = verified.responder().to_check() {
            let sources = responder.revocation_sources().ok();
            let need = sources.and_then(|sources| EvidenceNeed::of(responder, Some(issuer), need.role, &sources));
            let Some(need) = need.filter(|need| !need.crl_urls.is_empty()) else {
                return (found, Err(Failed::NoResponderCrl));
            };
            let (crls, result) = self.crls(&need);
            found.extend(crls);
            if let Err(failed) = result {
                return (found, Err(failed));
            }
        }
        let known = verified.status() != OcspStatus::Unknown;
        (found, if known { Ok(()) } else { Err(Failed::Unknown { url: url.to_owned() }) })
    }

    fn ask(&mut self, url: &str, certificate: &Certificate, issuer: &Certificate) -> Result<OcspResponse, Failed> {
        let request = OcspRequest::new(CertIdHash::Sha1, certificate, issuer);
        let key = (url.to_owned(), request.der().to_vec());
        if let Some(known) = self.asked.get(&key) {
            return known.clone();
        }
        let not_ocsp = |error| Failed::NotOcsp { url: url.to_owned(), error };
        let answer = match self.live {
            None => Err(Failed::Fetch(forbidden(url))),
            Some(live) => live
                .fetch_ocsp(url, request.der(), self.limits.ocsp_bytes)
                .map_err(Failed::Fetch)
                .and_then(|bytes| OcspResponse::from_der(bytes, self.limits).map_err(not_ocsp)),
        };
        self.asked.insert(key, answer.clone());
        answer
    }

    fn crls(&mut self, need: &EvidenceNeed) -> Attempt {
        let (bases, result) = self.bases(need);
        let mut found = bases.clone();
        let mut failure = result.err();
        for base in &bases {
            let Piece::Crl(base) = &base.piece else { continue };
            match self.delta(base, need) {
                Ok(delta) => found.extend(delta),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        (found, failure.map_or(Ok(()), Err))
    }

    fn bases(&mut self, need: &EvidenceNeed) -> Attempt {
        let supplied = fitting(&self.supplied, need, self.limits);
        if !supplied.is_empty() {
            return (supplied, Ok(()));
        }
        let mut found = Vec::new();
        let mut failure = None;
        for url in &need.crl_urls {
            match self.fetch(url).and_then(|crl| fits(&crl, need, url).map(|()| crl)) {
                Ok(crl) => found.push(Named { piece: Piece::Crl(crl), urls: vec![url.clone()] }),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        let Some(failure) = failure else { return (found, Ok(())) };
        let carried = fitting(&self.carried, need, self.limits);
        let result = if carried.is_empty() { Err(failure) } else { Ok(()) };
        // What was fetched stays, whatever else failed: it may be the one that says "revoked".
        found.extend(carried);
        (found, result)
    }

    /// The delta CRL that continues `base`, where base or certificate say that there are any: the first that is to be had
    /// (conformance 10.25).
    fn delta(&mut self, base: &Crl, need: &EvidenceNeed) -> Result<Option<Named>, Failed> {
        let mut urls: Vec<String> = base.http_freshest_urls().into_iter().map(str::to_owned).collect();
        urls.extend(need.delta_urls.iter().cloned());
        let by_certificate = need.certificate.revocation_sources().is_ok_and(|sources| sources.has_freshest_crl);
        if base.freshest_urls().is_empty() && !by_certificate {
            return Ok(None);
        }
        let named = |crl: &Crl, urls: Vec<String>| Some(Named { piece: Piece::Crl(crl.clone()), urls });
        let at_hand = |evidence: &CarriedEvidence| {
            let deltas = evidence.deltas_for(&need.certificate, self.limits.evidence_tries).pieces;
            deltas.into_iter().find(|delta| continues(delta, base, need, "").is_ok()).cloned()
        };
        if let Some(delta) = at_hand(&self.supplied) {
            return Ok(named(&delta, urls));
        }
        let mut failure = None;
        for url in &urls {
            match self.fetch(url).and_then(|crl| continues(&crl, base, need, url).map(|()| crl)) {
                Ok(delta) => return Ok(named(&delta, vec![url.clone()])),
                Err(failed) => failure = failure.or(Some(failed)),
            }
        }
        match (at_hand(&self.carried), failure) {
            (Some(delta), _) => Ok(named(&delta, urls)),
            (None, Some(failure)) => Err(failure),
            (None, None) => Err(Failed::NoHttpDelta),
        }
    }

    fn fetch(&mut self, url: &str) -> Result<Crl, Failed> {
        if let Some(known) = self.fetched.get(url) {
            return known.clone();
        }
        let fetched = match self.live {
            None => Err(Failed::Fetch(forbidden(url))),
            Some(live) => live
                .fetch_crl(url, self.limits.crl_bytes)
                .map_err(Failed::Fetch)
                .and_then(|bytes| Crl::from_der(bytes).map_err(|error| Failed::NotACrl { url: url.to_owned(), error })),
        };
        self.fetched.insert(url.to_owned(), fetched.clone());
        fetched
    }
}

fn forbidden(url: &str) -> EvidenceFetchError {
    EvidenceFetchError {
        code: DiagnosticCode::NetworkForbidden,
        message: format!("{url} was not asked: the network may not be used"),
        hint: None,
    }
}

fn fitting(evidence: &CarriedEvidence, need: &EvidenceNeed, limits: &Limits) -> Vec<Named> {
    let candidates = evidence.bases_for(&need.certificate, limits.evidence_tries).pieces.into_iter();
    let named = |crl: &Crl| Named { piece: Piece::Crl(crl.clone()), urls: need.crl_urls.clone() };
    candidates.filter(|crl| fits(crl, need, "").is_ok()).map(named).collect()
}

/// Where the issuer's certificate is not at hand (a timestamp authority's root), the name must do; whoever judges has
/// the root and checks the signature.
fn fits(crl: &Crl, need: &EvidenceNeed, url: &str) -> Result<(), Failed> {
    let failed = |error| Failed::NotACrl { url: url.to_owned(), error };
    match &need.issuer {
        Some(issuer) => evidence::accept(crl, issuer, &need.certificate).map(drop).map_err(failed),
        None if crl.is_delta() => Err(failed(CrlError::Delta { issuer: crl.issuer().to_string() })),
        None => same_issuer(crl, need).map_err(failed),
    }
}

/// As [`fits`], for a delta CRL.
fn continues(delta: &Crl, base: &Crl, need: &EvidenceNeed, url: &str) -> Result<(), Failed> {
    let failed = |error| Failed::NotACrl { url: url.to_owned(), error };
    match &need.issuer {
        Some(issuer) => evidence::accept_delta(delta, issuer, &need.certificate)
            .and_then(|delta| delta.applies_to(&base.verify(issuer)?))
            .map_err(failed),
        None if !delta.is_delta() => Err(failed(CrlError::NotDelta { issuer: delta.issuer().to_string() })),
        None => same_issuer(delta, need).map_err(failed),
    }
}

fn same_issuer(crl: &Crl, need: &EvidenceNeed) -> Result<(), CrlError> {
    let (expected, found) = (need.certificate.issuer(), crl.issuer());
    if expected == found {
        return Ok(());
    }
    Err(CrlError::IssuerMismatch { expected: expected.to_string(), found: found.to_string() })
}
