//! Revocation of a chain by openssl's OCSP responses and CRLs, judged (conformance section 10).

use std::time::Duration;

use bulla::limits::Limits;
use bulla::pki::{CertIdHash, Certificate, CertificateChain, Crl, OcspRequest, OcspResponse, Profile};
use bulla::time::UnixTime;
use bulla::verification::revocation::{Rules, check_chain};
use bulla::verification::{
    AuthenticatedTime, CarriedEvidence, Clocks, EvidenceKind, Finding, Freshness, RevocationReading, TimeSource,
};

use crate::openssl::{Pki, ROOT, SIGNER, pki};

const GOOD: &str = "V\t491231235959Z\t\tBEEF\tunknown\t/CN=leaf\n";
const UNKNOWN: &str = "";
const SUPERSEDED: &str = "R\t491231235959Z\t250102030405Z,superseded\tBEEF\tunknown\t/CN=leaf\n";
const HELD: &str = "R\t491231235959Z\t250102030405Z,holdInstruction,holdInstructionReject\tBEEF\tunknown\t/CN=leaf\n";
const LOST: &str = "R\t491231235959Z\t250102030405Z,keyCompromise\tBEEF\tunknown\t/CN=leaf\n";
const LOST_THEN: &str = "R\t491231235959Z\t250102030405Z,keyTime,20240506070809Z\tBEEF\tunknown\t/CN=leaf\n";
const DELEGATE: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning";
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

struct World {
    pki: Pki,
    root: Certificate,
    leaf: Certificate,
    /// The leaf without CRL distribution point.
    ocsp_only: Certificate,
}

fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "leaf", "responder", "stranger"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    pki.issue_as("stranger", "root", "stranger", None, ROOT, "");
    let access = format!("{SIGNER}\nauthorityInfoAccess=OCSP;URI:http://ocsp/");
    let ocsp_only = pki.issue("leaf", "leaf", Some("root"), &access, "-set_serial 0xBEEF");
    let both = format!("{access}\ncrlDistributionPoints=URI:http://crl/1.crl");
    let leaf = pki.issue("leaf", "leaf", Some("root"), &both, "-set_serial 0xBEEF");
    Some(World { pki, root, leaf, ocsp_only })
}

impl World {
    fn ocsp(&self, index: &str, signer: &str, options: &str) -> OcspResponse {
        self.pki.write("ocsp.txt", index);
        self.pki.write("request.der", OcspRequest::new(CertIdHash::Sha1, &self.leaf, &self.root).der());
        self.pki.run(&format!(
            "ocsp -index ocsp.txt -CA root.pem -rsigner {signer}.pem -rkey {signer}.key -reqin request.der -respout response.der \
             {options}"
        ));
        OcspResponse::from_der(self.pki.read("response.der"), &Limits::default()).unwrap()
    }

    /// A CRL with that number that was issued then, for a day; a delta if it names a base.
    fn crl(&self, number: u8, base: Option<u8>, issued: UnixTime, entries: &[(&str, &str)], more: &str) -> Crl {
        let stamp = |time: UnixTime| time.to_string().replace(['-', ':', 'T'], "");
        let base = base.map(|base| format!("2.5.29.27=critical,DER:0201{base:02x}")).unwrap_or_default();
        let extensions = format!("[numbered]\n2.5.29.20=DER:0201{number:02x}\n{base}\n{more}");
        let (last, next) = (stamp(issued), stamp(issued.saturating_add(DAY)));
        let options = format!("-crlexts numbered -crl_lastupdate {last} -crl_nextupdate {next}");
        self.pki.crl("root", entries, &extensions, &options)
    }

    fn judge(&self, leaf: &Certificate, evidence: &CarriedEvidence, rules: &Rules) -> (Finding, Vec<EvidenceKind>) {
        let chain = CertificateChain::new(vec![leaf.clone(), self.root.clone()], &Limits::default()).unwrap();
        let mut found = check_chain(&chain.inspect(Profile::CodeSigning).unwrap(), evidence, rules);
        assert_eq!(found.len(), 1);
        let status = found.remove(0);
        (status.finding, status.evidence.iter().map(|used| used.kind).collect())
    }
}

fn evidence(responses: &[&OcspResponse], crls: &[&Crl]) -> CarriedEvidence {
    let mut evidence = CarriedEvidence::default();
    responses.iter().for_each(|response| evidence.insert_ocsp(response));
    crls.iter().for_each(|crl| evidence.insert((*crl).clone()));
    evidence
}

fn now(response: &OcspResponse) -> UnixTime {
    response.produced_at().saturating_add(Duration::from_secs(60))
}

fn rules(at: UnixTime, freshness: Freshness) -> Rules {
    Rules::now(freshness, Clocks { verification: at, signing: None })
}

/// `ok`, or the code.
fn word(finding: &Finding) -> String {
    match finding {
        Finding::Passed(_) => "ok".to_owned(),
        Finding::Excused(_, code) => format!("excused {code}"),
        Finding::Failed(failure) => format!("failed {}", failure.code),
        Finding::Undetermined(failure) => failure.code.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn ocsp_comes_first_and_crls_stand_in() {
    let Some(world) = world() else { return };
    let [good, unknown, revoked, held] =
        [GOOD, UNKNOWN, SUPERSEDED, HELD].map(|index| world.ocsp(index, "root", "-ndays 2"));
    let endless = world.ocsp(GOOD, "root", "");
    let foreign = world.ocsp(GOOD, "stranger", "-ndays 2");
    let at = now(&foreign);
    let clean = world.crl(1, None, at, &[], "");
    let listed = world.crl(2, None, at.saturating_sub(HOUR), &[("BEEF", "250102030405Z")], "");
    let later = world.crl(3, None, at.saturating_add(HOUR * 2), &[], "");
    let much_later = at.saturating_add(DAY * 30);
    let old_clean = world.crl(4, None, much_later, &[], "");
    for (responses, crls, time, expected) in [
        (vec![&good], vec![], at, "ok"),
        (vec![&good], vec![&clean], at, "ok"),
        (vec![&good], vec![], much_later, "ocsp-expired"),
        (vec![&good], vec![&old_clean], much_later, "ok"),
        (vec![&good], vec![], at.saturating_sub(DAY), "ocsp-not-yet-issued"),
        (vec![&endless], vec![], at, "ocsp-expired"),
        (vec![&unknown], vec![], at, "ocsp-unknown"),
        (vec![&unknown], vec![&clean], at, "ok"),
        (vec![&unknown], vec![&clean], much_later, "crl-expired"),
        (vec![&revoked], vec![&clean], at, "failed certificate-revoked"),
        (vec![&revoked, &good], vec![], at, "failed certificate-revoked"),
        (vec![&revoked], vec![], much_later, "failed certificate-revoked"),
        (vec![&good], vec![&listed], at, "failed certificate-revoked"),
        (vec![&held], vec![], at, "failed certificate-revoked"),
        (vec![&held], vec![&later], at.saturating_add(HOUR * 3), "ok"),
        // Nothing good comes from the future.
        (vec![&held], vec![&later], at, "failed certificate-revoked"),
        (vec![&foreign], vec![], at, "ocsp-invalid"),
        (vec![&foreign, &good], vec![], at, "ok"),
        (vec![&foreign], vec![&clean], at, "ok"),
    ] {
        let (finding, _) = world.judge(&world.leaf, &evidence(&responses, &crls), &rules(time, Freshness::Current));
        assert_eq!(word(&finding), expected, "{responses:?} {crls:?} at {time}: {finding:?}");
    }
    for (certificate, code) in [(&world.leaf, "crl-missing"), (&world.ocsp_only, "ocsp-missing")] {
        let (finding, _) = world.judge(certificate, &evidence(&[], &[]), &rules(at, Freshness::Current));
        assert_eq!(word(&finding), code);
    }
    let judged = |freshness, signing| {
        let rules = Rules::now(freshness, Clocks { verification: much_later, signing });
        word(&world.judge(&world.ocsp_only, &evidence(&[&endless], &[]), &rules).0)
    };
    assert_eq!(judged(Freshness::MaxAge(DAY * 31), None), "ok");
    assert_eq!(judged(Freshness::MaxAge(DAY * 29), None), "ocsp-too-old");
    assert_eq!(judged(Freshness::AtSigning, Some(at.saturating_sub(DAY))), "ok");
    assert_eq!(judged(Freshness::AtSigning, Some(at.saturating_add(DAY))), "ocsp-not-conclusive");
    assert_eq!(judged(Freshness::AtSigning, None), "ocsp-not-conclusive");
}

/// Conformance 10.13.
#[test]
fn a_delegate_answers_for_its_own_standing_by_a_crl() {
    let Some(world) = world() else { return };
    world.pki.issue("responder", "responder", Some("root"), DELEGATE, "-set_serial 0xD0");
    let response = world.ocsp(GOOD, "responder", "-ndays 2");
    let at = now(&response);
    let judge =
        |crls: &[&Crl]| world.judge(&world.ocsp_only, &evidence(&[&response], crls), &rules(at, Freshness::Current));
    assert_eq!(word(&judge(&[]).0), "ocsp-responder-unchecked");
    let idp = "issuingDistributionPoint=critical,@idp\n[idp]\nfullname=URI:http://other/1.crl";
    let (foreign, stale) = (world.crl(1, None, at, &[], idp), world.crl(2, None, at.saturating_sub(DAY * 9), &[], ""));
    assert_eq!(word(&judge(&[&foreign]).0), "ocsp-responder-unchecked");
    assert_eq!(word(&judge(&[&stale]).0), "crl-expired");
    let (finding, kinds) = judge(&[&world.crl(3, None, at, &[], "")]);
    assert!(
        matches!(&finding, Finding::Passed(text) if text.contains("OCSP response of \"CN=responder")),
        "{finding:?}"
    );
    assert_eq!(kinds, [EvidenceKind::Ocsp, EvidenceKind::Crl]);
    // A revoked delegate says nothing; the CRL that says so answers for the leaf too.
    let (finding, kinds) = judge(&[&world.crl(3, None, at, &[("D0", "250102030405Z")], "")]);
    assert!(matches!(&finding, Finding::Passed(text) if text.contains("not on the CRL")), "{finding:?}");
    assert_eq!(kinds, [EvidenceKind::Crl]);
    world.pki.issue("responder", "responder", Some("root"), &format!("{DELEGATE}\nnoCheck=ignored"), "");
    let response = world.ocsp(GOOD, "responder", "-ndays 2");
    let found = world.judge(&world.ocsp_only, &evidence(&[&response], &[]), &rules(at, Freshness::Current));
    assert_eq!((word(&found.0), found.1), ("ok".into(), vec![EvidenceKind::Ocsp]));
}

/// Conformance 10.12, 14.08: the named option and its limits.
#[test]
fn at_a_point_in_time() {
    let Some(world) = world() else { return };
    const EXCUSED: &str = "excused revoked-after-signing";
    const REVOKED: &str = "failed certificate-revoked";
    for (index, signed, expected) in [
        (SUPERSEDED, Some("2025-01-02T03:04:04Z"), EXCUSED),
        (SUPERSEDED, Some("2025-01-02T03:04:05Z"), REVOKED),
        (SUPERSEDED, None, REVOKED),
        (HELD, Some("2024-01-01T00:00:00Z"), EXCUSED),
        (LOST, Some("2024-01-01T00:00:00Z"), REVOKED),
        (LOST_THEN, Some("2024-05-06T07:08:08Z"), EXCUSED),
        (LOST_THEN, Some("2024-05-06T07:08:09Z"), REVOKED),
        (GOOD, Some("2024-01-01T00:00:00Z"), "ok"),
    ] {
        let response = world.ocsp(index, "root", "-ndays 2");
        let at = now(&response);
        let signed = signed.map(|time| {
            let time = time.parse().unwrap();
            AuthenticatedTime { earliest: time, latest: time, source: TimeSource::Timestamp }
        });
        let clocks = |verification| Clocks { verification, signing: signed.map(|signed| signed.latest) };
        let judge = |reading, at| {
            let rules = Rules { freshness: Freshness::Current, clocks: clocks(at), reading, signed };
            word(&world.judge(&world.leaf, &evidence(&[&response], &[]), &rules).0)
        };
        assert_eq!(judge(RevocationReading::PointInTime, at), expected, "{index} {signed:?}");
        assert_eq!(judge(RevocationReading::Now, at), if index == GOOD { "ok" } else { REVOKED });
        if expected == EXCUSED {
            assert_eq!(judge(RevocationReading::PointInTime, at.saturating_add(DAY * 9)), "ocsp-expired");
        }
    }
}

/// Conformance 10.24 to 10.27.
#[test]
fn changes_belong_to_a_crl_that_announces_them() {
    let Some(world) = world() else { return };
    let at = now(&world.ocsp(GOOD, "root", "-ndays 2"));
    let fresh = "freshestCRL=URI:http://crl/delta.crl";
    let early = at.saturating_sub(HOUR * 2);
    let hold: &[(&str, &str)] = &[("BEEF", "250101000000Z,certificateHold")];
    let listed: &[(&str, &str)] = &[("BEEF", "250101000000Z")];
    let removed: &[(&str, &str)] = &[("BEEF", "250201000000Z,removeFromCRL")];
    let base = world.crl(5, None, early, &[], fresh);
    let held = world.crl(5, None, early, hold, fresh);
    let plain = world.crl(5, None, early, &[], "");
    let by_directory = world.crl(5, None, early, &[], "freshestCRL=URI:ldap://crl/delta");
    let delta = |number, from, issued, entries| world.crl(number, Some(from), issued, entries, "");
    let clean = delta(6, 5, at, &[]);
    for (crls, expected) in [
        (vec![&plain], "ok"),
        (vec![&by_directory], "delta-crl-missing"),
        (vec![&base], "delta-crl-missing"),
        (vec![&base, &clean], "ok"),
        (vec![&base, &delta(7, 6, at, &[])], "delta-crl-missing"),
        (vec![&base, &delta(6, 5, at.saturating_sub(DAY * 2), &[])], "crl-expired"),
        (vec![&base, &delta(6, 5, at, listed)], "failed certificate-revoked"),
        (vec![&base, &delta(7, 6, at, listed)], "failed certificate-revoked"),
        (vec![&plain, &delta(6, 5, at, hold)], "failed certificate-revoked"),
        (vec![&held, &clean], "failed certificate-revoked"),
        (vec![&held, &delta(6, 5, at, removed)], "ok"),
        (vec![&clean], "crl-out-of-scope"),
    ] {
        let (finding, _) = world.judge(&world.leaf, &evidence(&[], &crls), &rules(at, Freshness::Current));
        assert_eq!(word(&finding), expected, "{crls:?}: {finding:?}");
    }
    let (_, kinds) = world.judge(&world.leaf, &evidence(&[], &[&base, &clean]), &rules(at, Freshness::Current));
    assert_eq!(kinds, [EvidenceKind::Crl, EvidenceKind::DeltaCrl]);
}
