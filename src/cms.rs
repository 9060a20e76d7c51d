//! SignedData (RFC 5652) as far as RFC 3161 tokens need it.
//!
//! Signer infos are decoded by the `cms` crate; what is hashed or compared byte for byte (content, signed attributes,
//! certificates, names) is cut out of the received bytes.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode, ErrorKind, Tag};

use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignerIdentifier, SignerInfo as Decoded};

use crate::limits::Limits;
use crate::pki::{
    Certificate, CertificateError, CertificatePool, Cursor, HashAlgorithm, SerialNumber, SignatureAlgorithm,
    SignatureError, SignatureScheme, constructed, only, parse_hash,
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(crate) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
pub(crate) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Signers in one token: each costs a search for a path. Real ones have one.
const MOST_SIGNERS: usize = 8;
/// Signed attributes of one signer. Real ones have four.
const MOST_ATTRIBUTES: usize = 64;

/// Content with its signers and certificates. Nothing is verified yet.
#[derive(Debug, Clone)]
pub struct SignedData {
    /// The type of the content.
    pub content_type: ObjectIdentifier,
    /// The content octets, without their OCTET STRING header.
    pub content: Vec<u8>,
    /// The X.509 certificates, in the order received.
    pub certificates: Vec<Certificate>,
    /// The signers, in the order received; at least one.
    pub signers: Vec<Signer>,
}

impl SignedData {
    /// Reads a ContentInfo with a SignedData of version 3, with nothing behind it (conformance 9.11, 9.12).
    ///
    /// # Errors
    /// Not DER (indefinite lengths included), another type or version, detached content, a malformed certificate, or more
    /// certificates or signers than the limits.
    pub fn parse(der: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<Self, CmsError> {
        let info = ContentInfo::from_der(der)?;
        if info.content_type != SIGNED_DATA {
            return Err(CmsError::ContentType { found: info.content_type.to_string() });
        }
        let mut outer = Cursor::new(only(der, Tag::Sequence)?.value)?;
        outer.oid()?;
        let mut fields = Cursor::new(only(outer.expect(constructed(0))?.value, Tag::Sequence)?.value)?;
        outer.finish()?;
        let version = fields.small_integer()?;
        if version != 3 {
            return Err(CmsError::Version { what: "SignedData", expected: 3, found: version });
        }
        fields.expect(Tag::Set)?;
        let (content_type, content) = read_content(fields.enter(Tag::Sequence)?)?;
        let certificates = fields.optional(constructed(0))?;
        let certificates = certificates.map(|set| read_certificates(set.value, limits, pool)).transpose()?;
        fields.optional(constructed(1))?;
        let signers = read_signers(fields.enter(Tag::Set)?)?;
        fields.finish()?;
        Ok(Self { content_type, content, certificates: certificates.unwrap_or_default(), signers })
    }
}

/// `EncapsulatedContentInfo ::= SEQUENCE { eContentType OBJECT IDENTIFIER, eContent [0] EXPLICIT OCTET STRING OPTIONAL }`
fn read_content(mut fields: Cursor<'_>) -> Result<(ObjectIdentifier, Vec<u8>), CmsError> {
    let content_type = fields.oid()?;
    let content = fields.optional(constructed(0))?.ok_or(CmsError::NoContent)?;
    fields.finish()?;
    Ok((content_type, only(content.value, Tag::OctetString)?.value.to_vec()))
}

/// The X.509 certificates of a CertificateSet; other kinds are passed over.
fn read_certificates(set: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<Vec<Certificate>, CmsError> {
    let mut cursor = Cursor::new(set)?;
    let mut found = Vec::new();
    while !cursor.is_finished() {
        let choice = cursor.any()?;
        if found.len() >= limits.certificates {
            return Err(CmsError::TooMany { what: "certificates", limit: limits.certificates });
        }
        if choice.tag == Tag::Sequence {
            found.push(pool.read(choice.raw).map_err(|source| CmsError::Certificate { source })?);
        }
    }
    Ok(found)
}

fn read_signers(mut set: Cursor<'_>) -> Result<Vec<Signer>, CmsError> {
    let mut signers = Vec::new();
    while !set.is_finished() {
        if signers.len() >= MOST_SIGNERS {
            return Err(CmsError::TooMany { what: "signers", limit: MOST_SIGNERS });
        }
        signers.push(Signer::read(set.expect(Tag::Sequence)?.raw)?);
    }
    if signers.is_empty() { Err(CmsError::NoSigner) } else { Ok(signers) }
}

/// One signer.
#[derive(Debug, Clone)]
pub struct Signer {
    /// The version is 1 and the certificate is named by issuer and serial number (conformance 9.13).
    by_issuer: bool,
    issuer: Vec<u8>,
    serial: Option<SerialNumber>,
    digest: Result<HashAlgorithm, ObjectIdentifier>,
    scheme: Result<SignatureScheme, SignatureError>,
    /// The signed attributes, as received but under the tag of a SET OF: what is signed.
    signed: Vec<u8>,
    attributes: Vec<(ObjectIdentifier, Vec<u8>)>,
    signature: Vec<u8>,
}

impl Signer {
    /// ```text
    /// SignerInfo ::= SEQUENCE { version INTEGER, sid SignerIdentifier, digestAlgorithm AlgorithmIdentifier,
    ///     signedAttrs [0] IMPLICIT SET OF Attribute OPTIONAL, signatureAlgorithm AlgorithmIdentifier,
    ///     signature OCTET STRING, unsignedAttrs [1] OPTIONAL }
    /// ```
    fn read(raw: &[u8]) -> Result<Self, CmsError> {
        let decoded = Decoded::from_der(raw)?;
        let mut fields = Cursor::new(only(raw, Tag::Sequence)?.value)?;
        fields.any()?;
        let sid = fields.any()?;
        let digest_algorithm = fields.expect(Tag::Sequence)?;
        let attributes = fields.optional(constructed(0))?.ok_or(CmsError::NoSignedAttributes)?;
        let signature_algorithm = fields.expect(Tag::Sequence)?;
        let named = matches!(decoded.sid, SignerIdentifier::IssuerAndSerialNumber(_));
        let (issuer, serial) = if named {
            let mut sid = Cursor::new(sid.value)?;
            let issuer = sid.expect(Tag::Sequence)?.raw.to_vec();
            (issuer, Some(SerialNumber::read(&mut sid)?))
        } else {
            (Vec::new(), None)
        };
        let digest = parse_hash(&digest_algorithm)?.ok_or(decoded.digest_alg.oid);
        let scheme = match (decoded.signature_algorithm.oid, digest) {
            // The hash of plain rsaEncryption is the digest algorithm's (RFC 3370 §3.2).
            (RSA_ENCRYPTION, Ok(hash)) => Ok(SignatureScheme::RsaPkcs1(hash)),
            _ => SignatureAlgorithm::parse(&signature_algorithm)?.scheme(),
        };
        Ok(Self {
            by_issuer: named && decoded.version == CmsVersion::V1,
            issuer,
            serial,
            digest,
            scheme,
            signed: retag(attributes.value)?,
            attributes: read_attributes(attributes.value)?,
            signature: decoded.signature.as_bytes().to_vec(),
        })
    }

    /// Whether this signer can be verified at all.
    ///
    /// # Errors
    /// Named by key identifier, or an algorithm that is not accepted (conformance 9.13, 9.15, 9.19).
    pub fn check_usable(&self) -> Result<(), CmsError> {
        if !self.by_issuer {
            return Err(CmsError::SignerIdentifier);
        }
        self.digest.map_err(|oid| CmsError::DigestAlgorithm { oid: oid.to_string() })?;
        self.scheme.clone().map_err(|source| CmsError::Signature { source })?;
        Ok(())
    }

    /// Whether the signer identifier names this certificate.
    pub fn names(&self, certificate: &Certificate) -> bool {
        self.serial.as_ref() == Some(certificate.serial()) && self.issuer == certificate.issuer().der()
    }

    /// The DER of the single value of a signed attribute.
    ///
    /// # Errors
    /// The attribute is missing, there twice, or has another number of values than one.
    pub fn attribute(&self, oid: ObjectIdentifier) -> Result<&[u8], CmsError> {
        self.find(oid)?.ok_or_else(|| CmsError::Attribute { oid: oid.to_string() })
    }

    /// Like [`Self::attribute`], but it may be missing.
    pub fn find(&self, oid: ObjectIdentifier) -> Result<Option<&[u8]>, CmsError> {
        let failed = || CmsError::Attribute { oid: oid.to_string() };
        let mut found = self.attributes.iter().filter(|(name, _)| *name == oid);
        let Some((_, values)) = found.next() else { return Ok(None) };
        let mut cursor = Cursor::new(values)?;
        let value = cursor.any().map_err(|_| failed())?;
        if found.next().is_some() || !cursor.is_finished() { Err(failed()) } else { Ok(Some(value.raw)) }
    }

    /// Checks contentType, messageDigest and the signature under the certificate's key (RFC 5652 §5.4, §5.6).
    ///
    /// # Errors
    /// An attribute that is not what the content says, or a signature that does not verify.
    pub fn verify(&self, data: &SignedData, certificate: &Certificate) -> Result<(), CmsError> {
        self.check_usable()?;
        let content_type = self.attribute(CONTENT_TYPE)?;
        if content_type != data.content_type.to_der()? {
            return Err(CmsError::Attribute { oid: CONTENT_TYPE.to_string() });
        }
        let hash = self.digest.map_err(|oid| CmsError::DigestAlgorithm { oid: oid.to_string() })?;
        let digest = only(self.attribute(MESSAGE_DIGEST)?, Tag::OctetString)?.value;
        if digest != hash.digest(&data.content) {
            return Err(CmsError::DigestMismatch);
        }
        let failed = |source| CmsError::Signature { source };
        let scheme = self.scheme.clone().map_err(failed)?;
        certificate.public_key().verify(scheme, &self.signed, &self.signature).map_err(failed)
    }
}

/// The attributes under the tag of a SET OF, with the length as it must be.
fn retag(content: &[u8]) -> der::Result<Vec<u8>> {
    der::asn1::AnyRef::new(Tag::Set, content)?.to_der()
}

/// The attributes with the inside of their value sets. DER sorts a SET OF, and what is not sorted is refused: others would
/// sort it before they hash it.
fn read_attributes(content: &[u8]) -> Result<Vec<(ObjectIdentifier, Vec<u8>)>, CmsError> {
    let mut cursor = Cursor::new(content)?;
    let mut found = Vec::new();
    let mut last: &[u8] = &[];
    while !cursor.is_finished() {
        if found.len() >= MOST_ATTRIBUTES {
            return Err(CmsError::TooMany { what: "signed attributes", limit: MOST_ATTRIBUTES });
        }
        let attribute = cursor.expect(Tag::Sequence)?;
        if attribute.raw < last {
            return Err(der::Error::from(ErrorKind::SetOrdering).into());
        }
        last = attribute.raw;
        let mut fields = Cursor::new(attribute.value)?;
        let oid = fields.oid()?;
        let values = fields.expect(Tag::Set)?.value.to_vec();
        fields.finish()?;
        found.push((oid, values));
    }
    Ok(found)
}

/// Why a SignedData is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CmsError {
    /// Not DER, or not a SignedData.
    #[error("not a SignedData in DER: {source}")]
    Malformed {
        /// What the decoder met.
        source: der::Error,
    },
    /// BER with indefinite lengths.
    #[error("it is BER with an indefinite length; only DER is accepted")]
    IndefiniteLength,
    /// Not a SignedData.
    #[error("the content type is {found}, not SignedData")]
    ContentType {
        /// The type.
        found: String,
    },
    /// Another version.
    #[error("{what} is of version {found}, not {expected}")]
    Version {
        /// Of what.
        what: &'static str,
        /// The version wanted.
        expected: u32,
        /// The version found.
        found: u32,
    },
    /// The content is not inside.
    #[error("the signed content is missing")]
    NoContent,
    /// Nobody signed.
    #[error("there is no signer")]
    NoSigner,
    /// The content is signed without attributes.
    #[error("a signer has no signed attributes")]
    NoSignedAttributes,
    /// More than the limit.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A certificate inside is malformed.
    #[error("a certificate inside: {source}")]
    Certificate {
        /// What is wrong with it.
        source: CertificateError,
    },
    /// The signer is not named by issuer and serial number in a SignerInfo of version 1.
    #[error("the signer is not named by issuer and serial number (SignerInfo version 1)")]
    SignerIdentifier,
    /// SHA-1 or an unknown digest.
    #[error("the digest algorithm {oid} is not accepted")]
    DigestAlgorithm {
        /// Its object identifier.
        oid: String,
    },
    /// A signed attribute is missing, repeated or wrong.
    #[error("the signed attribute {oid} is missing, repeated or wrong")]
    Attribute {
        /// Its object identifier.
        oid: String,
    },
    /// The content is not the one that was signed.
    #[error("the signed digest is not that of the content")]
    DigestMismatch,
    /// The signature is not accepted.
    #[error("{source}")]
    Signature {
        /// Why.
        source: SignatureError,
    },
}

impl From<der::Error> for CmsError {
    fn from(source: der::Error) -> Self {
        match source.kind() {
            ErrorKind::IndefiniteLength => Self::IndefiniteLength,
            _ => Self::Malformed { source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_must_be_sorted_and_single() {
        // SEQUENCE { OID 1.2.3 / 1.2.4, SET { NULL } }
        let attribute = |last: u8| vec![0x30, 8, 6, 2, 0x2a, last, 0x31, 2, 5, 0];
        let (a, b) = (attribute(3), attribute(4));
        assert_eq!(read_attributes(&[a.clone(), b.clone()].concat()).unwrap().len(), 2);
        let unsorted = read_attributes(&[b, a.clone()].concat()).unwrap_err();
        assert!(matches!(unsorted, CmsError::Malformed { source } if source.kind() == ErrorKind::SetOrdering));
        let many: Vec<u8> = std::iter::repeat_n(a, 65).flatten().collect();
        assert!(matches!(read_attributes(&many), Err(CmsError::TooMany { .. })));
    }

    #[test]
    fn the_tag_of_a_set_replaces_the_context_tag_at_any_length() {
        assert_eq!(retag(&[5, 0]).unwrap(), [0x31, 2, 5, 0]);
        let long = retag(&[0; 300]).unwrap();
        assert_eq!(long.get(..4), Some(&[0x31, 0x82, 1, 44][..]));
        assert_eq!(long.len(), 304);
    }
}
