//! What each piece of evidence says of one certificate, and whether it may say it.

use super::{AtHand, Rules, check_responder};
use crate::code::DiagnosticCode;
use crate::digest::Digest;
use crate::pki::{
    Certificate, Crl, CrlEntry, CrlError, DeltaEntry, OcspResponse, OcspStatus, Revocation, RevocationReason,
    RevocationSources, VerifiedDelta,
};
use crate::time::UnixTime;
use crate::verification::{EvidenceFlood, EvidenceUse, Failure, InScope, evidence};

/// What one piece of evidence (or base and delta together) says, its signature verified.
pub(super) struct Statement {
    pub(super) says: Says,
    /// As of when.
    pub(super) as_of: UnixTime,
    /// Whether it is fresh enough to say "good".
    pub(super) usable: Result<(), Failure>,
    pub(super) used: Vec<EvidenceUse>,
    /// For messages: `the CRL of …`
    pub(super) source: String,
    /// What is found if it says "good".
    pub(super) good_words: String,
}

pub(super) enum Says {
    /// Good, or silent where silence means good.
    Good,
    Revoked(Revocation),
    /// The responder does not know the certificate.
    Unknown,
}

/// Everything that evidence of one kind says.
#[derive(Default)]
pub(super) struct Statements {
    pub(super) found: Vec<Statement>,
    /// Why the rest says nothing.
    pub(super) failures: Vec<Failure>,
    /// An entry that is there and cannot be interpreted.
    pub(super) uninterpreted: Option<Failure>,
    /// There is more than was tried.
    pub(super) flood: Option<Failure>,
}

impl Statements {
    fn refuse(&mut self, error: CrlError) {
        let failure = Failure::from(error.clone());
        match error {
            CrlError::Entry { .. } => self.uninterpreted = self.uninterpreted.take().or(Some(failure)),
            _ => self.failures.push(failure),
        }
    }

    fn flooded(&mut self, flood: Option<EvidenceFlood>) {
        self.flood = self.flood.take().or(flood.map(Failure::from));
    }

    /// Whether `piece` may cost as many signature checks; otherwise that is noted.
    fn admits(&mut self, at_hand: AtHand<'_>, piece: Digest, issuer: &Certificate, cost: usize) -> bool {
        let admitted = at_hand.tries.admit(piece, issuer, cost);
        if !admitted && self.flood.is_none() {
            self.flood = Some(at_hand.tries.flood("not all revocation data was tried"));
        }
        admitted
    }
}

pub(super) fn ocsp_statements(
    certificate: &Certificate,
    issuer: &Certificate,
    at_hand: AtHand<'_>,
    rules: &Rules,
) -> Statements {
    let mut statements = Statements::default();
    let responses = at_hand.evidence.responses_for(certificate, issuer, at_hand.tries.each());
    statements.flooded(responses.flood);
    for response in responses.pieces {
        if !statements.admits(at_hand, response.digest(), issuer, response.most_signatures()) {
            break;
        }
        match ocsp_statement(response, certificate, issuer, at_hand, rules) {
            Ok(statement) => statements.found.push(statement),
            Err(failure) => statements.failures.push(failure),
        }
    }
    statements
}

fn ocsp_statement(
    response: &OcspResponse,
    certificate: &Certificate,
    issuer: &Certificate,
    at_hand: AtHand<'_>,
    rules: &Rules,
) -> Result<Statement, Failure> {
    let found = response.verify(certificate, issuer)?;
    let mut used = vec![EvidenceUse::of_ocsp(&found, certificate)];
    if let Some(responder) = found.responder().to_check() {
        used.extend(check_responder(responder, issuer, at_hand, rules)?);
    }
    let (responder, as_of) = (found.responder().certificate().subject(), found.this_update());
    Ok(Statement {
        says: match found.status() {
            OcspStatus::Good => Says::Good,
            OcspStatus::Revoked(revocation) => Says::Revoked(revocation),
            OcspStatus::Unknown => Says::Unknown,
        },
        as_of,
        usable: rules.freshness.check_ocsp(&found, rules.clocks),
        used,
        source: format!("the OCSP response of {as_of}"),
        good_words: format!("good, says the OCSP response of \"{responder}\" of {as_of}"),
    })
}

pub(super) fn crl_statements(
    certificate: &Certificate,
    issuer: &Certificate,
    sources: &RevocationSources,
    at_hand: AtHand<'_>,
    rules: &Rules,
) -> Statements {
    let mut statements = Statements::default();
    let (changes, bases) = at_hand.crls(certificate);
    statements.flooded(bases.flood.or(changes.flood));
    let mut deltas = Vec::new();
    let mut refused = Vec::new();
    for crl in changes.pieces {
        if !statements.admits(at_hand, crl.digest(), issuer, 1) {
            break;
        }
        match evidence::accept_delta(crl, issuer, certificate) {
            Ok(delta) => deltas.push(delta),
            Err(error) => refused.push(error),
        }
    }
    let reader = Reader { certificate, issuer, deltas: &deltas, named: sources.has_freshest_crl, rules };
    let no_base = bases.pieces.is_empty() && bases.out_of_scope.is_empty();
    for crl in bases.pieces {
        if !statements.admits(at_hand, crl.digest(), issuer, 1) {
            break;
        }
        match reader.read(crl) {
            Ok(statement) => statements.found.push(statement),
            Err(error) => statements.refuse(error),
        }
    }
    bases.out_of_scope.into_iter().for_each(|error| statements.refuse(error));
    for delta in &deltas {
        match delta.lookup(certificate.serial()) {
            Ok(DeltaEntry::Revoked(revocation)) if revocation.reason != RevocationReason::CertificateHold => {
                statements.found.push(reader.statement(delta.crl(), None, Says::Revoked(revocation)));
            }
            Ok(_) => {}
            Err(error) => statements.refuse(error),
        }
    }
    // Only changes, and nothing that they could be applied to.
    if no_base {
        refused.into_iter().chain(changes.out_of_scope).for_each(|error| statements.refuse(error));
        if let Some(delta) = deltas.first() {
            statements.refuse(CrlError::Delta { issuer: delta.crl().issuer().to_string() });
        }
    }
    statements
}

impl<'a> AtHand<'a> {
    /// Delta CRLs and complete ones that are worth a signature check.
    fn crls(&self, certificate: &Certificate) -> (InScope<'a, Crl>, InScope<'a, Crl>) {
        let each = self.tries.each();
        (self.evidence.deltas_for(certificate, each), self.evidence.bases_for(certificate, each))
    }
}

struct Reader<'a> {
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    /// Verified, newest first.
    deltas: &'a [VerifiedDelta],
    /// Whether the certificate itself says that there are delta CRLs.
    named: bool,
    rules: &'a Rules,
}

impl Reader<'_> {
    fn read(&self, base: &Crl) -> Result<Statement, CrlError> {
        let verified = evidence::accept(base, self.issuer, self.certificate)?;
        let delta = self.deltas.iter().find(|delta| delta.applies_to(&verified).is_ok());
        let serial = self.certificate.serial();
        let entry = match delta {
            Some(delta) => verified.lookup_with(delta, serial)?,
            None => verified.lookup(serial)?,
        };
        let says = match entry {
            CrlEntry::NotListed => Says::Good,
            CrlEntry::Revoked(revocation) => Says::Revoked(revocation),
        };
        Ok(self.statement(base, delta.map(VerifiedDelta::crl), says))
    }

    fn statement(&self, base: &Crl, delta: Option<&Crl>, says: Says) -> Statement {
        let as_of = delta.map_or(base.this_update(), |delta| delta.this_update().max(base.this_update()));
        let crls = std::iter::once(base).chain(delta);
        let dated = |crl: &Crl| format!("of {}", crl.this_update());
        let with_delta = delta.map(|delta| format!(" with the delta CRL {}", dated(delta))).unwrap_or_default();
        let kind = if base.is_delta() { "delta CRL" } else { "CRL" };
        Statement {
            says,
            as_of,
            usable: self.check(base, delta),
            used: crls.map(|crl| EvidenceUse::of(crl, self.certificate)).collect(),
            source: format!("the {kind} {}{with_delta}", dated(base)),
            good_words: format!("not on the {kind} of \"{}\" {}{with_delta}", base.issuer(), dated(base)),
        }
    }

    /// Where changes are published, over HTTP or not, silence takes both, and both must be fresh (conformance 10.25 to 10.27).
    fn check(&self, base: &Crl, delta: Option<&Crl>) -> Result<(), Failure> {
        let (freshness, clocks) = (self.rules.freshness, self.rules.clocks);
        freshness.check(base, clocks)?;
        if base.freshest_urls().is_empty() && !self.named {
            return Ok(());
        }
        let Some(delta) = delta else {
            let message = format!(
                "changes to the CRL of \"{}\" of {} are published as delta CRLs, and none that continues it is at hand",
                base.issuer(),
                base.this_update()
            );
            return Err(Failure::new(DiagnosticCode::DeltaCrlMissing, message).with_hint(
                "export the artifact again with its CRLs, or supply the delta CRL from a file (--crl FILE)",
            ));
        };
        freshness.check(delta, clocks)
    }
}
