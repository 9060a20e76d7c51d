//! A timestamp authority in the process, for examples and tests. **Not for production**: nobody vouches for its clock,
//! which is an argument.
//!
//! Its tokens are what RFC 3161 §2.4.2 asks for: CMS SignedData of version 3 over a TSTInfo, with one SignerInfo of
//! version 1 and the signed attributes contentType, messageDigest, signingTime and signingCertificateV2 (RFC 5816).

use std::time::Duration;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256};
use der::asn1::{Any, GeneralizedTime, Null, ObjectIdentifier, OctetString, SetOfVec};
use der::{Decode, Encode, Sequence};
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::{Digest as _, Sha256};
use signature::Signer as _;
use spki::{AlgorithmIdentifierOwned, EncodePublicKey as _};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use super::authority::{Authority, AuthorityError, LeafUsage, Request, date_time, serial_number};
use super::key::random_p256;
use super::request::TimestampSource;
use super::timestamp::MessageImprint;
use crate::pki::HashAlgorithm;
use crate::time::UnixTime;

/// RFC 3161 §2.4.2: the content type of a TSTInfo.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// RFC 5035 §3: the attribute signing-certificate-v2.
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
/// The policy of the tokens, under the arc that RFC 5612 keeps for examples.
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.3161");

/// A timestamp authority in memory.
pub struct TimestampAuthority {
    key: SigningKey,
    /// Leaf first, root last.
    chain: Vec<x509_cert::Certificate>,
    accuracy: Option<Duration>,
}

impl TimestampAuthority {
    /// An authority with a new key, certified by `issuer`. Its tokens name `accuracy`, rounded down to whole seconds,
    /// if one is given.
    ///
    /// # Errors
    /// The issuer cannot write the certificate, or the system has no randomness.
    pub fn new(issuer: &Authority, request: &Request<'_>, accuracy: Option<Duration>) -> Result<Self, AuthorityError> {
        let key = random_p256()?;
        let public_key = key.verifying_key().to_public_key_der()?;
        let chain = issuer.leaf(request, LeafUsage::Timestamping, public_key.as_bytes())?;
        let chain = chain.iter().map(|der| x509_cert::Certificate::from_der(der)).collect::<der::Result<_>>()?;
        Ok(Self { key, chain, accuracy })
    }

    /// Its certificates in DER, its own first, the root last.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn chain(&self) -> Result<Vec<Vec<u8>>, AuthorityError> {
        Ok(self.chain.iter().map(Encode::to_der).collect::<der::Result<_>>()?)
    }

    /// A token that says that `digest`, made with `hash`, existed at `time` (whole seconds), in DER.
    ///
    /// # Errors
    /// The digest has another length than the hash, or the time cannot be written.
    pub fn token(&self, hash: HashAlgorithm, digest: &[u8], time: UnixTime) -> Result<Vec<u8>, AuthorityError> {
        if digest.len() != hash.output_len() {
            return Err(AuthorityError::DigestLength { found: digest.len(), expected: hash.output_len() });
        }
        let info = self.info(hash, digest, time)?.to_der()?;
        let signer = self.signer_info(&info, time)?;
        // The root is left out: whoever trusts it has it (conformance 9.23).
        let certificates = self.chain.iter().take(self.chain.len().saturating_sub(1).max(1)).cloned();
        let certificates: Vec<_> = certificates.map(CertificateChoices::Certificate).collect();
        let signed = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![sha256()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TST_INFO,
                econtent: Some(Any::encode_from(&OctetString::new(info)?)?),
            },
            certificates: Some(certificates.try_into()?),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer])?,
        };
        let content = Any::encode_from(&signed)?;
        Ok(ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der()?)
    }

    fn info(&self, hash: HashAlgorithm, digest: &[u8], time: UnixTime) -> Result<TstInfo, AuthorityError> {
        Ok(TstInfo {
            version: 1,
            policy: POLICY,
            message_imprint: MessageImprint {
                // The explicit NULL is what requests carry and what the reference compares (conformance 9.03, 9.09).
                hash_algorithm: AlgorithmIdentifierOwned {
                    oid: hash.oid(),
                    parameters: Some(Any::encode_from(&Null)?),
                },
                hashed_message: OctetString::new(digest)?,
            },
            serial_number: serial_number()?,
            gen_time: GeneralizedTime::from_date_time(date_time(time)?),
            accuracy: self.accuracy.map(|accuracy| Accuracy { seconds: Some(accuracy.as_secs()) }),
        })
    }

    fn signer_info(&self, info: &[u8], time: UnixTime) -> Result<SignerInfo, AuthorityError> {
        let leaf = self.leaf()?;
        let attributes = SetOfVec::try_from(vec![
            attribute(ID_CONTENT_TYPE, &TST_INFO)?,
            attribute(ID_MESSAGE_DIGEST, &OctetString::new(Sha256::digest(info).as_slice())?)?,
            attribute(ID_SIGNING_TIME, &Time::from(date_time(time)?))?,
            attribute(SIGNING_CERTIFICATE_V2, &signing_certificate(leaf)?)?,
        ])?;
        // The signature is over the attributes as a SET OF, not under their tag in SignerInfo (RFC 5652 §5.4).
        let signature: DerSignature = self.key.try_sign(&Attributes::to_der(&attributes)?)?;
        Ok(SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: leaf.tbs_certificate().issuer().clone(),
                serial_number: leaf.tbs_certificate().serial_number().clone(),
            }),
            digest_alg: sha256(),
            signed_attrs: Some(attributes),
            signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
            signature: OctetString::new(signature.as_bytes())?,
            unsigned_attrs: None,
        })
    }

    fn leaf(&self) -> Result<&x509_cert::Certificate, AuthorityError> {
        self.chain.first().ok_or(AuthorityError::Key(super::error::KeyError::NoCertificate))
    }
}

impl std::fmt::Debug for TimestampAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.chain.first().map(|leaf| leaf.tbs_certificate().subject().to_string());
        write!(f, "TimestampAuthority({})", name.unwrap_or_default())
    }
}

/// A timestamp authority whose clock stands still: every token names the same time.
#[derive(Debug)]
pub struct TimestampAt<'a> {
    /// Who stamps.
    pub authority: &'a TimestampAuthority,
    /// The time that it names.
    pub time: UnixTime,
}

impl TimestampSource for TimestampAt<'_> {
    fn timestamp(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(self.authority.token(hash, digest, self.time)?)
    }
}

fn sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None }
}

fn attribute<T: Encode + der::Tagged>(oid: ObjectIdentifier, value: &T) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![Any::from_der(&value.to_der()?)?])? })
}

/// The authority's own certificate, by SHA-256 (the default, so left out) and by issuer and serial number.
fn signing_certificate(leaf: &x509_cert::Certificate) -> der::Result<SigningCertificateV2> {
    let tbs = leaf.tbs_certificate();
    let id = EssCertIdV2 {
        cert_hash: OctetString::new(Sha256::digest(leaf.to_der()?).as_slice())?,
        issuer_serial: IssuerSerial {
            issuer: vec![GeneralName::DirectoryName(tbs.issuer().clone())],
            serial_number: tbs.serial_number().clone(),
        },
    };
    Ok(SigningCertificateV2 { certs: vec![id] })
}

/// ```text
/// TSTInfo ::= SEQUENCE { version INTEGER, policy TSAPolicyId, messageImprint MessageImprint,
///   serialNumber INTEGER, genTime GeneralizedTime, accuracy Accuracy OPTIONAL, … }
/// ```
#[derive(Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint,
    serial_number: SerialNumber,
    gen_time: GeneralizedTime,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
}

/// `Accuracy ::= SEQUENCE { seconds INTEGER OPTIONAL, … }`
#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u64>,
}

/// `SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, … }`
#[derive(Sequence)]
struct SigningCertificateV2 {
    certs: Vec<EssCertIdV2>,
}

/// `ESSCertIDv2 ::= SEQUENCE { hashAlgorithm … DEFAULT sha256, certHash OCTET STRING, issuerSerial IssuerSerial OPTIONAL }`
#[derive(Sequence)]
struct EssCertIdV2 {
    cert_hash: OctetString,
    issuer_serial: IssuerSerial,
}

/// `IssuerSerial ::= SEQUENCE { issuer GeneralNames, serialNumber CertificateSerialNumber }`
#[derive(Sequence)]
struct IssuerSerial {
    issuer: GeneralNames,
    serial_number: SerialNumber,
}
