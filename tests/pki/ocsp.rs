//! OCSP responses made by `openssl ocsp`.

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::limits::Limits;
use bulla::pki::{
    CertIdHash, Certificate, OcspError, OcspRequest, OcspResponse, OcspStatus, Responder, Revocation, RevocationReason,
    SignatureError, VerifiedOcsp,
};

use crate::openssl::{Pki, ROOT, SIGNER, pki, tlv};

const DELEGATE: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning";
const NO_CHECK: &str = "noCheck=ignored";
const GOOD: &str = "V\t491231235959Z\t\tBEEF\tunknown\t/CN=leaf\n";

struct World {
    pki: Pki,
    root: Certificate,
    leaf: Certificate,
}

fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "leaf", "responder", "stranger"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    pki.issue("stranger", "stranger", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial 0xBEEF");
    Some(World { pki, root, leaf })
}

impl World {
    fn request(&self, hash: CertIdHash) -> OcspRequest {
        OcspRequest::new(hash, &self.leaf, &self.root)
    }

    /// The DER of what openssl answers to our request with that index, signed by `signer`.
    fn answer(&self, hash: CertIdHash, index: &str, signer: &str, options: &str) -> Vec<u8> {
        self.pki.write("ocsp.txt", index);
        self.pki.write("request.der", self.request(hash).der());
        let period = if options.contains("-n") { "" } else { "-ndays 1" };
        self.pki.run(&format!(
            "ocsp -index ocsp.txt -CA root.pem -rsigner {signer}.pem -rkey {signer}.key -reqin request.der -respout response.der \
             {period} {options}"
        ));
        self.pki.read("response.der")
    }

    fn verify(&self, der: &[u8]) -> Result<VerifiedOcsp, OcspError> {
        OcspResponse::from_der(der, &Limits::default())?.verify(&self.leaf, &self.root)
    }

    fn judge(&self, index: &str, signer: &str, options: &str) -> Result<VerifiedOcsp, OcspError> {
        self.verify(&self.answer(CertIdHash::Sha1, index, signer, options))
    }
}

#[test]
fn requests_are_those_of_openssl() {
    let Some(world) = world() else { return };
    for (hash, option) in [(CertIdHash::Sha1, ""), (CertIdHash::Sha256, "-sha256")] {
        world.pki.run(&format!("ocsp -no_nonce {option} -issuer root.pem -cert leaf.pem -reqout theirs.der"));
        assert_eq!(world.request(hash).der(), world.pki.read("theirs.der"), "{hash:?}");
    }
}

#[test]
fn the_issuer_answers_for_itself() {
    let Some(world) = world() else { return };
    let revoked = |reason, date: Option<&str>| {
        let (date, invalidity_date) = ("2025-01-02T03:04:05Z".parse().unwrap(), date.map(|date| date.parse().unwrap()));
        OcspStatus::Revoked(Revocation { date, reason, invalidity_date })
    };
    for (line, status) in [
        (GOOD, OcspStatus::Good),
        ("", OcspStatus::Unknown),
        ("V\t491231235959Z\t\t00BEEF01\tunknown\t/CN=other\n", OcspStatus::Unknown),
        ("R\t491231235959Z\t250102030405Z\tBEEF\tunknown\t/CN=l\n", revoked(RevocationReason::Unspecified, None)),
        (
            "R\t491231235959Z\t250102030405Z,superseded\tBEEF\tunknown\t/CN=l\n",
            revoked(RevocationReason::Superseded, None),
        ),
        (
            "R\t491231235959Z\t250102030405Z,keyTime,20240506070809Z\tBEEF\tunknown\t/CN=l\n",
            revoked(RevocationReason::KeyCompromise, Some("2024-05-06T07:08:09Z")),
        ),
        (
            "R\t491231235959Z\t250102030405Z,holdInstruction,holdInstructionReject\tBEEF\tunknown\t/CN=l\n",
            revoked(RevocationReason::CertificateHold, None),
        ),
    ] {
        for hash in CertIdHash::ALL {
            for options in ["", "-resp_key_id", "-resp_no_certs", "-nmin 5", "-rmd sha384"] {
                let found = world.verify(&world.answer(hash, line, "root", options)).unwrap();
                assert_eq!(found.status(), status, "{line} {hash:?} {options}");
                assert_eq!(found.responder(), &Responder::Issuer(world.root.clone()));
                assert_eq!(found.responder().to_check(), None);
                assert!(found.next_update().unwrap() > found.this_update());
            }
        }
    }
    // 10.11: without -ndays and -nmin there is no nextUpdate.
    world.pki.write("request.der", world.request(CertIdHash::Sha1).der());
    world.pki.write("ocsp.txt", GOOD);
    world.pki.run(
        "ocsp -index ocsp.txt -CA root.pem -rsigner root.pem -rkey root.key -reqin request.der -respout response.der",
    );
    assert_eq!(world.verify(&world.pki.read("response.der")).unwrap().next_update(), None);
}

/// Conformance 10.09, 10.10, 10.13.
#[test]
fn a_delegate_needs_its_mandate() {
    let Some(world) = world() else { return };
    let judge = |issuer: &str, extensions: &str, options: &str, index: &str| {
        let certificate = world.pki.issue("responder", "responder", Some(issuer), extensions, options);
        [world.judge(index, "responder", ""), world.judge(index, "responder", "-resp_key_id")]
            .map(|found| found.map(|found| (found.status(), found.responder().clone(), certificate.clone())))
    };
    for no_check in [true, false] {
        let extensions = if no_check { format!("{DELEGATE}\n{NO_CHECK}") } else { DELEGATE.to_owned() };
        for found in judge("root", &extensions, "", GOOD) {
            let (status, responder, certificate) = found.unwrap();
            assert_eq!(status, OcspStatus::Good);
            assert_eq!(responder.to_check().is_some(), !no_check, "10.13");
            assert_eq!(responder, Responder::Delegate { certificate, no_check });
        }
    }
    for found in judge("root", "extendedKeyUsage=OCSPSigning", "", "") {
        assert_eq!(found.unwrap().0, OcspStatus::Unknown, "keyUsage may be absent");
    }
    for (issuer, extensions, options, why) in [
        ("root", SIGNER, "", "lacks the purpose OCSPSigning"),
        ("root", "basicConstraints=CA:FALSE", "", "lacks the purpose OCSPSigning"),
        ("root", "extendedKeyUsage=anyExtendedKeyUsage", "", "lacks the purpose OCSPSigning"),
        ("root", "extendedKeyUsage=OCSPSigning\nkeyUsage=keyEncipherment", "", "lacks digitalSignature"),
        ("root", "extendedKeyUsage=OCSPSigning\n1.2.3.4=critical,DER:0500", "", "critical extension 1.2.3.4"),
        ("root", DELEGATE, "-days -1", "no valid certificate when it answered"),
        ("stranger", DELEGATE, "", "was issued by"),
    ] {
        for found in judge(issuer, extensions, options, GOOD) {
            let error = found.unwrap_err();
            assert!(error.to_string().contains(why), "{extensions}: {error}");
            assert_eq!(error.code(), DiagnosticCode::OcspInvalid);
        }
    }
    // A stranger of the issuer's name appoints a delegate, answers itself, or answers without any certificate.
    let impostor = world.pki.issue_as("impostor", "root", "stranger", None, ROOT, "");
    assert_eq!(impostor.subject(), world.root.subject());
    world.pki.write("impostor.key", world.pki.read("stranger.key"));
    for found in judge("impostor", DELEGATE, "", GOOD) {
        assert!(matches!(found, Err(OcspError::ResponderForeign { .. })), "{found:?}");
    }
    let found = world.judge(GOOD, "impostor", "").unwrap_err();
    assert!(
        matches!(
            found,
            OcspError::Signature { source: SignatureError::Mismatch, .. }
                | OcspError::ResponderUnfit { .. }
                | OcspError::ResponderForeign { .. }
        ),
        "{found}"
    );
    let found = world.judge(GOOD, "impostor", "-resp_no_certs").unwrap_err();
    assert!(matches!(found, OcspError::Signature { source: SignatureError::Mismatch, .. }), "{found}");
    let found = world.judge(GOOD, "impostor", "-resp_key_id -resp_no_certs").unwrap_err();
    assert!(matches!(found, OcspError::ResponderAbsent { .. }), "{found}");
    // SHA-1 under the signature.
    let weak = world.judge(GOOD, "root", "-rmd sha1").unwrap_err();
    assert!(matches!(weak, OcspError::Signature { source: SignatureError::WeakAlgorithm { .. }, .. }), "{weak}");
}

#[test]
fn it_speaks_of_one_certificate_of_one_issuer() {
    let Some(world) = world() else { return };
    let response =
        OcspResponse::from_der(world.answer(CertIdHash::Sha256, GOOD, "root", ""), &Limits::default()).unwrap();
    assert!(response.speaks_of(&world.leaf, &world.root));
    assert_eq!(response.serials().collect::<Vec<_>>(), [world.leaf.serial()]);
    // The same serial number of another issuer, and of another key of the same name.
    let foreign = world.pki.issue("foreign", "leaf", Some("stranger"), SIGNER, "-set_serial 0xBEEF");
    let stranger = world.pki.certificate("stranger");
    let impostor = world.pki.issue_as("impostor", "root", "stranger", None, ROOT, "");
    let sibling = world.pki.issue("sibling", "leaf", Some("root"), SIGNER, "-set_serial 0xBEF0");
    for (certificate, issuer) in
        [(&foreign, &stranger), (&world.leaf, &impostor), (&world.leaf, &stranger), (&sibling, &world.root)]
    {
        let error = response.verify(certificate, issuer).unwrap_err();
        assert!(matches!(error, OcspError::NotCovered { .. }), "{error}");
    }
}

#[test]
fn every_key_that_signs_crls_signs_responses() {
    let Some(world) = world() else { return };
    for (kind, digest) in [
        ("rsa:2048", "sha256"),
        ("rsa:3072", "sha512"),
        ("ec:P-384", "sha384"),
        ("ec:P-384", "sha256"),
        ("ec:P-521", "sha512"),
        ("ec:P-521", "sha256"),
    ] {
        world.pki.key("responder", kind);
        world.pki.issue("responder", "responder", Some("root"), DELEGATE, "");
        let found = world.judge(GOOD, "responder", &format!("-rmd {digest}"));
        assert_eq!(found.map(|found| found.status()), Ok(OcspStatus::Good), "{kind} {digest}");
    }
    world.pki.key("responder", "rsa:2048");
    world.pki.issue("responder", "responder", Some("root"), DELEGATE, "");
    let found = world.judge(GOOD, "responder", "-rsigopt rsa_padding_mode:pss -rmd sha256");
    assert_eq!(found.map(|found| found.status()), Ok(OcspStatus::Good), "PSS");
}

#[test]
fn refusals_and_sizes() {
    let Some(world) = world() else { return };
    let limits = Limits::default();
    for (code, name) in [(1, "malformedRequest"), (2, "internalError"), (3, "tryLater"), (6, "unauthorized")] {
        let error = OcspResponse::from_der(vec![0x30, 3, 0x0a, 1, code], &limits).unwrap_err();
        assert_eq!(error, OcspError::Status { status: name.into() });
        assert_eq!(error.code(), DiagnosticCode::EvidenceUnavailable);
    }
    for bad in [&[0x30, 3, 0x0a, 1, 0][..], &[], &[0x30, 0], &[0x30, 0x80, 0, 0]] {
        assert_eq!(OcspResponse::from_der(bad, &limits).unwrap_err().code(), DiagnosticCode::OcspInvalid);
    }
    let der = world.answer(CertIdHash::Sha1, GOOD, "root", "");
    let small = Limits { ocsp_bytes: 100, ..Limits::default() };
    assert_eq!(OcspResponse::from_der(der.as_slice(), &small).unwrap_err().code(), DiagnosticCode::LimitExceeded);
    let few = Limits { certificates: 0, ..Limits::default() };
    assert!(matches!(OcspResponse::from_der(der.as_slice(), &few), Err(OcspError::TooMany { .. })));
    assert!(OcspResponse::from_der([der, vec![0]].concat(), &limits).is_err(), "10.14: trailing byte");
}

/// `20260101000000Z` and the like.
fn stamp(text: &str) -> Vec<u8> {
    tlv(0x18, text.as_bytes())
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let flag: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &[tlv(6, oid), flag.to_vec(), tlv(4, value)].concat())
}

fn extensions(list: &[Vec<u8>]) -> Vec<u8> {
    tlv(0xa1, &tlv(0x30, &list.concat()))
}

/// What no openssl writes, signed by the issuer's key.
#[test]
fn odd_responses_are_read_or_refused() {
    let Some(world) = world() else { return };
    // Behind four short headers stands the CertID.
    let id = world.request(CertIdHash::Sha1).der()[8..].to_vec();
    let name = tlv(0xa1, world.root.subject().der());
    let (now, good) = (stamp("20260101000000Z"), tlv(0x80, &[]));
    let revoked = |reason: &[u8]| tlv(0xa1, &[stamp("20250101000000Z"), reason.to_vec()].concat());
    let answer = |status: &[u8], more: &[u8]| tlv(0x30, &[&id, status, &now, more].concat());
    let judge = |parts: &[&[u8]]| {
        let tbs = tlv(0x30, &parts.concat());
        world.pki.write("tbs", &tbs);
        world.pki.run("dgst -sha256 -sign root.key -out tbs.sig tbs");
        let algorithm = tlv(0x30, &tlv(6, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]));
        let signature = tlv(3, &[vec![0], world.pki.read("tbs.sig")].concat());
        let basic = tlv(4, &tlv(0x30, &[tbs, algorithm, signature].concat()));
        let kind = tlv(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = tlv(0xa0, &tlv(0x30, &[kind, basic].concat()));
        world.verify(&tlv(0x30, &[vec![0x0a, 1, 0], bytes].concat()))
    };
    let one = |answer: &[u8]| tlv(0x30, answer);
    let odd = [0x2a, 3, 4];
    let (tame, wild) = (extensions(&[extension(&odd, false, &[5, 0])]), extensions(&[extension(&odd, true, &[5, 0])]));
    let status = |found: Result<VerifiedOcsp, OcspError>| found.map(|found| found.status());

    assert_eq!(status(judge(&[&name, &now, &one(&answer(&good, &[]))])), Ok(OcspStatus::Good));
    assert_eq!(status(judge(&[&name, &now, &one(&answer(&good, &tame)), &tame])), Ok(OcspStatus::Good));
    assert_eq!(status(judge(&[&[0xa0, 3, 2, 1, 0], &name, &now, &one(&answer(&good, &[]))])), Ok(OcspStatus::Good));
    // 10.14: what is critical is not understood.
    for parts in [[&one(&answer(&good, &wild)), &[][..]], [&one(&answer(&good, &[])), &wild]] {
        let found = judge(&[&name, &now, parts[0], parts[1]]);
        assert_eq!(status(found), Err(OcspError::UnsupportedExtension { extension: "1.2.3.4".into() }));
    }
    // Of two answers the worse one; a date or reason that means nothing takes nothing back (10.12).
    let date = |value: &[u8]| extensions(&[extension(&[0x55, 0x1d, 0x18], false, value)]);
    let both = [answer(&good, &[]), answer(&revoked(&[]), &[]), answer(&tlv(0x82, &[]), &[])].concat();
    for answers in [
        both,
        answer(&revoked(&[]), &date(&[5, 0])),
        answer(&revoked(&[]), &date(b"\x18\x0220")),
        answer(&revoked(&tlv(0xa0, &[0x0a, 1, 8])), &[]),
        answer(&revoked(&tlv(0xa0, &[0x0a, 1, 0])), &[]),
    ] {
        let want = Revocation {
            date: "2025-01-01T00:00:00Z".parse().unwrap(),
            reason: RevocationReason::Unspecified,
            invalidity_date: None,
        };
        assert_eq!(status(judge(&[&name, &now, &one(&answers)])), Ok(OcspStatus::Revoked(want)));
    }
    let many: Vec<u8> = std::iter::repeat_n(answer(&good, &[]), 65).flatten().collect();
    assert!(matches!(judge(&[&name, &now, &one(&many)]), Err(OcspError::TooMany { limit: 64, .. })));
    assert!(matches!(judge(&[&name, &now, &one(&[])]), Err(OcspError::NotCovered { .. })));
    for parts in [
        // Version 2, UTCTime, a fraction, a key of 19 octets, an unknown status and reason, something behind the end.
        vec![&[0xa0, 3, 2, 1, 1][..], &name, &now],
        vec![&name, b"\x17\x0d260101000000Z"],
        vec![&name, b"\x18\x1120260101000000.5Z"],
        vec![b"\xa2\x15\x04\x130123456789012345678", &now],
        vec![&[5, 0], &now],
    ] {
        let answers = one(&answer(&good, &[]));
        let parts = [parts, vec![answers.as_slice()]].concat();
        assert!(matches!(judge(&parts), Err(OcspError::Malformed { .. })), "{parts:x?}");
    }
    for bad in [tlv(0x83, &[]), tlv(0x80, &[0]), revoked(&tlv(0xa0, &[0x0a, 1, 7])), revoked(&[5, 0])] {
        assert!(
            matches!(judge(&[&name, &now, &one(&answer(&bad, &[]))]), Err(OcspError::Malformed { .. })),
            "{bad:x?}"
        );
    }
    assert!(judge(&[&name, &now, &one(&answer(&good, &[])), &[5, 0]]).is_err());
}
