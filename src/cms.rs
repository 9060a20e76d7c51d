//! SignedData (RFC 5652) as far as RFC 3161 tokens need it.
//!
//! Signer infos are decoded by the `cms` crate; what is hashed or compared byte for byte (content, signed attributes,
//! certificates, names) is cut out of the received bytes.

use der::asn1::ObjectIdentifier;
use der::{Decode, Encode, ErrorKind, Tag};

use cms::content_info::ContentInfo;
use cms::signed_data::{SignerIdentifier, SignerInfo as Decoded};

use crate::limits::Limits;
use crate::pki::{
    Certificate, CertificateError, CertificatePool, Cursor, NamedHash, SerialNumber, SignatureAlgorithm,
    SignatureError, WeakHashes, constructed, named_hash, only,
};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
pub(crate) const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
pub(crate) const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// Signers in one token: each costs a search for a path. Real ones have one.
const MOST_SIGNERS: usize = 8;
/// Signed attributes of one signer. Real ones have four.
const MOST_ATTRIBUTES: usize = 64;

/// Content with its signers and certificates. Nothing is verified yet.
#[derive(Debug, Clone)]
pub struct SignedData {
    /// 3, or 4 or 5 where attribute certificates or other kinds are among the certificates (RFC 5652 §5.1).
    pub version: u32,
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
    /// Reads a ContentInfo with a SignedData of version 3, 4 or 5, with nothing behind it (conformance 9.11, 9.12).
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
        if !(3..=5).contains(&version) {
            return Err(CmsError::Version { what: "SignedData", expected: 3, found: version });
        }
        fields.expect(Tag::Set)?;
        let (content_type, content) = read_content(fields.enter(Tag::Sequence)?)?;
        let certificates = fields.optional(constructed(0))?;
        let certificates = certificates.map(|set| read_certificates(set.value, limits, pool)).transpose()?;
        fields.optional(constructed(1))?;
        let signers = read_signers(fields.enter(Tag::Set)?)?;
        fields.finish()?;
        Ok(Self { version, content_type, content, certificates: certificates.unwrap_or_default(), signers })
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

/// How a signer names its certificate (RFC 5652 §5.3), each in the SignerInfo of the version that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerId {
    /// By its issuer's name, in DER, and its serial number; version 1.
    IssuerAndSerial {
        /// The issuer.
        issuer: Vec<u8>,
        /// The serial number.
        serial: SerialNumber,
    },
    /// By its subjectKeyIdentifier; version 3.
    KeyIdentifier(Vec<u8>),
}

/// One signer.
#[derive(Debug, Clone)]
pub struct Signer {
    id: SignerId,
    digest: NamedHash,
    algorithm: SignatureAlgorithm,
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
        let version = fields.small_integer()?;
        let sid = fields.any()?;
        let digest_algorithm = fields.expect(Tag::Sequence)?;
        let attributes = fields.optional(constructed(0))?.ok_or(CmsError::NoSignedAttributes)?;
        let signature_algorithm = fields.expect(Tag::Sequence)?;
        let (id, expected) = match &decoded.sid {
            SignerIdentifier::IssuerAndSerialNumber(_) => {
                let mut sid = Cursor::new(sid.value)?;
                let issuer = sid.expect(Tag::Sequence)?.raw.to_vec();
                (SignerId::IssuerAndSerial { issuer, serial: SerialNumber::read(&mut sid)? }, 1)
            }
            SignerIdentifier::SubjectKeyIdentifier(key) => (SignerId::KeyIdentifier(key.0.as_bytes().to_vec()), 3),
        };
        if version != expected {
            return Err(CmsError::Version { what: "SignerInfo", expected, found: version });
        }
        let digest = named_hash(&digest_algorithm)?;
        let algorithm = match decoded.signature_algorithm.oid {
            RSA_ENCRYPTION => SignatureAlgorithm::rsa_pkcs1(RSA_ENCRYPTION, digest),
            _ => SignatureAlgorithm::parse(&signature_algorithm)?,
        };
        Ok(Self {
            id,
            digest,
            algorithm,
            signed: retag(attributes.value)?,
            attributes: read_attributes(attributes.value)?,
            signature: decoded.signature.as_bytes().to_vec(),
        })
    }

    /// Whether this signer can be verified at all in the Notary profile.
    ///
    /// # Errors
    /// Named by key identifier, or an algorithm that is not accepted (conformance 9.13, 9.15, 9.19).
    pub fn check_usable(&self) -> Result<(), CmsError> {
        if matches!(self.id, SignerId::KeyIdentifier(_)) {
            return Err(CmsError::SignerIdentifier);
        }
        self.check_digest(WeakHashes::Refused)?;
        self.algorithm.scheme().map_err(|source| CmsError::Signature { source })?;
        Ok(())
    }

    fn check_digest(&self, weak: WeakHashes) -> Result<(), CmsError> {
        let oid = match self.digest {
            digest if digest.is_accepted(weak) => return Ok(()),
            NamedHash::Other(oid) => oid.to_string(),
            NamedHash::Sha1 | NamedHash::Strong(_) => "1.3.14.3.2.26".into(),
        };
        Err(CmsError::DigestAlgorithm { oid })
    }

    /// How it names its certificate.
    pub const fn id(&self) -> &SignerId {
        &self.id
    }

    /// The hash of the content.
    pub const fn digest_algorithm(&self) -> NamedHash {
        self.digest
    }

    /// The signature algorithm, for people.
    pub fn signature_algorithm(&self) -> String {
        self.algorithm.describe()
    }

    /// Whether the signer identifier names this certificate.
    pub fn names(&self, certificate: &Certificate) -> bool {
        match &self.id {
            SignerId::IssuerAndSerial { issuer, serial } => {
                serial == certificate.serial() && issuer == certificate.issuer().der()
            }
            SignerId::KeyIdentifier(wanted) => {
                let key = certificate.extension(SUBJECT_KEY_IDENTIFIER);
                key.and_then(|key| only(&key.value, Tag::OctetString).ok()).is_some_and(|key| key.value == wanted)
            }
        }
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
        self.verify_with(data, certificate, WeakHashes::Refused)
    }

    /// As [`Signer::verify`], whichever way the signer names its certificate, and where SHA-1 may be allowed.
    ///
    /// # Errors
    /// Those of [`Signer::verify`].
    pub fn verify_with(&self, data: &SignedData, certificate: &Certificate, weak: WeakHashes) -> Result<(), CmsError> {
        self.check_digest(weak)?;
        let content_type = self.attribute(CONTENT_TYPE)?;
        if content_type != data.content_type.to_der()? {
            return Err(CmsError::Attribute { oid: CONTENT_TYPE.to_string() });
        }
        let digest = only(self.attribute(MESSAGE_DIGEST)?, Tag::OctetString)?.value;
        if self.digest.digest(&data.content).as_deref() != Some(digest) {
            return Err(CmsError::DigestMismatch);
        }
        let failed = |source| CmsError::Signature { source };
        let key = certificate.public_key();
        match self.algorithm.sha1(weak) {
            Some(scheme) => key.verify_sha1(scheme, &self.signed, &self.signature),
            None => key.verify(self.algorithm.scheme().map_err(failed)?, &self.signed, &self.signature),
        }
        .map_err(failed)
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
