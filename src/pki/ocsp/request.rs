//! Asking about one certificate.

use der::Tag;
use der::asn1::ObjectIdentifier;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;

use crate::pki::algorithm::split;
use crate::pki::tlv::Cursor;
use crate::pki::{Certificate, SerialNumber};

const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// Octets of the longest hash that a CertID may hold.
const MOST_HASH: usize = 64;

/// With which hash a CertID names the issuer. The hash finds a name and a key; no trust rests on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertIdHash {
    /// SHA-1, which every responder knows (RFC 5019 §2.1.1, conformance 10.08).
    Sha1,
    /// SHA-256
    Sha256,
}

impl CertIdHash {
    /// Every hash.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => SHA1,
            Self::Sha256 => SHA256,
        }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
        }
    }
}

/// `CertID ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, issuerNameHash OCTET STRING, issuerKeyHash OCTET STRING,
/// serialNumber INTEGER }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CertId {
    /// `None` for a hash that is not known.
    hash: Option<CertIdHash>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: SerialNumber,
}

impl CertId {
    pub(super) fn new(hash: CertIdHash, certificate: &Certificate, issuer: &Certificate) -> Self {
        Self {
            hash: Some(hash),
            name_hash: hash.digest(certificate.issuer().der()),
            key_hash: hash.digest(issuer.public_key().bits()),
            serial: certificate.serial().clone(),
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> der::Result<Self> {
        let mut fields = cursor.enter(Tag::Sequence)?;
        let (oid, parameters) = split(&fields.expect(Tag::Sequence)?)?;
        let name_hash = fields.expect(Tag::OctetString)?.value;
        let key_hash = fields.expect(Tag::OctetString)?.value;
        let serial = SerialNumber::read(&mut fields)?;
        fields.finish()?;
        if name_hash.len() > MOST_HASH || key_hash.len() > MOST_HASH {
            return Err(Tag::OctetString.length_error().into());
        }
        let plain = parameters.is_none_or(|value| value.tag == Tag::Null && value.value.is_empty());
        let hash = CertIdHash::ALL.into_iter().find(|hash| hash.oid() == oid).filter(|_| plain);
        Ok(Self { hash, name_hash: name_hash.to_vec(), key_hash: key_hash.to_vec(), serial })
    }

    pub(super) const fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// Whether it names `certificate` of `issuer`.
    pub(super) fn names(&self, certificate: &Certificate, issuer: &Certificate) -> bool {
        self.serial == *certificate.serial()
            && self.hash.is_some_and(|hash| *self == Self::new(hash, certificate, issuer))
    }
}

/// A request for the status of one certificate: no nonce, because the answer is to be carried, and no signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspRequest {
    der: Vec<u8>,
}

impl OcspRequest {
    /// Asks about `certificate`, which `issuer` has issued:
    /// `OCSPRequest ::= SEQUENCE { tbsRequest SEQUENCE { requestList SEQUENCE OF SEQUENCE { reqCert CertID } } }`.
    pub fn new(hash: CertIdHash, certificate: &Certificate, issuer: &Certificate) -> Self {
        let id = CertId::new(hash, certificate, issuer);
        let oid = hash.oid();
        let algorithm = tlv(0x30, &[&tlv(0x06, &[oid.as_bytes()]), &[0x05, 0x00]]);
        let hashes = [tlv(0x04, &[&id.name_hash]), tlv(0x04, &[&id.key_hash])].concat();
        let id = tlv(0x30, &[&algorithm, &hashes, &tlv(0x02, &[id.serial.as_bytes()])]);
        // OCSPRequest, TBSRequest, requestList and Request, from the inside out.
        let der = (0..4).fold(id, |inside, _| tlv(0x30, &[&inside]));
        Self { der }
    }

    /// The request as it is sent.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

/// One value of a low tag.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let octets = content.len().to_be_bytes();
    let significant: Vec<u8> = octets.into_iter().skip_while(|octet| *octet == 0).collect();
    let mut der = vec![tag];
    match u8::try_from(content.len()) {
        Ok(length) if length < 0x80 => der.push(length),
        _ => {
            der.push(u8::try_from(significant.len()).unwrap_or(u8::MAX) | 0x80);
            der.extend(significant);
        }
    }
    der.extend(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::tlv::only;

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1_0000] {
            let der = tlv(0x30, &[&vec![7; length]]);
            assert_eq!(only(&der, Tag::Sequence).unwrap().value.len(), length);
        }
    }
}
