//! Revocation of a chain by OCSP responses and CRLs (RFC 5280 §6.3, RFC 6960, conformance section 10).

mod statements;

use self::statements::{Says, Statement, Statements, crl_statements, ocsp_statements};
use super::freshness::{Clocks, Freshness};
use super::reading::RevocationReading;
use super::timestamp::AuthenticatedTime;
use super::{CarriedEvidence, EvidenceTries, EvidenceUse, Failure, Finding};
use crate::code::DiagnosticCode;
use crate::limits::Limits;
use crate::pki::{Certificate, ConformingChain, Revocation, RevocationReason, RevocationSources};

/// What is known of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateStatus {
    /// The certificate.
    pub certificate: Certificate,
    /// What was found.
    pub finding: Finding,
    /// On what it rests.
    pub evidence: Vec<EvidenceUse>,
}

/// How revocation data is read.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How old it may be.
    pub freshness: Freshness,
    /// The times that it is held against.
    pub clocks: Clocks,
    /// What a revocation means for what was signed before.
    pub reading: RevocationReading,
    /// When it was signed, as somebody trusted vouches.
    pub signed: Option<AuthenticatedTime>,
}

impl Rules {
    /// Revoked is revoked: for whoever vouches for others, a timestamp authority or an OCSP responder (conformance 9.30).
    pub const fn now(freshness: Freshness, clocks: Clocks) -> Self {
        Self { freshness, clocks, reading: RevocationReading::Now, signed: None }
    }

    fn excuses(&self, revocation: &Revocation) -> bool {
        self.reading.excuses(revocation, self.signed)
    }
}

/// Checks every certificate of the chain but the root (conformance 10.02).
pub fn check_chain(chain: &ConformingChain, evidence: &CarriedEvidence, rules: &Rules) -> Vec<CertificateStatus> {
    check_chain_with(chain, evidence, rules, &EvidenceTries::new(&Limits::default()))
}

/// As [`check_chain`], on the account of a whole verification.
pub fn check_chain_with(
    chain: &ConformingChain,
    evidence: &CarriedEvidence,
    rules: &Rules,
    tries: &EvidenceTries,
) -> Vec<CertificateStatus> {
    let evidence = AtHand { evidence, tries };
    let certificates = chain.certificates();
    certificates
        .iter()
        .zip(certificates.iter().skip(1))
        .map(|(certificate, issuer)| check_certificate(certificate, issuer, evidence, rules))
        .collect()
}

/// The evidence, and the account of what trying it costs.
#[derive(Clone, Copy)]
struct AtHand<'a> {
    evidence: &'a CarriedEvidence,
    tries: &'a EvidenceTries,
}

fn check_certificate(
    certificate: &Certificate,
    issuer: &Certificate,
    evidence: AtHand<'_>,
    rules: &Rules,
) -> CertificateStatus {
    let (finding, evidence) = match certificate.revocation_sources() {
        Err(error) => (Finding::Undetermined(Failure::from(error)), Vec::new()),
        Ok(sources) if sources.is_empty() => {
            let reason = format!("\"{}\" names neither OCSP nor a CRL", certificate.subject());
            (Finding::NotApplicable(reason, Some(DiagnosticCode::RevocationNotOffered)), Vec::new())
        }
        Ok(sources) => {
            let ocsp = ocsp_statements(certificate, issuer, evidence, rules);
            let crls = crl_statements(certificate, issuer, &sources, evidence, rules);
            weigh(certificate, &ocsp, &crls, &sources, rules)
        }
    };
    CertificateStatus { certificate: certificate.clone(), finding, evidence }
}

/// Whether a responder that the issuer appointed is in good standing itself: only a CRL can say so (conformance 10.13).
fn check_responder(
    responder: &Certificate,
    issuer: &Certificate,
    evidence: AtHand<'_>,
    rules: &Rules,
) -> Result<Vec<EvidenceUse>, Failure> {
    let rules = Rules::now(rules.freshness, rules.clocks);
    let sources = responder.revocation_sources().map_err(Failure::from)?;
    let crls = crl_statements(responder, issuer, &sources, evidence, &rules);
    match weigh(responder, &Statements::default(), &crls, &sources, &rules) {
        (Finding::Passed(_), used) => Ok(used),
        (finding, _) => {
            let reason = finding.failure().map_or("no CRL says so", |failure| failure.message.as_str());
            let subject = responder.subject();
            let message = format!("the OCSP responder \"{subject}\" is not known to be in good standing: {reason}");
            Err(Failure::new(DiagnosticCode::OcspResponderUnchecked, message))
        }
    }
}

/// Revoked outranks everything, however old the evidence that says so (conformance 10.20, 10.24), and whoever else says
/// good: only a hold can be lifted, by newer evidence. "Good" and silence count only where the evidence is fresh enough,
/// and OCSP comes before CRLs (10.01, 10.05).
fn weigh(
    certificate: &Certificate,
    ocsp: &Statements,
    crls: &Statements,
    sources: &RevocationSources,
    rules: &Rules,
) -> (Finding, Vec<EvidenceUse>) {
    let all = || ocsp.found.iter().chain(&crls.found);
    let counts = |revocation: &Revocation| !rules.excuses(revocation);
    let for_good = all().find(|statement| match &statement.says {
        Says::Revoked(entry) => entry.reason != RevocationReason::CertificateHold && counts(entry),
        _ => false,
    });
    // The newest that speaks has the last word on a hold; of two of one time, the one that says so. Nothing good comes from
    // the future.
    let speaking = all().filter(|statement| match statement.says {
        Says::Good => statement.as_of <= rules.clocks.verification,
        Says::Revoked(_) => true,
        Says::Unknown => false,
    });
    let newest = speaking.max_by_key(|statement| (statement.as_of, matches!(statement.says, Says::Revoked(_))));
    for statement in for_good.into_iter().chain(newest) {
        if let Says::Revoked(revocation) = &statement.says
            && counts(revocation)
        {
            let failure = revoked_failure(certificate, statement, revocation);
            return (Finding::Failed(failure), statement.used.clone());
        }
    }
    // An entry that nobody can interpret is no silence, whatever another CRL leaves out.
    if let Some(failure) = &crls.uninterpreted {
        return (Finding::Undetermined(failure.clone()), Vec::new());
    }
    // What was not tried may be the one that says "revoked".
    if let Some(flood) = crls.flood.as_ref().or(ocsp.flood.as_ref()) {
        return (Finding::Undetermined(flood.clone()), Vec::new());
    }
    let is_good = |statement: &&Statement| match &statement.says {
        Says::Good => true,
        Says::Revoked(revocation) => !counts(revocation),
        Says::Unknown => false,
    };
    if let Some(statement) = all().filter(is_good).find(|statement| statement.usable.is_ok()) {
        return (good(statement, rules), statement.used.clone());
    }
    for statement in crls.found.iter().chain(&ocsp.found).filter(is_good) {
        if let Err(failure) = &statement.usable {
            return (Finding::Undetermined(failure.clone()), statement.used.clone());
        }
    }
    let unknown = ocsp.found.iter().find(|statement| matches!(statement.says, Says::Unknown));
    // A CRL that fails explains nothing about a certificate that names none.
    let by_crl = !sources.crl_points.is_empty();
    if let (Some(statement), true) = (unknown, crls.failures.is_empty() || !by_crl) {
        return (Finding::Undetermined(unknown_failure(certificate, statement)), statement.used.clone());
    }
    let (first, second) = if by_crl { (crls, ocsp) } else { (ocsp, crls) };
    let failure = first.failures.first().or(second.failures.first()).cloned();
    (Finding::Undetermined(failure.unwrap_or_else(|| no_evidence(certificate, sources))), Vec::new())
}

fn good(statement: &Statement, rules: &Rules) -> Finding {
    match (&statement.says, rules.signed) {
        (Says::Revoked(revocation), Some(signed)) => {
            let message = format!(
                "revoked on {} ({}), after the authenticated signing time {}: good at that point in time, says {}",
                revocation.date, revocation.reason, signed.latest, statement.source
            );
            Finding::Excused(message, DiagnosticCode::RevokedAfterSigning)
        }
        _ => Finding::Passed(statement.good_words.clone()),
    }
}

fn revoked_failure(certificate: &Certificate, statement: &Statement, revocation: &Revocation) -> Failure {
    let mut message = format!(
        "\"{}\" (serial {}) was revoked on {}: {}",
        certificate.subject(),
        certificate.serial(),
        revocation.date,
        revocation.reason.as_str()
    );
    if let Some(date) = revocation.invalidity_date {
        message.push_str(&format!(", in doubt since {date}"));
    }
    message.push_str(&format!(", says {}", statement.source));
    Failure::new(DiagnosticCode::CertificateRevoked, message)
        .with_hint("ask the publisher for a release that is signed with a certificate in good standing")
}

fn unknown_failure(certificate: &Certificate, statement: &Statement) -> Failure {
    let (subject, serial) = (certificate.subject(), certificate.serial());
    let message =
        format!("\"{subject}\" (serial {serial}) is unknown, says {}, and no CRL is at hand", statement.source);
    Failure::new(DiagnosticCode::OcspUnknown, message)
}

fn no_evidence(certificate: &Certificate, sources: &RevocationSources) -> Failure {
    let subject = certificate.subject();
    if sources.crl_points.is_empty() {
        let message = format!("there is no OCSP response that would say whether \"{subject}\" is revoked");
        return Failure::new(DiagnosticCode::OcspMissing, message)
            .with_hint("export the artifact again with its revocation data");
    }
    let message =
        format!("there is no CRL of \"{}\", which would say whether \"{subject}\" is revoked", certificate.issuer());
    Failure::new(DiagnosticCode::CrlMissing, message)
        .with_hint("export the artifact again with its CRLs, or supply the CRL from a file (--crl FILE)")
}

#[cfg(feature = "demo")]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::pki::{CertificateChain, Crl, Profile};
    use crate::signer::LocalKey;
    use crate::signer::authority::{Authority, CrlReason, LeafUsage, Request, Revocation as Line};
    use crate::time::{UnixTime, ValidityPeriod};

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    struct Fixture {
        root: Authority,
        chain: ConformingChain,
    }

    impl Fixture {
        fn new() -> Self {
            let validity =
                ValidityPeriod { not_before: NOW.saturating_sub(HOUR * 99), not_after: NOW.saturating_add(HOUR) };
            let request = |subject, crl_url| Request { subject, validity, crl_url };
            let root = Authority::root(&request("CN=root,O=o,ST=st,C=NL", None)).unwrap();
            let key = LocalKey::generate_p256().unwrap().public_key_der().unwrap();
            let leaf = request("CN=leaf,O=o,ST=st,C=NL", Some("http://crl.example/root.crl"));
            let chain = root.leaf(&leaf, LeafUsage::CodeSigning, &key).unwrap();
            let chain = chain.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
            let chain = CertificateChain::new(chain, &Limits::default()).unwrap();
            Self { root, chain: chain.inspect(Profile::CodeSigning).unwrap() }
        }

        /// A CRL issued `age` ago for two hours.
        fn crl(&self, age: Duration, reason: Option<CrlReason>) -> Crl {
            self.crl_of(NOW.saturating_sub(age), reason)
        }

        fn crl_of(&self, issued: UnixTime, reason: Option<CrlReason>) -> Crl {
            let certificate = self.chain.leaf().der().to_vec();
            let listed: Vec<Line> =
                reason.map(|reason| Line { certificate, date: issued, reason }).into_iter().collect();
            Crl::from_der(self.root.crl(issued, issued.saturating_add(HOUR * 2), 1, &listed).unwrap()).unwrap()
        }

        fn check(&self, crls: &[Crl], freshness: Freshness, signing: Option<UnixTime>) -> Finding {
            let mut evidence = CarriedEvidence::default();
            crls.iter().for_each(|crl| evidence.insert(crl.clone()));
            let clocks = Clocks { verification: NOW, signing };
            let mut statuses = check_chain(&self.chain, &evidence, &Rules::now(freshness, clocks));
            assert_eq!(statuses.len(), 1, "nobody asks about the root");
            statuses.remove(0).finding
        }
    }

    fn code(finding: &Finding) -> (bool, Option<&'static str>) {
        let undetermined = matches!(finding, Finding::Undetermined(_));
        (undetermined, finding.failure().map(|failure| failure.code.as_str()))
    }

    #[test]
    fn silence_counts_only_while_it_is_fresh() {
        let fixture = Fixture::new();
        let fresh = fixture.crl(HOUR, None);
        let stale = fixture.crl(HOUR * 3, None);
        let newest = fixture.crl(Duration::ZERO, None);
        let future = fixture.crl_of(NOW.saturating_add(HOUR), None);
        let before = Some(NOW.saturating_sub(HOUR * 4));
        for (crl, rule, signing, expected) in [
            (&fresh, Freshness::Current, None, (false, None)),
            (&newest, Freshness::Current, None, (false, None)),
            (&future, Freshness::Current, None, (true, Some("crl-not-yet-issued"))),
            (&future, Freshness::AtSigning, before, (true, Some("crl-not-yet-issued"))),
            (&stale, Freshness::Current, None, (true, Some("crl-expired"))),
            (&stale, Freshness::MaxAge(HOUR * 3), None, (false, None)),
            (&stale, Freshness::MaxAge(HOUR * 2), None, (true, Some("crl-too-old"))),
            (&stale, Freshness::AtSigning, None, (true, Some("crl-not-conclusive"))),
            (&stale, Freshness::AtSigning, before, (false, None)),
            (&stale, Freshness::AtSigning, Some(NOW.saturating_sub(HOUR * 2)), (false, None)),
            (&stale, Freshness::AtSigning, Some(NOW), (true, Some("crl-not-conclusive"))),
        ] {
            let finding = fixture.check(std::slice::from_ref(crl), rule, signing);
            assert_eq!(code(&finding), expected, "{rule} {signing:?}: {finding:?}");
        }
        assert_eq!(code(&fixture.check(&[], Freshness::Current, None)), (true, Some("crl-missing")));
        // However stale one is, another that is fresh settles it.
        assert_eq!(code(&fixture.check(&[stale, fresh], Freshness::Current, None)), (false, None));
    }

    #[test]
    fn revoked_is_revoked_and_only_a_hold_is_lifted() {
        // Conformance 10.20, 10.24.
        let fixture = Fixture::new();
        let clean = fixture.crl(HOUR, None);
        let old = |reason| fixture.crl(HOUR * 30, Some(reason));
        let revoked = (false, Some("certificate-revoked"));
        for (crls, expected) in [
            (vec![old(CrlReason::Unspecified)], revoked),
            (vec![old(CrlReason::Superseded), clean.clone()], revoked),
            (vec![old(CrlReason::CertificateHold)], revoked),
            (vec![old(CrlReason::CertificateHold), clean.clone()], (false, None)),
            (vec![fixture.crl(Duration::ZERO, Some(CrlReason::CertificateHold)), clean.clone()], revoked),
        ] {
            let finding = fixture.check(&crls, Freshness::Current, None);
            assert_eq!(code(&finding), expected, "{finding:?}");
            assert!(!matches!(finding, Finding::Undetermined(_)));
        }
    }

    /// Distinct CRLs that name the issuer, newer than anything real: one that a stranger has signed, with other bits of
    /// the signature altered in each.
    fn forgeries(count: u32) -> Vec<Crl> {
        let der = Fixture::new().crl(Duration::ZERO, None).der().to_vec();
        let forge = |number: u32| {
            let mut der = der.clone();
            let end = der.len();
            der[end - 8..end - 4].copy_from_slice(&number.to_be_bytes());
            Crl::from_der(der).unwrap()
        };
        (0..count).map(forge).collect()
    }

    fn check_within(fixture: &Fixture, crls: &[Crl], limits: &Limits) -> (Finding, usize) {
        let mut evidence = CarriedEvidence::default();
        crls.iter().for_each(|crl| evidence.insert(crl.clone()));
        let rules = Rules::now(Freshness::Current, Clocks { verification: NOW, signing: None });
        let tries = EvidenceTries::new(limits);
        let mut statuses = check_chain_with(&fixture.chain, &evidence, &rules, &tries);
        // Whoever comes next with the same certificates costs nothing more, and hears the same.
        assert_eq!(check_chain_with(&fixture.chain, &evidence, &rules, &tries), statuses);
        (statuses.remove(0).finding, tries.spent())
    }

    #[test]
    fn a_flood_of_forgeries_costs_little_and_is_never_good_and_hides_no_revocation_that_was_found() {
        let fixture = Fixture::new();
        let limits = Limits::default();
        let forged = forgeries(2_000);
        let with = |crl: Crl| [&forged[..], &[crl]].concat();
        let flood = (true, Some("evidence-flood"));
        // The good one is among those that were not tried.
        let (finding, spent) = check_within(&fixture, &with(fixture.crl(HOUR, None)), &limits);
        assert_eq!((code(&finding), spent), (flood, limits.evidence_tries));
        // It was tried, and others were not.
        let future = fixture.crl_of(NOW.saturating_add(Duration::from_secs(1)), None);
        let (finding, _) = check_within(&fixture, &with(future.clone()), &limits);
        assert_eq!(code(&finding), flood);
        let revoked = fixture.crl_of(NOW.saturating_add(Duration::from_secs(1)), Some(CrlReason::Superseded));
        let (finding, spent) = check_within(&fixture, &with(revoked), &limits);
        assert_eq!(code(&finding), (false, Some("certificate-revoked")));
        assert!(spent <= limits.evidence_tries, "{spent}");
        // In all.
        let few = Limits { all_evidence_tries: 3, ..Limits::default() };
        let (finding, spent) = check_within(&fixture, &with(fixture.crl(HOUR, None))[1_990..], &few);
        assert_eq!((code(&finding), spent), (flood, 3));
        let (finding, _) = check_within(&fixture, &[fixture.crl(HOUR, None)], &few);
        assert_eq!(code(&finding), (false, None));
    }

    #[test]
    fn a_strangers_crl_of_the_same_name_says_nothing() {
        let (fixture, stranger) = (Fixture::new(), Fixture::new());
        let finding = fixture.check(&[stranger.crl(HOUR, None)], Freshness::Current, None);
        assert_eq!(code(&finding), (true, Some("crl-invalid")));
        let finding = fixture.check(&[stranger.crl(HOUR, None), fixture.crl(HOUR, None)], Freshness::Current, None);
        assert_eq!(code(&finding), (false, None));
    }
}
