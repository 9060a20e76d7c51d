//! CRLs made by `openssl ca -gencrl`.

use bulla::code::{Diagnostic, DiagnosticCode};
use bulla::limits::Limits;
use bulla::pki::{Certificate, Crl, CrlEntry, CrlError, Revocation, RevocationReason, SignatureError, crls_from_file};
use bulla::time::UnixTime;

use crate::openssl::{Pki, ROOT, SIGNER, pki};

struct World {
    pki: Pki,
    root: Certificate,
    mid: Certificate,
    leaf: Certificate,
}

fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "mid", "leaf"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    let mid = pki.issue("mid", "mid", Some("root"), ROOT, "");
    let points = format!("{SIGNER}\ncrlDistributionPoints=URI:http://a/1.crl,URI:http://b/1.crl");
    let leaf = pki.issue("leaf", "leaf", Some("root"), &points, "-set_serial 0xBEEF");
    Some(World { pki, root, mid, leaf })
}

fn time(text: &str) -> UnixTime {
    text.parse().unwrap()
}

#[test]
fn entries_are_found_with_reason_and_dates() {
    let Some(World { pki, root, leaf, .. }) = world() else { return };
    let empty = pki.crl("root", &[], "", "");
    assert_eq!((empty.entry_count(), empty.is_delta()), (0, false));
    assert_eq!(empty.number().unwrap().to_string(), "07");
    let verified = empty.verify(&root).unwrap();
    verified.covers(&leaf).unwrap();
    assert_eq!(verified.lookup(leaf.serial()), Ok(CrlEntry::NotListed));

    for (what, reason, invalidity) in [
        ("250102030405Z", RevocationReason::Unspecified, None),
        ("250102030405Z,keyCompromise", RevocationReason::KeyCompromise, None),
        ("250102030405Z,CACompromise", RevocationReason::CaCompromise, None),
        ("250102030405Z,affiliationChanged", RevocationReason::AffiliationChanged, None),
        ("250102030405Z,superseded", RevocationReason::Superseded, None),
        ("250102030405Z,cessationOfOperation", RevocationReason::CessationOfOperation, None),
        ("250102030405Z,certificateHold", RevocationReason::CertificateHold, None),
        ("250102030405Z,keyTime,20240506070809Z", RevocationReason::KeyCompromise, Some("2024-05-06T07:08:09Z")),
    ] {
        let entries = [("01", "240101000000Z"), ("00BEEF", what), ("BEEF01", "240101000000Z")];
        let crl = pki.crl("root", &entries, "", "");
        assert_eq!(crl.entry_count(), 3);
        let entry = crl.verify(&root).unwrap().lookup(leaf.serial()).unwrap();
        let want = Revocation { date: time("2025-01-02T03:04:05Z"), reason, invalidity_date: invalidity.map(time) };
        assert_eq!(entry, CrlEntry::Revoked(want), "{what}");
    }
    // removeFromCRL (8) in a base CRL, and an entry that is not ours and may be as it likes.
    let crl = pki.crl("root", &[("BEEF", "250102030405Z,removeFromCRL"), ("02", "250102030405Z")], "", "");
    let verified = crl.verify(&root).unwrap();
    assert!(matches!(verified.lookup(leaf.serial()), Err(CrlError::Entry { .. })));
    assert_eq!(verified.lookup(root.serial()), Ok(CrlEntry::NotListed));
}

#[test]
fn dates_are_read_whatever_they_are() {
    let Some(World { pki, root, .. }) = world() else { return };
    let options = "-crl_lastupdate 200101000000Z -crl_nextupdate 20500201000000Z";
    let crl = pki.crl("root", &[], "", options);
    assert_eq!(crl.this_update(), time("2020-01-01T00:00:00Z"));
    assert_eq!(crl.next_update(), Some(time("2050-02-01T00:00:00Z")));
    crl.verify(&root).unwrap();
    assert_eq!(crl.digest(), bulla::digest::Digest::sha256(crl.der()));
}

#[test]
fn the_scope_is_kept() {
    let Some(World { pki, root, mid, leaf }) = world() else { return };
    let scoped = |idp: &str| {
        let crl = pki.crl("root", &[], &format!("issuingDistributionPoint=critical,@idp\n[idp]\n{idp}"), "");
        crl.verify(&root).map(|verified| (verified.covers(&leaf).is_ok(), verified.covers(&mid).is_ok()))
    };
    // `mid` names no distribution point, `leaf` names http://a/1.crl and http://b/1.crl.
    assert_eq!(scoped("onlyCA=TRUE").unwrap(), (false, true));
    assert_eq!(scoped("onlyuser=TRUE").unwrap(), (true, false));
    assert_eq!(scoped("onlyAA=TRUE").unwrap(), (false, false));
    assert_eq!(scoped("onlysomereasons=keyCompromise").unwrap(), (false, false));
    assert_eq!(scoped("fullname=URI:http://b/1.crl").unwrap(), (true, false));
    assert_eq!(scoped("fullname=URI:http://c/1.crl,URI:http://a/1.crl").unwrap(), (true, false));
    assert_eq!(scoped("fullname=URI:http://c/1.crl").unwrap(), (false, false));
    assert_eq!(scoped("fullname=URI:http://a/1.crl\nonlyCA=TRUE").unwrap(), (false, false));
    assert!(matches!(scoped("indirectCRL=TRUE"), Err(CrlError::Indirect { .. })));

    let crl = pki.crl("root", &[], "", "");
    let verified = crl.verify(&root).unwrap();
    let foreign = pki.issue("foreign", "leaf", Some("mid"), SIGNER, "");
    let error = verified.covers(&foreign).unwrap_err();
    assert!(error.to_string().contains("another issuer's"), "{error}");
    assert_eq!(error.code(), DiagnosticCode::CrlOutOfScope);
}

#[test]
fn what_is_not_a_base_crl_of_the_issuer_is_refused() {
    let Some(World { pki, root, mid, .. }) = world() else { return };
    let refused =
        |extensions: &str, options: &str| pki.crl("root", &[], extensions, options).verify(&root).unwrap_err();
    assert!(matches!(refused("2.5.29.27=critical,DER:020105", ""), CrlError::Delta { .. }));
    assert!(
        matches!(refused("2.5.29.27=DER:020105", ""), CrlError::Delta { .. }),
        "10.21: also where it is not critical"
    );
    assert!(matches!(refused("1.2.3.4=critical,DER:0500", ""), CrlError::UnsupportedExtension { .. }));
    let weak = refused("", "-md sha1");
    assert!(matches!(weak, CrlError::Signature { source: SignatureError::WeakAlgorithm { .. }, .. }), "{weak}");
    let delta = pki.crl("root", &[], "2.5.29.27=critical,DER:020105", "");
    assert_eq!((delta.is_delta(), delta.base_crl_number().unwrap().to_string()), (true, "05".to_owned()));
    let fresh = pki.crl("root", &[], "freshestCRL=URI:http://d/delta.crl", "");
    assert_eq!(fresh.freshest_urls(), ["http://d/delta.crl"]);
    fresh.verify(&root).unwrap();

    // Another issuer; a stranger of the same name; one that may not sign CRLs.
    let crl = pki.crl("root", &[], "1.2.3.4=DER:0500", "");
    crl.verify(&root).unwrap();
    assert!(matches!(crl.verify(&mid), Err(CrlError::IssuerMismatch { .. })));
    let impostor = pki.issue_as("impostor", "root", "mid", None, ROOT, "");
    let error = crl.verify(&impostor).unwrap_err();
    assert!(matches!(error, CrlError::Signature { source: SignatureError::Mismatch, .. }), "{error}");
    assert_eq!(error.code(), DiagnosticCode::CrlInvalid);
    let mute = pki.issue_as("mute", "root", "root", None, &ROOT.replace(",cRLSign", ""), "");
    assert!(matches!(crl.verify(&mute), Err(CrlError::IssuerMayNotSign { .. })), "10.18");
    let no_ca = pki.issue_as("noca", "root", "root", None, "keyUsage=critical,cRLSign", "");
    assert!(matches!(crl.verify(&no_ca), Err(CrlError::IssuerMayNotSign { .. })));
}

#[test]
fn versions_and_files() {
    let Some(World { pki, .. }) = world() else { return };
    let der = pki.crl_der("root", &[], "", "");
    let limits = Limits::default();
    assert_eq!(crls_from_file(&der, &limits).unwrap(), std::slice::from_ref(&der));
    let pem = pki.read("out.crl");
    assert_eq!(crls_from_file(&[pem.clone(), pem].concat(), &limits).unwrap(), [der.clone(), der.clone()]);
    assert!(crls_from_file(&pki.read("root.pem"), &limits).is_err());
    let small = Limits { crl_bytes: 100, ..Limits::default() };
    assert_eq!(crls_from_file(&der, &small).unwrap_err().code(), DiagnosticCode::LimitExceeded);
    assert!(Crl::from_der([der.clone(), vec![0]].concat()).is_err(), "trailing byte");

    // Without extensions and with -crlnumber gone openssl writes version 1 (10.17: version 2 only).
    pki.write(
        "ca.cnf",
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 30\n",
    );
    pki.run("ca -gencrl -config ca.cnf -cert root.pem -keyfile root.key -out v1.crl");
    assert_eq!(crls_from_file(&pki.read("v1.crl"), &limits), Err(CrlError::Version));
}

/// A hundred thousand entries cost no allocation each; the walk finds the last one.
#[test]
fn long_lists_are_walked() {
    let Some(World { pki, root, .. }) = world() else { return };
    let serials: Vec<String> = (0x100_0000..0x101_86A0).map(|serial: u32| format!("0{serial:X}")).collect();
    let entries: Vec<(&str, &str)> =
        serials.iter().map(|serial| (serial.as_str(), "250102030405Z,superseded")).collect();
    let crl = pki.crl("root", &entries, "", "");
    assert_eq!(crl.entry_count(), 100_000);
    let last = pki.issue("last", "leaf", Some("root"), SIGNER, "-set_serial 0x0101869F");
    let entry = crl.verify(&root).unwrap().lookup(last.serial()).unwrap();
    assert!(matches!(entry, CrlEntry::Revoked(Revocation { reason: RevocationReason::Superseded, .. })));
}
