//! Timestamp tokens of every form, good and bad, which no program writes: put together octet by octet, signed by openssl.

use bulla::pki::{Certificate, NamedHash, ObjectIdentifier};

use crate::openssl::{Pki, tlv};

pub(crate) const MESSAGE: &[u8] = b"the file that was stamped";

pub(crate) const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";
pub(crate) const SHA1: &str = "1.3.14.3.2.26";
pub(crate) const SHA256: &str = "2.16.840.1.101.3.4.2.1";
pub(crate) const SHA512: &str = "2.16.840.1.101.3.4.2.3";

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    tlv(6, dotted.parse::<ObjectIdentifier>().unwrap().as_bytes())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn set(parts: &[&[u8]]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort();
    tlv(0x31, &parts.concat())
}

pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(4, content)
}

pub(crate) fn integer(value: u8) -> Vec<u8> {
    vec![2, 1, value]
}

/// `AlgorithmIdentifier` without parameters.
pub(crate) fn algorithm(dotted: &str) -> Vec<u8> {
    sequence(&[&oid(dotted)])
}

fn digest(dotted: &str, bytes: &[u8]) -> Vec<u8> {
    use bulla::pki::HashAlgorithm;
    let hash = match dotted {
        SHA1 => NamedHash::Sha1,
        other => NamedHash::Strong(HashAlgorithm::from_oid(other.parse().unwrap()).unwrap()),
    };
    hash.digest(bytes).unwrap()
}

pub(crate) fn attribute(dotted: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(dotted), &tlv(0x31, value)])
}

/// How the signer signs.
#[derive(Clone)]
pub(crate) enum Signing {
    /// `openssl dgst`: hash, options, signatureAlgorithm.
    Dgst(&'static str, &'static str, Vec<u8>),
    /// Ed25519.
    Raw,
}

/// How it names its certificate.
#[derive(Clone, Copy)]
pub(crate) enum Sid {
    IssuerSerial,
    KeyIdentifier,
}

/// A token to be: everything may be changed before it is made.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) signer: &'static str,
    pub(crate) signing: Signing,
    pub(crate) sid: Sid,
    pub(crate) data_version: u8,
    pub(crate) signer_version: u8,
    pub(crate) digest: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) content: Vec<u8>,
    /// The OCTET STRING of the content, if not as it should be.
    pub(crate) wrapped: Option<Vec<u8>>,
    /// The DER of the signed attributes, in any order.
    pub(crate) attributes: Vec<Vec<u8>>,
    pub(crate) is_sorted: bool,
    /// The certificates as they stand in the set.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) crls: Vec<Vec<u8>>,
    pub(crate) unsigned: Vec<Vec<u8>>,
    /// How often the SignerInfo stands there.
    pub(crate) signers: usize,
}

/// TSTInfo of [`MESSAGE`] at a time, with fields behind genTime.
pub(crate) fn info(hash: &str, time: &str, more: &[u8]) -> Vec<u8> {
    info_of(1, &sequence(&[&algorithm(hash), &octets(&digest(hash, MESSAGE))]), time, more)
}

pub(crate) fn info_of(version: u8, imprint: &[u8], time: &str, more: &[u8]) -> Vec<u8> {
    sequence(&[&integer(version), &oid("1.2.3.4"), imprint, &integer(7), &tlv(0x18, time.as_bytes()), more])
}

/// ESSCertIDv2 by SHA-256, or ESSCertID, without issuerSerial.
pub(crate) fn essential(version: u8, certificates: &[&[u8]]) -> Vec<u8> {
    let id = |der: &&[u8]| {
        let hash = if version == 1 { SHA1 } else { SHA256 };
        sequence(&[&octets(&digest(hash, der))])
    };
    let ids: Vec<u8> = certificates.iter().flat_map(id).collect();
    let name = if version == 1 { SIGNING_CERTIFICATE } else { SIGNING_CERTIFICATE_V2 };
    attribute(name, &sequence(&[&tlv(0x30, &ids)]))
}

/// ESSCertIDv2 with this hashAlgorithm and hash, and this behind it.
pub(crate) fn essential_with(hash: &str, value: &[u8], more: &[u8]) -> Vec<u8> {
    let id = sequence(&[&algorithm(hash), &octets(value), more]);
    attribute(SIGNING_CERTIFICATE_V2, &sequence(&[&tlv(0x30, &id)]))
}

pub(crate) fn ecdsa() -> Signing {
    Signing::Dgst("sha256", "", algorithm("1.2.840.10045.4.3.2"))
}

pub(crate) fn rsa(hash: &'static str) -> Signing {
    Signing::Dgst(hash, "", sequence(&[&oid("1.2.840.113549.1.1.1"), &[5, 0]]))
}

/// RSASSA-PSS with SHA-256 and a salt of that length.
pub(crate) fn pss(salt: u16, option: &'static str) -> Signing {
    let hash = algorithm(SHA256);
    let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &hash]);
    let length = match salt.to_be_bytes() {
        [0, short @ 0..=0x7f] => tlv(2, &[short]),
        long => tlv(2, &long),
    };
    let parameters = sequence(&[&tlv(0xa0, &hash), &tlv(0xa1, &mask), &tlv(0xa2, &length)]);
    Signing::Dgst("sha256", option, sequence(&[&oid("1.2.840.113549.1.1.10"), &parameters]))
}

impl Recipe {
    /// What conforms: ECDSA, issuerAndSerialNumber, ESSCertIDv2, the signer's certificate and the one above it.
    pub(crate) fn new(signer: &'static str, certificate: &Certificate, mid: &Certificate, time: &str) -> Self {
        Self {
            signer,
            signing: ecdsa(),
            sid: Sid::IssuerSerial,
            data_version: 3,
            signer_version: 1,
            digest: SHA256,
            content_type: TST_INFO,
            content: info(SHA256, time, &[]),
            wrapped: None,
            attributes: vec![essential(2, &[certificate.der()])],
            is_sorted: true,
            certificates: vec![certificate.der().to_vec(), mid.der().to_vec()],
            crls: Vec::new(),
            unsigned: Vec::new(),
            signers: 1,
        }
    }

    /// Adds contentType and messageDigest, signs, and puts everything together.
    pub(crate) fn make(&self, pki: &Pki, certificate: &Certificate) -> Vec<u8> {
        let mut attributes = self.attributes.clone();
        attributes.push(attribute(CONTENT_TYPE, &oid(TST_INFO)));
        attributes.push(attribute(MESSAGE_DIGEST, &octets(&digest(self.digest, &self.content))));
        self.make_with(pki, certificate, attributes)
    }

    pub(crate) fn make_with(&self, pki: &Pki, certificate: &Certificate, mut attributes: Vec<Vec<u8>>) -> Vec<u8> {
        attributes.sort();
        if !self.is_sorted {
            attributes.reverse();
        }
        let inside = attributes.concat();
        pki.write("tbs", tlv(0x31, &inside));
        let signer = self.signer;
        let name = match &self.signing {
            Signing::Dgst(hash, options, name) => {
                pki.run(&format!("dgst -{hash} -sign {signer}.key {options} -out sig tbs"));
                name.clone()
            }
            Signing::Raw => {
                pki.run(&format!("pkeyutl -sign -rawin -inkey {signer}.key -in tbs -out sig"));
                algorithm("1.3.101.112")
            }
        };
        let sid = match self.sid {
            Sid::IssuerSerial => sequence(&[certificate.issuer().der(), &tlv(2, certificate.serial().as_bytes())]),
            Sid::KeyIdentifier => tlv(0x80, &key_identifier(certificate)),
        };
        let unsigned = if self.unsigned.is_empty() { Vec::new() } else { tlv(0xa1, &self.unsigned.concat()) };
        let signer_info = sequence(&[
            &integer(self.signer_version),
            &sid,
            &algorithm(self.digest),
            &tlv(0xa0, &inside),
            &name,
            &octets(&pki.read("sig")),
            &unsigned,
        ]);
        let wrapped = self.wrapped.clone().unwrap_or_else(|| tlv(0xa0, &octets(&self.content)));
        let field = |tag, parts: &[Vec<u8>]| if parts.is_empty() { Vec::new() } else { tlv(tag, &parts.concat()) };
        let signed = sequence(&[
            &integer(self.data_version),
            &set(&[&algorithm(self.digest)]),
            &sequence(&[&oid(self.content_type), &wrapped]),
            &field(0xa0, &self.certificates),
            &field(0xa1, &self.crls),
            &tlv(0x31, &signer_info.repeat(self.signers)),
        ]);
        sequence(&[&oid(SIGNED_DATA), &tlv(0xa0, &signed)])
    }
}

/// subjectKeyIdentifier, by the octets around it.
fn key_identifier(certificate: &Certificate) -> Vec<u8> {
    let start = [6, 3, 0x55, 0x1d, 0x0e, 4, 0x16, 4, 0x14];
    let der = certificate.der();
    let at = der.windows(start.len()).position(|window| window == start).unwrap() + start.len();
    der[at..at + 20].to_vec()
}

/// `TimeStampResp` of a status.
pub(crate) fn response(status: u8, token: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&integer(status)]), token])
}
