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
