//! CRL validation (RFC 5280 §6.3.3).

use std::collections::HashMap;

use super::{Context, Found, Inquiry, check_period};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::limits::Budget;
use crate::pki::chain::shown;
use crate::pki::crl::{SignerUsage, Verified};
use crate::pki::name::CanonicalRdn;
use crate::pki::scope::{Point, Reasons, reasons_covered};
use crate::pki::validation::{Gap, Pool};
use crate::pki::{Certificate, Crl, CrlEntry, CrlError, Name, VerifiedCrl, VerifiedDelta};

/// Pairs of a CRL and a possible signer whose signature is checked: an honest set has one a CRL.
const MOST_SIGNATURES: usize = 256;
/// Times that a CRL is searched for an entry, all paths together: each walks the whole list.
const MOST_LOOKUPS: usize = 1_000;

/// The CRLs at hand, newest first, by their issuer; and what was found out about them.
pub(super) struct Crls<'a> {
    complete: HashMap<Vec<CanonicalRdn>, Vec<&'a Crl>>,
    deltas: HashMap<Vec<CanonicalRdn>, Vec<&'a Crl>>,
    /// Whose signature holds, by where CRL and signer lie in memory: a CRL may be large, and is hashed once.
    verified: HashMap<(usize, usize), Result<Verified, CrlError>>,
    signatures: Budget,
    lookups: Budget,
}

impl<'a> Crls<'a> {
    pub(super) fn new(crls: &'a [Crl]) -> Self {
        let mut sorted: Vec<&Crl> = crls.iter().collect();
        sorted.sort_by_key(|crl| std::cmp::Reverse(crl.this_update()));
        let mut found = Self {
            complete: HashMap::new(),
            deltas: HashMap::new(),
            verified: HashMap::new(),
            signatures: Budget::new(MOST_SIGNATURES),
            lookups: Budget::new(MOST_LOOKUPS),
        };
        for crl in sorted {
            let by_issuer = if crl.is_delta() { &mut found.deltas } else { &mut found.complete };
            by_issuer.entry(crl.issuer().canonical()).or_default().push(crl);
        }
        found
    }

    /// The complete CRLs that may speak at a point: those of the authority that it names, or of the certificate's issuer.
    fn complete_at(&self, point: &Point, issuer: &Name) -> Vec<&'a Crl> {
        let named: Vec<&Name> = point.crl_issuers().collect();
        let names = if named.is_empty() { vec![issuer] } else { named };
        let of = |name: &Name| self.complete.get(&name.canonical()).into_iter().flatten().copied();
        names.into_iter().flat_map(of).collect()
    }
}

/// What one CRL, with its delta, says.
struct Answer {
    entry: CrlEntry,
    source: String,
    /// Whether it is current, or why not.
    current: Result<(), Gap>,
}

impl Inquiry<'_> {
    /// Asks every CRL that speaks of the certificate, until all reasons are covered. A revocation counts wherever it is told.
    pub(super) fn ask_crls(
        &mut self,
        pool: &mut Pool,
        certificate: &Certificate,
        context: Context<'_>,
        gaps: &mut Vec<Gap>,
    ) -> Found {
        let Ok(points) = Point::of(certificate) else {
            let message = format!("the distribution points of \"{}\" are malformed", shown(certificate.subject()));
            gaps.push(Gap { code: DiagnosticCode::CertificateMalformed, message });
            return Found::Undetermined;
        };
        let mut covered = Reasons::NONE;
        let mut sources: Vec<String> = Vec::new();
        let mut is_unreadable = false;
        for point in &points {
            for crl in self.crls.complete_at(point, certificate.issuer()) {
                let reasons = match reasons_covered(crl.issuer(), crl.idp(), certificate, point) {
                    Ok(reasons) => reasons,
                    Err(scope) => {
                        note(gaps, out_of_scope(crl, certificate, scope));
                        continue;
                    }
                };
                let contributes = !covered.contains(reasons);
                let answer = match self.consult(pool, crl, certificate, context) {
                    Ok(answer) => answer,
                    Err(gap) => {
                        // An entry that nobody can interpret is no silence, whatever another CRL leaves out.
                        is_unreadable |= gap.is_entry;
                        note(gaps, gap.gap);
                        continue;
                    }
                };
                match (answer.entry, answer.current) {
                    (CrlEntry::Revoked(revocation), current)
                        if self.lasts(&revocation) || (contributes && current.is_ok()) =>
                    {
                        return Found::Revoked(revocation, answer.source);
                    }
                    (_, Err(gap)) => note(gaps, gap),
                    (CrlEntry::NotListed, Ok(())) if contributes => {
                        covered = covered.or(reasons);
                        sources.push(answer.source);
                    }
                    _ => {}
                }
            }
        }
        if covered.contains(Reasons::ALL) && !is_unreadable {
            return Found::Good(format!("not on {}", sources.join(", nor on ")));
        }
        if !sources.is_empty() && !is_unreadable {
            let message = format!("{} says nothing of some reasons for a revocation", sources.join(" and "));
            note(gaps, Gap { code: DiagnosticCode::CrlOutOfScope, message });
        }
        Found::Undetermined
    }

    /// §6.3.3 c and f to l, of one complete CRL in whose scope the certificate lies.
    fn consult(
        &mut self,
        pool: &mut Pool,
        crl: &Crl,
        certificate: &Certificate,
        context: Context<'_>,
    ) -> Result<Answer, Refusal> {
        let base = match self.verify(pool, crl, context)? {
            Verified::Complete(base) => base,
            Verified::Delta(delta) => return Err(CrlError::Delta { issuer: shown(delta.crl().issuer()) }.into()),
        };
        let delta = self.delta_of(pool, &base, context);
        if !self.crls.lookups.spend() {
            return Err(Refusal::gap(DiagnosticCode::LimitExceeded, "CRLs were searched too many times".into()));
        }
        let (serial, issuer) = (certificate.serial(), certificate.issuer());
        let entry = match &delta {
            Some(delta) => base.lookup_with_of(delta, serial, issuer)?,
            None => base.lookup_of(serial, issuer)?,
        };
        let mut source = format!("the CRL of \"{}\" of {}", shown(crl.issuer()), crl.this_update());
        if let Some(delta) = &delta {
            source.push_str(&format!(" with its delta CRL of {}", delta.crl().this_update()));
        }
        Ok(Answer { entry, source, current: self.check_crl_current(crl) })
    }

    /// The newest delta CRL that continues `base`, is current and verifies (§6.3.3 c and h).
    fn delta_of(&mut self, pool: &mut Pool, base: &VerifiedCrl, context: Context<'_>) -> Option<VerifiedDelta> {
        let deltas = self.crls.deltas.get(&base.crl().issuer().canonical()).cloned().unwrap_or_default();
        for crl in deltas.into_iter().filter(|crl| crl.idp() == base.crl().idp()) {
            if self.check_crl_current(crl).is_err() {
                continue;
            }
            if let Ok(Verified::Delta(delta)) = self.verify(pool, crl, context)
                && delta.applies_to(base).is_ok()
            {
                return Some(delta);
            }
        }
        None
    }

    fn check_crl_current(&self, crl: &Crl) -> Result<(), Gap> {
        let at = self.settings.at;
        let what = format!("CRL of \"{}\"", shown(crl.issuer()));
        check_period(&what, crl.this_update(), crl.next_update(), at).map_err(|message| Gap {
            code: if crl.this_update() > at { DiagnosticCode::CrlNotYetIssued } else { DiagnosticCode::CrlExpired },
            message,
        })
    }

    /// §6.3.3 f and g: finds who signed the CRL and checks that its path holds. The certificate's own issuer stands in a
    /// path that is being judged already. A signer that is itself in question may be found good by its own list, where RFC
    /// 5280 has no other (PKITS 4.14.30): its path must hold all the same, and being listed there counts.
    fn verify(&mut self, pool: &mut Pool, crl: &Crl, context: Context<'_>) -> Result<Verified, Refusal> {
        let mut refusal: Option<Refusal> = None;
        let own = context.issuer.subject().matches(crl.issuer()).then(|| context.issuer.clone());
        let others = pool.named(crl.issuer());
        for signer in own.into_iter().chain(others.into_iter().filter(|signer| signer != context.issuer)) {
            let verified = match self.verify_by(crl, &signer, context) {
                Ok(verified) => verified,
                Err(error) => {
                    refusal = refusal.or(Some(error));
                    continue;
                }
            };
            if signer == *context.issuer {
                return Ok(verified);
            }
            let is_in_question = self.asking.last() == Some(&signer);
            match self.check_signer(pool, &signer, context.anchor, is_in_question) {
                Ok(()) => return Ok(verified),
                Err(error) => {
                    let message = format!(
                        "\"{}\", who signed the CRL of {}, cannot be believed: {error}",
                        shown(signer.subject()),
                        crl.this_update()
                    );
                    refusal = Some(Refusal::gap(DiagnosticCode::CrlInvalid, message));
                }
            }
        }
        Err(refusal.unwrap_or_else(|| {
            let message = format!("the certificate of \"{}\", who issued the CRL, is not at hand", shown(crl.issuer()));
            Refusal::gap(DiagnosticCode::CrlInvalid, message)
        }))
    }

    /// The signature by one key, checked once.
    fn verify_by(&mut self, crl: &Crl, signer: &Certificate, context: Context<'_>) -> Result<Verified, Refusal> {
        let usage =
            if self.is_bare_anchor(signer, context.anchor) { SignerUsage::Unknown } else { SignerUsage::Counts };
        let key = (crl.der().as_ptr().addr(), signer.der().as_ptr().addr());
        if let Some(known) = self.crls.verified.get(&key) {
            return Ok(known.clone()?);
        }
        if !self.crls.signatures.spend() {
            return Err(Refusal::gap(DiagnosticCode::LimitExceeded, "more CRLs and signers than are looked at".into()));
        }
        let outcome = crl.verify_general(signer, usage, self.settings.weak);
        self.crls.verified.insert(key, outcome.clone());
        Ok(outcome?)
    }
}

/// Why a CRL says nothing.
struct Refusal {
    gap: Gap,
    /// Whether it has an entry of the certificate that cannot be interpreted.
    is_entry: bool,
}

impl Refusal {
    fn gap(code: DiagnosticCode, message: String) -> Self {
        Self { gap: Gap { code, message }, is_entry: false }
    }
}

impl From<CrlError> for Refusal {
    fn from(error: CrlError) -> Self {
        let is_entry = matches!(error, CrlError::Entry { .. });
        Self { gap: Gap { code: error.code(), message: error.to_string() }, is_entry }
    }
}

fn out_of_scope(crl: &Crl, certificate: &Certificate, scope: &'static str) -> Gap {
    let (issuer, subject) = (shown(crl.issuer()), shown(certificate.subject()));
    let error = CrlError::OutOfScope { issuer, subject, scope };
    Gap { code: error.code(), message: error.to_string() }
}

/// A CRL is met once for every point; one word about it is enough.
fn note(gaps: &mut Vec<Gap>, gap: Gap) {
    if !gaps.contains(&gap) {
        gaps.push(gap);
    }
}
