//! Revocation of a chain by CRLs (RFC 5280 §6.3, conformance section 10c).

use super::freshness::{Clocks, Freshness};
use super::{CarriedEvidence, EvidenceUse, Failure, Finding, evidence};
use crate::code::DiagnosticCode;
use crate::pki::{Certificate, ConformingChain, Crl, CrlEntry, CrlError, Revocation, RevocationReason, VerifiedCrl};

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

/// Checks every certificate of the chain but the root (conformance 10.02).
pub fn check_chain(
    chain: &ConformingChain,
    evidence: &CarriedEvidence,
    freshness: Freshness,
    clocks: Clocks,
) -> Vec<CertificateStatus> {
    let certificates = chain.certificates();
    certificates
        .iter()
        .zip(certificates.iter().skip(1))
        .map(|(certificate, issuer)| check_certificate(certificate, issuer, evidence, freshness, clocks))
        .collect()
}

fn check_certificate(
    certificate: &Certificate,
    issuer: &Certificate,
    evidence: &CarriedEvidence,
    freshness: Freshness,
    clocks: Clocks,
) -> CertificateStatus {
    let (finding, evidence) = match certificate.revocation_sources() {
        Err(error) => (Finding::Undetermined(Failure::from(error)), Vec::new()),
        Ok(sources) if sources.is_empty() => {
            let reason = format!("\"{}\" names neither OCSP nor a CRL", certificate.subject());
            (Finding::NotApplicable(reason, Some(DiagnosticCode::RevocationNotOffered)), Vec::new())
        }
        Ok(sources) => {
            let readings = read_all(certificate, issuer, evidence);
            let only_ocsp = sources.crl_points.is_empty();
            weigh(certificate, &readings, only_ocsp, freshness, clocks)
        }
    };
    CertificateStatus { certificate: certificate.clone(), finding, evidence }
}

/// What one CRL says, or why it says nothing.
struct Reading<'a> {
    crl: &'a Crl,
    says: Result<CrlEntry, CrlError>,
}

fn read_all<'a>(certificate: &Certificate, issuer: &Certificate, evidence: &'a CarriedEvidence) -> Vec<Reading<'a>> {
    let read = |crl: &Crl| -> Result<CrlEntry, CrlError> {
        let verified: VerifiedCrl = evidence::accept(crl, issuer, certificate)?;
        verified.lookup(certificate.serial())
    };
    evidence.candidates(certificate).iter().map(|crl| Reading { crl, says: read(crl) }).collect()
}

/// Revoked outranks everything, however old the CRL that says so (conformance 10.20, 10.24): only a hold can be
/// lifted, by a newer CRL that no longer lists the certificate. Silence counts only where the CRL is fresh enough.
fn weigh(
    certificate: &Certificate,
    readings: &[Reading<'_>],
    only_ocsp: bool,
    freshness: Freshness,
    clocks: Clocks,
) -> (Finding, Vec<EvidenceUse>) {
    let speaking = || readings.iter().filter_map(|reading| Some((reading.crl, reading.says.as_ref().ok()?)));
    let used = |crl: &Crl| vec![EvidenceUse::of(crl, certificate)];
    let revoked = |crl: &Crl, revocation: &Revocation| {
        (Finding::Failed(revoked_failure(certificate, crl, revocation)), used(crl))
    };
    let for_good = speaking().find_map(|(crl, entry)| match entry {
        CrlEntry::Revoked(entry) if entry.reason != RevocationReason::CertificateHold => Some((crl, entry)),
        _ => None,
    });
    if let Some((crl, revocation)) = for_good {
        return revoked(crl, revocation);
    }
    // Newest first, so the first that speaks has the last word on a hold.
    if let Some((crl, CrlEntry::Revoked(revocation))) = speaking().next() {
        return revoked(crl, revocation);
    }
    // An entry that nobody can interpret is no silence, whatever another CRL leaves out.
    if let Some(error) = readings
        .iter()
        .filter_map(|reading| reading.says.as_ref().err())
        .find(|error| matches!(error, CrlError::Entry { .. }))
    {
        return (Finding::Undetermined(Failure::from(error.clone())), Vec::new());
    }
    let mut stale = None;
    for (crl, _) in speaking().filter(|(_, entry)| **entry == CrlEntry::NotListed) {
        match freshness.check(crl, clocks) {
            Ok(()) => {
                let text = format!("not on the CRL of \"{}\" of {}", crl.issuer(), crl.this_update());
                return (Finding::Passed(text), used(crl));
            }
            Err(failure) => stale = stale.or(Some((failure, crl))),
        }
    }
    if let Some((failure, crl)) = stale {
        return (Finding::Undetermined(failure), used(crl));
    }
    (Finding::Undetermined(no_answer(certificate, readings, only_ocsp)), Vec::new())
}

fn revoked_failure(certificate: &Certificate, crl: &Crl, revocation: &Revocation) -> Failure {
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
    message.push_str(&format!(", says the CRL of {}", crl.this_update()));
    Failure::new(DiagnosticCode::CertificateRevoked, message)
        .with_hint("ask the publisher for a release that is signed with a certificate in good standing")
}

fn no_answer(certificate: &Certificate, readings: &[Reading<'_>], only_ocsp: bool) -> Failure {
    let subject = certificate.subject();
    if let Some(error) = readings.iter().find_map(|reading| reading.says.as_ref().err()) {
        return Failure::from(error.clone());
    }
    if only_ocsp {
        let message = format!("\"{subject}\" can be checked through OCSP only, which is not supported yet");
        return Failure::new(DiagnosticCode::OcspUnsupported, message);
    }
    let message =
        format!("there is no CRL of \"{}\", which would say whether \"{subject}\" is revoked", certificate.issuer());
    Failure::new(DiagnosticCode::CrlMissing, message)
        .with_hint("export the artifact again with its CRLs, or supply the CRL from a file")
}

#[cfg(feature = "demo")]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::Limits;
    use crate::pki::{CertificateChain, Profile};
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
            let mut statuses = check_chain(&self.chain, &evidence, freshness, clocks);
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

    #[test]
    fn a_strangers_crl_of_the_same_name_says_nothing() {
        let (fixture, stranger) = (Fixture::new(), Fixture::new());
        let finding = fixture.check(&[stranger.crl(HOUR, None)], Freshness::Current, None);
        assert_eq!(code(&finding), (true, Some("crl-invalid")));
        let finding = fixture.check(&[stranger.crl(HOUR, None), fixture.crl(HOUR, None)], Freshness::Current, None);
        assert_eq!(code(&finding), (false, None));
    }
}
