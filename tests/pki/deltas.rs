//! Delta CRLs made by `openssl ca -gencrl` (conformance 10.24 to 10.28).

use bulla::pki::{Certificate, Crl, CrlEntry, CrlError, DeltaEntry, RevocationReason};

use crate::openssl::{Pki, ROOT, SIGNER, pki};

struct World {
    pki: Pki,
    root: Certificate,
    leaf: Certificate,
}

fn world() -> Option<World> {
    let pki = pki()?;
    for name in ["root", "leaf"] {
        pki.key(name, "ec:P-256");
    }
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial 0xBEEF");
    Some(World { pki, root, leaf })
}

impl World {
    /// A CRL with that number; a delta if it names a base.
    fn crl(&self, number: u8, base: Option<u8>, entries: &[(&str, &str)], more: &str) -> Crl {
        // Numbers as DER, so that they can be whatever the test wants.
        let integer =
            |number: u8| if number < 0x80 { format!("0201{number:02x}") } else { format!("020200{number:02x}") };
        let base = base.map(|base| format!("2.5.29.27=critical,DER:{}", integer(base))).unwrap_or_default();
        let extensions = format!("{base}\n{more}\n[numbered]\n2.5.29.20=DER:{}\n{base}\n{more}", integer(number));
        self.pki.crl("root", entries, &extensions, "-crlexts numbered")
    }
}

#[test]
fn numbers_and_scope_tell_what_a_delta_continues() {
    let Some(world) = world() else { return };
    let base = |number| world.crl(number, None, &[], "").verify(&world.root).unwrap();
    let delta = |number, from| world.crl(number, Some(from), &[], "").verify_delta(&world.root).unwrap();
    for (base_number, delta_number, from, fits) in [
        (5, 6, 5, true),
        (5, 6, 4, true),
        (5, 200, 1, true),
        (127, 128, 127, true),
        (128, 255, 127, true),
        (5, 7, 6, false),
        (5, 5, 5, false),
        (5, 4, 3, false),
        (200, 100, 99, false),
        (0, 1, 0, true),
    ] {
        let found = delta(delta_number, from).applies_to(&base(base_number));
        assert_eq!(found.is_ok(), fits, "{base_number} {delta_number} {from}: {found:?}");
    }
    // Another scope, and no number (conformance 10.28, 14.27).
    let scope = "issuingDistributionPoint=critical,@idp\n[idp]\nonlyuser=TRUE";
    let scoped = world.crl(6, Some(5), &[], scope).verify_delta(&world.root);
    assert!(matches!(scoped.unwrap().applies_to(&base(5)), Err(CrlError::DeltaMismatch { .. })));
    world.pki.write(
        "ca.cnf",
        "[ca]
default_ca = d
[d]
database = index.txt
default_md = sha256
default_crl_days = 30
[bare]
\
         authorityKeyIdentifier = keyid
",
    );
    world.pki.run("ca -gencrl -config ca.cnf -cert root.pem -keyfile root.key -out bare.crl -crlexts bare");
    world.pki.run("crl -in bare.crl -outform DER -out bare.der");
    let nameless = Crl::from_der(world.pki.read("bare.der")).unwrap();
    assert_eq!(nameless.number(), None);
    let found = delta(6, 5).applies_to(&nameless.verify(&world.root).unwrap());
    assert!(matches!(found, Err(CrlError::DeltaMismatch { .. })));
    // A base is no delta, a delta no base.
    assert!(matches!(world.crl(6, None, &[], "").verify_delta(&world.root), Err(CrlError::NotDelta { .. })));
    assert!(matches!(world.crl(6, Some(5), &[], "").verify(&world.root), Err(CrlError::Delta { .. })));
    // Another authority of the same name.
    world.pki.key("other", "ec:P-256");
    let other = world.pki.issue_as("other", "root", "other", None, ROOT, "");
    assert!(matches!(world.crl(6, Some(5), &[], "").verify_delta(&other), Err(CrlError::Signature { .. })));
    let foreign = world.pki.crl("other", &[], "[n]\n2.5.29.20=DER:020106\n2.5.29.27=critical,DER:020105", "-crlexts n");
    let foreign = foreign.verify_delta(&other).unwrap();
    assert!(matches!(foreign.applies_to(&base(5)), Err(CrlError::DeltaMismatch { .. })));
}

/// Conformance 10.24.
#[test]
fn base_and_delta_are_read_together() {
    let Some(world) = world() else { return };
    const EARLY: &str = "250101000000Z";
    const LATE: &str = "250201000000Z";
    let hold = |date: &str| format!("{date},certificateHold");
    let removed = |date: &str| format!("{date},removeFromCRL");
    for (base, delta, expected) in [
        (None, None, None),
        (None, Some(format!("{EARLY},superseded")), Some(RevocationReason::Superseded)),
        (None, Some(hold(EARLY)), Some(RevocationReason::CertificateHold)),
        (None, Some(removed(EARLY)), None),
        (Some(hold(EARLY)), None, Some(RevocationReason::CertificateHold)),
        (Some(hold(EARLY)), Some(removed(LATE)), None),
        (Some(hold(LATE)), Some(removed(EARLY)), Some(RevocationReason::CertificateHold)),
        (Some(hold(EARLY)), Some(removed(EARLY)), Some(RevocationReason::CertificateHold)),
        (Some(hold(EARLY)), Some(format!("{LATE},keyCompromise")), Some(RevocationReason::KeyCompromise)),
        (Some(hold(LATE)), Some(format!("{EARLY},keyCompromise")), Some(RevocationReason::KeyCompromise)),
        (Some(format!("{EARLY},keyCompromise")), Some(removed(LATE)), Some(RevocationReason::KeyCompromise)),
        (Some(EARLY.to_owned()), Some(hold(LATE)), Some(RevocationReason::Unspecified)),
    ] {
        let entries = |what: &Option<String>| what.clone().map(|what| ("BEEF".to_owned(), what));
        let crl = |number, from, what: &Option<String>| {
            let found = entries(what);
            let lines: Vec<(&str, &str)> =
                found.iter().map(|(serial, what)| (serial.as_str(), what.as_str())).collect();
            world.crl(number, from, &lines, "")
        };
        let verified = crl(5, None, &base).verify(&world.root).unwrap();
        let change = crl(6, Some(5), &delta).verify_delta(&world.root).unwrap();
        change.covers(&world.leaf).unwrap();
        let found = match verified.lookup_with(&change, world.leaf.serial()).unwrap() {
            CrlEntry::NotListed => None,
            CrlEntry::Revoked(revocation) => Some(revocation.reason),
        };
        assert_eq!(found, expected, "{base:?} {delta:?}");
        assert_eq!(change.lookup(world.leaf.serial()).unwrap() == DeltaEntry::NotListed, delta.is_none());
    }
    // One that does not continue the base changes nothing, and says so.
    let base = world.crl(5, None, &[], "").verify(&world.root).unwrap();
    let late = world.crl(8, Some(7), &[], "").verify_delta(&world.root).unwrap();
    assert!(matches!(base.lookup_with(&late, world.leaf.serial()), Err(CrlError::DeltaMismatch { .. })));
}
