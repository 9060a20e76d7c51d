//! Certificates that openssl does not write: one field changed and signed again.

use bulla::limits::Limits;
use bulla::pki::{Certificate, CertificateChain, CertificateError, Crl, CrlEntry, CrlError, Profile};
use bulla::time::UnixTime;

use crate::openssl::{Pki, ROOT, SIGNER, pki, tlv};

/// Header and content of the value at the beginning of `der`, and what follows it.
fn split(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, header) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        0x81 => (usize::from(der[2]), 3),
        _ => (usize::from(u16::from_be_bytes([der[2], der[3]])), 4),
    };
    (der[0], &der[header..header + length], &der[header + length..])
}

/// `der` with `new` in place of the `old` octets, which occur once, with all lengths around it put right.
pub(crate) fn replace(der: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = der;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix(old) {
            out.extend_from_slice(new);
            rest = behind;
            continue;
        }
        let (tag, content, behind) = split(rest);
        if tag & 0x20 != 0 {
            out.extend(tlv(tag, &replace(content, old, new)));
        } else {
            out.extend_from_slice(&rest[..rest.len() - behind.len()]);
        }
        rest = behind;
    }
    out
}

/// The certificate of a changed TBS.
fn sign(pki: &Pki, key: &str, tbs: &[u8], outer_algorithm: Option<&[u8]>) -> Vec<u8> {
    pki.write("tbs", tbs);
    pki.run(&format!("dgst -sha256 -sign {key}.key -out sig tbs"));
    let signature = tlv(3, &[&[0], pki.read("sig").as_slice()].concat());
    tlv(0x30, &[tbs, outer_algorithm.unwrap_or(&ECDSA_SHA256), &signature].concat())
}

const ECDSA_SHA256: [u8; 12] = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: [u8; 12] = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
/// basicConstraints, not critical, cA absent: `SEQUENCE { OID, OCTET STRING { SEQUENCE {} } }`.
const NO_CA: [u8; 11] = [0x30, 9, 6, 3, 0x55, 0x1d, 0x13, 4, 2, 0x30, 0];

#[test]
fn unusual_forms() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf = pki.issue("leaf", "leaf", Some("root"), SIGNER, "-set_serial 0x1234");
    let tbs = leaf.tbs();
    let conforms = |leaf: Certificate| {
        let chain = CertificateChain::new(vec![leaf, root.clone()], &Limits::default()).unwrap();
        chain.inspect(Profile::CodeSigning).map(|_| ())
    };
    let read = |tbs: &[u8]| Certificate::from_der(&sign(&pki, "root", tbs, None));
    let changed = |old: &[u8], new: &[u8]| {
        let changed = replace(tbs, old, new);
        assert_ne!(changed, tbs, "{old:02x?}");
        read(&changed)
    };
    conforms(read(tbs).unwrap()).unwrap();

    // An explicit `critical FALSE`, which a re-encoding would drop and so break the signature.
    let explicit = [0x30, 12, 6, 3, 0x55, 0x1d, 0x13, 1, 1, 0, 4, 2, 0x30, 0];
    conforms(changed(&NO_CA, &explicit).unwrap()).unwrap();
    // An extension twice.
    let twice = changed(&NO_CA, &[NO_CA, NO_CA].concat());
    assert_eq!(twice, Err(CertificateError::DuplicateExtension { extension: "2.5.29.19".into() }));
    // A BOOLEAN that is neither 0x00 nor 0xff.
    let mut odd = explicit;
    odd[9] = 1;
    assert!(changed(&NO_CA, &odd).is_err());

    // A beginning in 1950, as NIST's test suite has, and one of year 0.
    let (_, validity, _) = split(&tbs[tbs.windows(2).position(|pair| pair == [0x17, 0x0d]).unwrap()..]);
    let start = tlv(0x17, validity);
    let old = changed(&start, &tlv(0x17, b"500101120000Z")).unwrap();
    assert_eq!(old.validity().not_before, "1950-01-01T12:00:00Z".parse::<UnixTime>().unwrap());
    conforms(old).unwrap();
    let older = changed(&start, &tlv(0x18, b"00000101120000Z")).unwrap();
    assert_eq!(older.validity().not_before.to_string(), "0000-01-01T12:00:00Z");
    for bad in [&b"2601011200Z"[..], b"260101120000+0000", b"261301120000Z", b"260101120000"] {
        assert!(changed(&start, &tlv(0x17, bad)).is_err(), "{bad:?}");
    }

    // Serial numbers: 20 octets and a sign are the most; the shortest form only.
    let serial = [2, 2, 0x12, 0x34];
    assert_eq!(
        changed(&serial, &tlv(2, &[[0].as_slice(), &[0xff; 20]].concat())).unwrap().serial().as_bytes().len(),
        21
    );
    assert!(changed(&serial, &tlv(2, &[0x11; 22])).is_err());
    assert!(changed(&serial, &tlv(2, &[0, 0x12])).is_err());
    assert!(changed(&serial, &tlv(2, &[])).is_err());

    // Extensions in a certificate of version 1, and a version 4.
    let version = [0xa0, 3, 2, 1, 2];
    assert_eq!(changed(&version, &[0xa0, 3, 2, 1, 0]), Err(CertificateError::Version { version: 1 }));
    assert_eq!(changed(&version, &[]), Err(CertificateError::Version { version: 1 }));
    assert_eq!(changed(&version, &[0xa0, 3, 2, 1, 3]), Err(CertificateError::Version { version: 4 }));

    // The algorithm outside is signed by nobody: it must be the one inside.
    let differ = Certificate::from_der(&sign(&pki, "root", tbs, Some(&ECDSA_SHA384)));
    assert_eq!(differ, Err(CertificateError::AlgorithmsDiffer));

    // What hostile sizes cost is bounded before it is spent.
    let long = tlv(0x30, &[&[6, 3, 0x55, 0x1d, 0x13][..], &tlv(4, &vec![0; 2 << 20])].concat());
    assert!(changed(&NO_CA, &long).is_err(), "two mebibytes of extension");
    let many: Vec<u8> = (0..100).flat_map(|n| tlv(0x30, &[&[6, 3, 0x2a, 3, n][..], &[4, 0]].concat())).collect();
    assert!(changed(&NO_CA, &many).is_err(), "a hundred extensions");
}

/// Entries and frames of CRLs that openssl does not write.
#[test]
fn unusual_crls() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf = pki.issue("leaf", "root", Some("root"), SIGNER, "-set_serial 0x1234");
    let crl = pki.crl("root", &[("1234", "250102030405Z,superseded")], "", "");
    // SEQUENCE { OID reasonCode, OCTET STRING { ENUMERATED 4 } }
    let superseded = [0x30, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 4];
    let lookup = |extension: &[u8]| {
        let tbs = replace(crl.tbs(), &superseded, extension);
        assert!(tbs != crl.tbs() || extension == superseded);
        let crl = Crl::from_der(sign(&pki, "root", &tbs, None)).unwrap();
        let verified = crl.verify(&root).unwrap();
        assert_eq!(
            verified.lookup(root.serial()),
            Ok(CrlEntry::NotListed),
            "10.22: others' entries may be as they like"
        );
        verified.lookup(leaf.serial())
    };
    assert!(matches!(lookup(&superseded), Ok(CrlEntry::Revoked(_))));
    let extension = |oid: u8, critical: &[u8], value: &[u8]| {
        tlv(0x30, &[&[6, 3, 0x55, 0x1d, oid], critical, tlv(4, value).as_slice()].concat())
    };
    let critical = [1, 1, 0xff];
    assert!(matches!(lookup(&extension(99, &[], &[5, 0])), Ok(CrlEntry::Revoked(_))), "unknown, not critical");
    for (bad, what) in [
        (extension(99, &critical, &[5, 0]), "unknown and critical"),
        (extension(29, &critical, &[0x30, 0]), "certificateIssuer"),
        (extension(29, &[], &[0x30, 0]), "certificateIssuer, not critical"),
        (extension(21, &[], &[0x0a, 1, 7]), "a reason that is not assigned"),
        (extension(21, &[], &[0x0a, 2, 0, 4]), "a reason in two octets"),
        (extension(24, &[], &tlv(0x17, b"250102030405Z")), "an invalidity date as UTCTime"),
    ] {
        assert!(matches!(lookup(&bad), Err(CrlError::Entry { .. })), "{what}");
    }
    let differ = Crl::from_der(sign(&pki, "root", crl.tbs(), Some(&ECDSA_SHA384)));
    assert_eq!(differ, Err(CrlError::AlgorithmsDiffer));
}
