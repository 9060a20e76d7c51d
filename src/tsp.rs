//! RFC 3161 timestamp tokens (conformance sections 9c and 5).

use std::time::Duration;

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::cms::{CmsError, SignedData, Signer};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::hex;
use crate::limits::Limits;
use crate::pki::{
    Certificate, CertificatePool, ChainError, ConformingChain, Cursor, HashAlgorithm, SerialNumber, Tlv,
    ValidityFailure, build_timestamping_chain, check_valid_at, constructed, first_critical, only, parse_generalized,
    parse_hash, parse_time, primitive, to_u32,
};
use crate::time::UnixTime;

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");
/// ETSI's baseline timestamp policy, whose accuracy is a second where none is given (conformance 9.26).
const ETSI_BASELINE: &str = "0.4.0.2023.1.1";

/// A token whose form is right; nothing about its signature is known yet.
#[derive(Debug, Clone)]
pub struct TimestampToken {
    der: Vec<u8>,
    data: SignedData,
    info: TstInfo,
}

impl TimestampToken {
    /// Reads a token (a CMS ContentInfo), with nothing behind it.
    ///
    /// # Errors
    /// Not strict DER, not a SignedData of a TSTInfo, a hash other than SHA-256/384/512, or no signer that could be verified.
    pub fn parse(der: &[u8], limits: &Limits) -> Result<Self, TimestampError> {
        Self::read(der, limits, &CertificatePool::default())
    }

    /// As [`TimestampToken::parse`], with certificates that other tokens bring too from `pool`.
    ///
    /// # Errors
    /// Those of [`TimestampToken::parse`].
    pub fn read(der: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<Self, TimestampError> {
        let size = u64::try_from(der.len()).unwrap_or(u64::MAX);
        if size > limits.envelope_bytes {
            return Err(TimestampError::TooLarge { size, limit: limits.envelope_bytes });
        }
        let data = SignedData::parse(der, limits, pool)?;
        if data.content_type != TST_INFO {
            return Err(TimestampError::ContentType { found: data.content_type.to_string() });
        }
        let info = TstInfo::parse(&data.content)?;
        let token = Self { der: der.to_vec(), data, info };
        token.usable_signers()?;
        Ok(token)
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What the authority signed.
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// The certificates in the token, in its order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.data.certificates
    }

    /// The authority's certificate by ESSCertIDv2 (conformance 9.16 to 9.18), of the first usable signer.
    ///
    /// # Errors
    /// No signer names its certificate, or the certificate is not in the token.
    pub fn signer(&self) -> Result<&Certificate, TimestampError> {
        self.first(|signer| self.certificate_of(signer))
    }

    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        self.info.earliest()
    }

    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        self.info.latest()
    }

    /// Checks that the token is of `message`, its signature, and the authority's path to one of `roots` at genTime. Of several
    /// signers the first good one counts (conformance 9.14).
    ///
    /// # Errors
    /// [`TimestampError::failure`] says which of the three it was.
    pub fn verify(
        &self,
        message: &[u8],
        roots: &[Certificate],
        limits: &Limits,
    ) -> Result<VerifiedToken, TimestampError> {
        self.verify_digest(self.info.hash, &self.info.hash.digest(message), roots, limits)
    }

    /// As [`TimestampToken::verify`], for who has only the digest of the message.
    ///
    /// # Errors
    /// As there; and where the token was made with another hash.
    pub fn verify_digest(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
        roots: &[Certificate],
        limits: &Limits,
    ) -> Result<VerifiedToken, TimestampError> {
        if hash != self.info.hash || digest != self.info.imprint {
            let (expected, found) = (hex(digest), hex(&self.info.imprint));
            return Err(TimestampError::ImprintMismatch { expected, found });
        }
        self.first(|signer| self.verify_signer(signer, roots, limits))
    }

    fn verify_signer(
        &self,
        signer: &Signer,
        roots: &[Certificate],
        limits: &Limits,
    ) -> Result<VerifiedToken, TimestampError> {
        let certificate = self.certificate_of(signer)?;
        signer.verify(&self.data, certificate)?;
        let at = self.info.gen_time;
        let chain = build_timestamping_chain(certificate, &self.data.certificates, roots, at, limits)
            .map_err(|source| TimestampError::Chain { source })?;
        check_signing_time(signer, &chain)?;
        let anchor = chain.verify_anchor(roots).map_err(|source| TimestampError::Chain { source })?.anchor().clone();
        Ok(VerifiedToken { info: self.info.clone(), chain, anchor })
    }

    fn usable_signers(&self) -> Result<Vec<&Signer>, TimestampError> {
        let mut usable = Vec::new();
        let mut failure = None;
        for signer in &self.data.signers {
            let checked = signer.check_usable().map_err(TimestampError::from).and_then(|()| essential(signer));
            match checked {
                Ok(_) => usable.push(signer),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(failure) if usable.is_empty() => Err(failure),
            _ => Ok(usable),
        }
    }

    /// The first signer for which `check` is content; otherwise the failure that came furthest.
    fn first<'a, T>(&'a self, check: impl Fn(&'a Signer) -> Result<T, TimestampError>) -> Result<T, TimestampError> {
        let mut failure: Option<TimestampError> = None;
        for signer in self.usable_signers()? {
            match check(signer) {
                Ok(found) => return Ok(found),
                Err(error) => match failure {
                    Some(TimestampError::Chain { .. }) => {}
                    Some(_) if !matches!(error, TimestampError::Chain { .. }) => {}
                    _ => failure = Some(error),
                },
            }
        }
        Err(failure.unwrap_or(TimestampError::Cms { source: CmsError::NoSigner }))
    }

    /// 9.17 and 9.18: the certificate that ESSCertIDv2 hashes and that it, or the signer identifier, names.
    fn certificate_of(&self, signer: &Signer) -> Result<&Certificate, TimestampError> {
        let id = essential(signer)?;
        let named = |certificate: &&Certificate| match &id.named {
            Some((issuer, serial)) => certificate.issuer().der() == issuer && certificate.serial() == serial,
            None => true,
        };
        let mut found = self.data.certificates.iter().filter(|certificate| signer.names(certificate)).filter(named);
        found
            .find(|certificate| id.hash.digest(certificate.der()) == id.digest)
            .ok_or(TimestampError::SignerCertificateMissing)
    }
}

/// 9.21: a CMS signingTime, if there is one, lies within the validity of the whole chain.
fn check_signing_time(signer: &Signer, chain: &ConformingChain) -> Result<(), TimestampError> {
    let Some(value) = signer.find(SIGNING_TIME)? else { return Ok(()) };
    let mut cursor = Cursor::new(value).map_err(CmsError::from)?;
    let time = cursor.any().and_then(|value| parse_time(&value)).map_err(CmsError::from)?;
    for certificate in chain.certificates() {
        check_valid_at(certificate, time).map_err(|source| TimestampError::SigningTime { source })?;
    }
    Ok(())
}

/// `ESSCertIDv2 ::= SEQUENCE { hashAlgorithm DEFAULT sha256, certHash OCTET STRING, issuerSerial OPTIONAL }`
struct EssentialId {
    hash: HashAlgorithm,
    digest: Vec<u8>,
    named: Option<(Vec<u8>, SerialNumber)>,
}

/// The first ESSCertIDv2 of `SigningCertificateV2 ::= SEQUENCE { certs SEQUENCE OF ESSCertIDv2, policies OPTIONAL }`.
fn essential(signer: &Signer) -> Result<EssentialId, TimestampError> {
    let value = signer.attribute(SIGNING_CERTIFICATE_V2)?;
    read_essential(value)?.ok_or(TimestampError::SigningCertificateHash)
}

/// `None` where the hash is not accepted.
fn read_essential(value: &[u8]) -> Result<Option<EssentialId>, CmsError> {
    let mut fields = Cursor::new(only(value, Tag::Sequence)?.value)?;
    let mut certs = fields.enter(Tag::Sequence)?;
    let mut id = certs.enter(Tag::Sequence)?;
    let hash = match id.optional(Tag::Sequence)? {
        Some(algorithm) => parse_hash(&algorithm)?,
        None => Some(HashAlgorithm::Sha256),
    };
    let digest = id.expect(Tag::OctetString)?.value.to_vec();
    let named = id.optional(Tag::Sequence)?.map(|named| read_issuer_serial(&named)).transpose()?;
    id.finish()?;
    Ok(hash.map(|hash| EssentialId { hash, digest, named }))
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

/// What a timestamp authority signs (RFC 3161 §2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TstInfo {
    /// When the authority saw the imprint.
    pub gen_time: UnixTime,
    /// How far off genTime may be, both ways (conformance 9.26).
    pub accuracy: Duration,
    /// The authority's policy, in dotted form.
    pub policy: String,
    /// The token's serial number.
    pub serial: SerialNumber,
    /// The hash of the imprint.
    pub hash: HashAlgorithm,
    /// The hash of what was stamped.
    pub imprint: Vec<u8>,
    /// The whole MessageImprint as the authority wrote it, in DER: an answer is compared with its question byte by byte
    /// (conformance 9.09).
    pub imprint_der: Vec<u8>,
    /// The octets of the nonce, where there is one.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        self.gen_time.saturating_sub(self.accuracy)
    }

    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        self.gen_time.saturating_add(self.accuracy)
    }

    /// ```text
    /// TSTInfo ::= SEQUENCE { version INTEGER (1), policy OBJECT IDENTIFIER,
    ///     messageImprint SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING },
    ///     serialNumber INTEGER, genTime GeneralizedTime, accuracy Accuracy OPTIONAL, ordering BOOLEAN DEFAULT FALSE,
    ///     nonce INTEGER OPTIONAL, tsa [0] GeneralName OPTIONAL, extensions [1] IMPLICIT Extensions OPTIONAL }
    /// ```
    fn parse(content: &[u8]) -> Result<Self, TimestampError> {
        let mut fields = Cursor::new(only(content, Tag::Sequence)?.value)?;
        let version = fields.small_integer()?;
        if version != 1 {
            return Err(CmsError::Version { what: "TSTInfo", expected: 1, found: version }.into());
        }
        let policy = fields.oid()?.to_string();
        let whole = fields.expect(Tag::Sequence)?;
        let (hash, imprint) = read_imprint(Cursor::new(whole.value)?)?;
        let serial = SerialNumber::read(&mut fields)?;
        let gen_time = parse_generalized(&fields.any()?)?;
        let accuracy = fields.optional(Tag::Sequence)?.map(|field| read_accuracy(field.value)).transpose()?;
        fields.optional(Tag::Boolean)?;
        let nonce = fields.optional(Tag::Integer)?.map(|nonce| nonce.value.to_vec());
        fields.optional(constructed(0))?;
        if let Some(extensions) = fields.optional(constructed(1))?
            && let Some(extension) = first_critical(extensions.value)?
        {
            return Err(TimestampError::CriticalExtension { extension });
        }
        fields.finish()?;
        let accuracy = match accuracy.filter(|given| !given.is_zero()) {
            Some(given) => given,
            None if policy == ETSI_BASELINE => Duration::from_secs(1),
            None => Duration::ZERO,
        };
        Ok(Self { gen_time, accuracy, policy, serial, hash, imprint, imprint_der: whole.raw.to_vec(), nonce })
    }
}

fn read_imprint(mut fields: Cursor<'_>) -> Result<(HashAlgorithm, Vec<u8>), TimestampError> {
    let algorithm = fields.expect(Tag::Sequence)?;
    let imprint = fields.expect(Tag::OctetString)?.value.to_vec();
    fields.finish()?;
    let hash = parse_hash(&algorithm)?.ok_or(TimestampError::ImprintAlgorithm)?;
    Ok((hash, imprint))
}

/// `Accuracy ::= SEQUENCE { seconds INTEGER OPTIONAL, millis [0] INTEGER OPTIONAL, micros [1] INTEGER OPTIONAL }`
fn read_accuracy(content: &[u8]) -> der::Result<Duration> {
    let mut fields = Cursor::new(content)?;
    let mut part = |tag| {
        let value = fields.optional(tag)?.map(|part| to_u32(part.value).ok_or(Tag::Integer.value_error()));
        Ok::<_, der::Error>(u64::from(value.transpose()?.unwrap_or(0)))
    };
    let (seconds, millis, micros) = (part(Tag::Integer)?, part(primitive(0))?, part(primitive(1))?);
    fields.finish()?;
    let sum = Duration::from_secs(seconds).saturating_add(Duration::from_millis(millis));
    Ok(sum.saturating_add(Duration::from_micros(micros)))
}

/// A token that verified for a message and leads to a trusted authority.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    info: TstInfo,
    chain: ConformingChain,
    anchor: Certificate,
}

impl VerifiedToken {
    /// genTime less the accuracy.
    pub fn earliest(&self) -> UnixTime {
        self.info.earliest()
    }

    /// genTime plus the accuracy.
    pub fn latest(&self) -> UnixTime {
        self.info.latest()
    }

    /// When the authority saw the imprint.
    pub fn gen_time(&self) -> UnixTime {
        self.info.gen_time
    }

    /// What the authority signed.
    pub fn info(&self) -> &TstInfo {
        &self.info
    }

    /// The authority's chain, up to the anchor.
    pub fn chain(&self) -> &ConformingChain {
        &self.chain
    }

    /// The root that is trusted.
    pub fn anchor(&self) -> &Certificate {
        &self.anchor
    }
}

/// Which way a timestamp failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampFailure {
    /// The token is malformed, breaks a rule or its signature is wrong.
    Invalid,
    /// The token is of another message.
    ImprintMismatch,
    /// The authority does not lead to a trusted root.
    Untrusted,
}

/// Why a timestamp token is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// The frame around the token is malformed, or its signature is wrong.
    #[error("the timestamp token is not valid: {source}")]
    Cms {
        /// What is wrong.
        source: CmsError,
    },
    /// More octets than the limit for the envelope that holds it.
    #[error("{size} bytes of timestamp token are more than the limit of {limit}")]
    TooLarge {
        /// The size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The content is no TSTInfo.
    #[error("the timestamp token holds content of type {found}, not TSTInfo")]
    ContentType {
        /// The type.
        found: String,
    },
    /// An unknown critical extension in the TSTInfo.
    #[error("the timestamp token has the critical extension {extension}, which is not supported")]
    CriticalExtension {
        /// Its object identifier.
        extension: String,
    },
    /// The imprint is made with SHA-1 or an unknown hash.
    #[error("the timestamp's imprint is made with a hash other than SHA-256, SHA-384 and SHA-512")]
    ImprintAlgorithm,
    /// The token is of another message.
    #[error("the timestamp is of something else: its imprint is {found}, not {expected}")]
    ImprintMismatch {
        /// The hash of the message, in hexadecimal.
        expected: String,
        /// The imprint, in hexadecimal.
        found: String,
    },
    /// The signing certificate is identified by SHA-1 or an unknown hash.
    #[error("the timestamp identifies its authority's certificate by a hash other than SHA-256, SHA-384 and SHA-512")]
    SigningCertificateHash,
    /// The certificate that made the signature is not in the token.
    #[error("the timestamp authority's certificate is not in the token")]
    SignerCertificateMissing,
    /// The time at which the authority says it signed lies outside its certificates' validity.
    #[error("the authority's signing time does not fit its certificates: {source}")]
    SigningTime {
        /// Which certificate and when.
        source: ValidityFailure,
    },
    /// The authority's chain does not hold, or is not trusted.
    #[error("the timestamp authority's certificate chain is not accepted: {source}")]
    Chain {
        /// Why.
        source: ChainError,
    },
}

impl TimestampError {
    /// Invalid, of another message, or untrusted.
    pub fn failure(&self) -> TimestampFailure {
        match self {
            Self::ImprintMismatch { .. } => TimestampFailure::ImprintMismatch,
            Self::Chain { source } if source.is_untrusted() => TimestampFailure::Untrusted,
            _ => TimestampFailure::Invalid,
        }
    }
}

impl From<CmsError> for TimestampError {
    fn from(source: CmsError) -> Self {
        Self::Cms { source }
    }
}

impl From<der::Error> for TimestampError {
    fn from(source: der::Error) -> Self {
        Self::Cms { source: source.into() }
    }
}

impl Diagnostic for TimestampError {
    fn code(&self) -> DiagnosticCode {
        match self.failure() {
            TimestampFailure::Invalid | TimestampFailure::ImprintMismatch => DiagnosticCode::TimestampInvalid,
            TimestampFailure::Untrusted => DiagnosticCode::TimestampUntrusted,
        }
    }

    fn hint(&self) -> Option<String> {
        match self.failure() {
            TimestampFailure::Untrusted => {
                Some("put the authority's root certificate into a tsa trust store that the trust policy names".into())
            }
            TimestampFailure::Invalid | TimestampFailure::ImprintMismatch => None,
        }
    }
}
