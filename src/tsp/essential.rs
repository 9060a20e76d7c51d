//! Which certificate a signer says is its own: ESSCertID (RFC 2634 §5.4.1) and ESSCertIDv2 (RFC 5035 §4).

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::cms::{CmsError, Signer};
use crate::pki::{Certificate, Cursor, HashAlgorithm, NamedHash, SerialNumber, Tlv, constructed, named_hash, only};

pub(super) const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
pub(super) const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// Certificates that one attribute may name. Real ones name one, or those of a path.
const MOST_IDS: usize = 64;

/// The two attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EssVersion {
    /// signingCertificate: always SHA-1.
    V1,
    /// signingCertificateV2: any hash.
    V2,
}

/// `ESSCertIDv2 ::= SEQUENCE { hashAlgorithm DEFAULT sha256, certHash OCTET STRING, issuerSerial OPTIONAL }`; ESSCertID is the
/// same without hashAlgorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EssentialId {
    pub(super) hash: NamedHash,
    digest: Vec<u8>,
    named: Option<(Vec<u8>, SerialNumber)>,
}

impl EssentialId {
    /// Whether it names this certificate: hash, and issuer and serial number where they are there. SHA-1 is good enough here:
    /// to exchange the certificate, somebody must find a second one to a given first.
    pub(super) fn is_of(&self, certificate: &Certificate) -> bool {
        self.names(certificate) && self.hash.digest(certificate.der()).as_ref() == Some(&self.digest)
    }

    fn names(&self, certificate: &Certificate) -> bool {
        match &self.named {
            Some((issuer, serial)) => certificate.issuer().der() == issuer && certificate.serial() == serial,
            None => true,
        }
    }
}

/// What an attribute names, if it is there: the first certificate is the signer's. Never empty.
pub(super) fn all(signer: &Signer, version: EssVersion) -> Result<Option<Vec<EssentialId>>, CmsError> {
    let oid = match version {
        EssVersion::V1 => SIGNING_CERTIFICATE,
        EssVersion::V2 => SIGNING_CERTIFICATE_V2,
    };
    let Some(value) = signer.find(oid)? else { return Ok(None) };
    let mut ids = list(value)?;
    let mut found = vec![read(ids.enter(Tag::Sequence)?, version)?];
    while !ids.is_finished() {
        if found.len() >= MOST_IDS {
            return Err(CmsError::TooMany { what: "certificate identifiers", limit: MOST_IDS });
        }
        found.push(read(ids.enter(Tag::Sequence)?, version)?);
    }
    Ok(Some(found))
}

/// The first ESSCertIDv2, which must be there; those behind it are not looked at (conformance 9.16).
pub(super) fn first(signer: &Signer) -> Result<EssentialId, CmsError> {
    let mut ids = list(signer.attribute(SIGNING_CERTIFICATE_V2)?)?;
    Ok(read(ids.enter(Tag::Sequence)?, EssVersion::V2)?)
}

/// `SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, policies OPTIONAL }`
fn list(value: &[u8]) -> der::Result<Cursor<'_>> {
    Cursor::new(only(value, Tag::Sequence)?.value)?.enter(Tag::Sequence)
}

fn read(mut id: Cursor<'_>, version: EssVersion) -> der::Result<EssentialId> {
    let hash = match version {
        EssVersion::V1 => NamedHash::Sha1,
        EssVersion::V2 => match id.optional(Tag::Sequence)? {
            Some(algorithm) => named_hash(&algorithm)?,
            None => NamedHash::Strong(HashAlgorithm::Sha256),
        },
    };
    let digest = id.expect(Tag::OctetString)?.value.to_vec();
    let named = id.optional(Tag::Sequence)?.map(|named| read_issuer_serial(&named)).transpose()?;
    id.finish()?;
    Ok(EssentialId { hash, digest, named })
}

/// `IssuerSerial ::= SEQUENCE { issuer GeneralNames, serialNumber INTEGER }`, where the issuer is one directoryName.
fn read_issuer_serial(named: &Tlv<'_>) -> der::Result<(Vec<u8>, SerialNumber)> {
    let mut fields = Cursor::new(named.value)?;
    let mut names = fields.enter(Tag::Sequence)?;
    let issuer = only(names.expect(constructed(4))?.value, Tag::Sequence)?.raw.to_vec();
    names.finish()?;
    let serial = SerialNumber::read(&mut fields)?;
    fields.finish()?;
    Ok((issuer, serial))
}
