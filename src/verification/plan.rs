//! What judging a signature will need. The plan depends on the signature alone, not on clock or policy, and both
//! export and verification make it: what exports cleanly can be judged.

use super::CarriedEvidence;
use crate::limits::{Budget, Limits};
use crate::notary::{SignatureEnvelope, SigningScheme};
use crate::pki::{Certificate, CertificatePool, RevocationSources};
use crate::tsp::{TimestampError, TimestampToken};

/// How many tokens that lie beside a signature are looked at. Each costs a few public-key operations.
pub(super) const MOST_TOKENS: usize = 16;

/// The chain that a certificate stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChainRole {
    /// The signer's
    Signing,
    /// The timestamp authority's
    Timestamping,
}

/// A certificate whose revocation a CRL or an OCSP responder can answer.
#[derive(Debug, Clone)]
pub struct EvidenceNeed {
    /// The certificate.
    pub certificate: Certificate,
    /// Its issuer, where the signature brings it along. A timestamp authority's root often stays at home.
    pub issuer: Option<Certificate>,
    /// The chain in which it stands.
    pub role: ChainRole,
    /// Where it says that CRLs are, HTTP and HTTPS only.
    pub crl_urls: Vec<String>,
    /// Where it says itself that delta CRLs are, HTTP and HTTPS only. As a rule, the CRLs say so.
    pub delta_urls: Vec<String>,
    /// Where it says that it can be asked about, HTTP and HTTPS only.
    pub ocsp_urls: Vec<String>,
}

/// Something about a certificate that no evidence can answer.
#[derive(Debug, Clone)]
pub enum PlanNote {
    /// It names distribution points or OCSP responders, none of them over HTTP.
    NoHttpPoint(Certificate),
    /// Its extensions about revocation cannot be read.
    Unreadable(Certificate, String),
    /// It offers nothing at all.
    NotOffered(Certificate),
    /// So many certificates of its issuer's name come along in the timestamp token that not all were tried.
    AuthorityCrowd(Certificate),
    /// The timestamp token cannot be read, so the needs of its authority are not known.
    TokenUnreadable(TimestampError),
}

/// Everything that judging a signature will need, for both chains.
#[derive(Debug, Clone, Default)]
pub struct EvidencePlan {
    /// CRLs and OCSP responses, by certificate; leaf first, signing chain first.
    pub needs: Vec<EvidenceNeed>,
    /// What no evidence can answer.
    pub notes: Vec<PlanNote>,
}

/// Makes the plan for one signature: for its own two chains, and for the authorities of those timestamp tokens that
/// `carried` holds for it.
pub fn plan(envelope: &SignatureEnvelope, carried: &CarriedEvidence, limits: &Limits) -> EvidencePlan {
    plan_with(envelope, carried, limits, &CertificatePool::default())
}

/// As [`plan`], with the timestamp authority's certificates from `pool`.
pub fn plan_with(
    envelope: &SignatureEnvelope,
    carried: &CarriedEvidence,
    limits: &Limits,
    pool: &CertificatePool,
) -> EvidencePlan {
    let mut plan = EvidencePlan::default();
    let chain = envelope.certificates().certificates();
    for (position, certificate) in chain.iter().enumerate() {
        plan.ask(certificate, chain.get(position.saturating_add(1)), ChainRole::Signing);
    }
    let own = envelope.timestamp().map(|token| TimestampToken::read(token, limits, pool));
    plan.ask_authority(own.map(|token| token.and_then(|token| authority_path(&token, limits))));
    if envelope.claims().scheme == SigningScheme::X509 {
        for token in carried.tokens(envelope.signature()).take(MOST_TOKENS) {
            plan.ask_authority(Some(authority_path(token, limits)));
        }
    }
    plan
}

/// The certificates of an authority.
#[derive(Default)]
struct Path {
    /// Each with its issuer.
    steps: Vec<(Certificate, Option<Certificate>)>,
    /// Whose issuer was not found, because there were too many to try.
    crowded: Option<Certificate>,
}

/// The authority's certificates as far as the token brings them.
fn authority_path(token: &TimestampToken, limits: &Limits) -> Result<Path, TimestampError> {
    let mut path = Path::default();
    let mut tries = Budget::new(limits.evidence_tries);
    let mut next = Some(token.signer()?.clone());
    while let Some(certificate) = next.take() {
        let seen = path.steps.iter().any(|(known, _)| *known == certificate);
        if seen || path.steps.len() >= limits.certificates {
            break;
        }
        let issuer = if certificate.is_self_issued() { None } else { path.issuer_of(&certificate, token, &mut tries) };
        next.clone_from(&issuer);
        path.steps.push((certificate, issuer));
    }
    Ok(path)
}

impl Path {
    fn issuer_of(
        &mut self,
        certificate: &Certificate,
        token: &TimestampToken,
        tries: &mut Budget,
    ) -> Option<Certificate> {
        let of_the_name = |candidate: &&Certificate| candidate.subject() == certificate.issuer();
        for candidate in token.certificates().iter().filter(of_the_name) {
            if !tries.spend() {
                self.crowded = Some(certificate.clone());
                return None;
            }
            if certificate.verify_signed_by(candidate).is_ok() {
                return Some(candidate.clone());
            }
        }
        None
    }
}

impl EvidencePlan {
    fn ask_authority(&mut self, path: Option<Result<Path, TimestampError>>) {
        match path {
            None => {}
            Some(Ok(Path { steps, crowded })) => {
                for (certificate, issuer) in &steps {
                    self.ask(certificate, issuer.as_ref(), ChainRole::Timestamping);
                }
                self.notes.extend(crowded.map(PlanNote::AuthorityCrowd));
            }
            Some(Err(error)) => self.notes.push(PlanNote::TokenUnreadable(error)),
        }
    }

    /// Nobody asks whether a root is revoked (conformance 10.02): who trusts it decides that.
    fn ask(&mut self, certificate: &Certificate, issuer: Option<&Certificate>, role: ChainRole) {
        if certificate.is_self_signed() {
            return;
        }
        let sources = match certificate.revocation_sources() {
            Ok(sources) => sources,
            Err(error) => return self.notes.push(PlanNote::Unreadable(certificate.clone(), error.to_string())),
        };
        match EvidenceNeed::of(certificate, issuer, role, &sources) {
            Some(need) => self.needs.push(need),
            None if sources.is_empty() => self.notes.push(PlanNote::NotOffered(certificate.clone())),
            None => self.notes.push(PlanNote::NoHttpPoint(certificate.clone())),
        }
    }
}

impl EvidenceNeed {
    /// The need of a certificate with those sources; `None` if none of them is over HTTP.
    pub fn of(
        certificate: &Certificate,
        issuer: Option<&Certificate>,
        role: ChainRole,
        sources: &RevocationSources,
    ) -> Option<Self> {
        let owned = |urls: Vec<&str>| -> Vec<String> { urls.into_iter().map(str::to_owned).collect() };
        let need = Self {
            certificate: certificate.clone(),
            issuer: issuer.cloned(),
            role,
            crl_urls: owned(sources.http_crl_urls()),
            delta_urls: owned(sources.http_freshest_urls()),
            ocsp_urls: owned(sources.http_ocsp_urls()),
        };
        (!need.crl_urls.is_empty() || !need.ocsp_urls.is_empty()).then_some(need)
    }
}
