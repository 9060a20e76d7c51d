//! One flipped bit in every byte, and every shorter length: never a panic, never accepted where it matters.

use std::ops::Range;

use bulla::limits::Limits;
use bulla::pki::{Certificate, CertificateChain, Crl, Profile};
use bulla::tsp::TimestampToken;

use crate::openssl::{ROOT, SIGNER, pki};
use crate::tokens::{MESSAGE, world};

/// The offsets whose flipped bit `accepts` still lets through. Also cuts the input at every length.
fn survivors(input: &[u8], accepts: impl Fn(&[u8]) -> bool) -> Vec<usize> {
    assert!(accepts(input), "the unchanged input is good");
    for length in 0..input.len() {
        assert!(!accepts(&input[..length]), "cut at {length}");
    }
    let mut mutant = input.to_vec();
    (0..input.len())
        .filter(|offset| {
            let bit = 1 << (offset % 8);
            mutant[*offset] ^= bit;
            let accepted = accepts(&mutant);
            mutant[*offset] ^= bit;
            accepted
        })
        .collect()
}

#[test]
fn every_byte_of_a_certificate_counts() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    pki.key("leaf", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let leaf =
        pki.issue("leaf", "leaf", Some("root"), &format!("{SIGNER}\ncrlDistributionPoints=URI:http://a/1.crl"), "");
    let limits = Limits::default();
    let left = survivors(leaf.der(), |der| {
        Certificate::from_der(der).is_ok_and(|leaf| {
            // Interpreting what is not yet trusted must not panic either.
            let _ = (leaf.revocation_sources(), leaf.subject().to_string(), leaf.public_key().describe());
            CertificateChain::new(vec![leaf, root.clone()], &limits).unwrap().inspect(Profile::CodeSigning).is_ok()
        })
    });
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn every_byte_of_a_crl_counts() {
    let Some(pki) = pki() else { return };
    pki.key("root", "ec:P-256");
    let root = pki.issue("root", "root", None, ROOT, "");
    let entries = [("0102", "250102030405Z,keyTime,20240506070809Z"), ("0103", "250102030405Z")];
    let crl =
        pki.crl("root", &entries, "issuingDistributionPoint=critical,@idp\n[idp]\nfullname=URI:http://a/1.crl", "");
    let left = survivors(crl.der(), |der| Crl::from_der(der).is_ok_and(|crl| crl.verify(&root).is_ok()));
    assert!(left.is_empty(), "{left:?}");
}

/// Of a token, one part is signed by nobody and read by nobody: the set of digest algorithms in front of the content.
#[test]
fn every_byte_of_a_token_counts_but_the_announced_digests() {
    let Some(world) = world() else { return };
    let der = world.stamp("tsa", "accuracy = millisecs:500", "-cert");
    let limits = Limits::default();
    let roots = [world.root.clone()];
    let verify = |der: &[u8]| {
        let token = TimestampToken::parse(der, &limits).ok()?;
        token.verify(MESSAGE, &roots, &limits).ok()
    };
    let good = verify(&der).unwrap();
    let left = survivors(&der, |mutant| {
        let found = verify(mutant);
        // Whatever is accepted says the same.
        found.is_some_and(|found| {
            assert_eq!((found.info(), found.chain(), found.anchor()), (good.info(), good.chain(), good.anchor()));
            true
        })
    });
    let harmless = announced_digests(&der);
    assert!(left.iter().all(|offset| harmless.contains(offset)), "{left:?} beyond {harmless:?}");
}

/// The inside of `digestAlgorithms`: SET { SEQUENCE { OID sha256, NULL? } }.
fn announced_digests(der: &[u8]) -> Range<usize> {
    let sha256 = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    let oid = der.windows(sha256.len()).position(|window| window == sha256).unwrap();
    // In front of the OID lie the headers of the SEQUENCE and of the SET, two octets each.
    assert_eq!(der[oid - 4], 0x31);
    oid - 2..oid - 2 + 2 + usize::from(der[oid - 1])
}
