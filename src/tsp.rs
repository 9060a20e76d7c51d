//! RFC 3161 timestamp tokens (conformance sections 9c and 5).

mod essential;
mod info;
mod response;
mod stamp;

use der::asn1::ObjectIdentifier;
use der::{ErrorKind, Tag};

pub use self::essential::EssVersion;
use self::essential::EssentialId;
pub use self::info::{StampInfo, TstInfo};
pub(crate) use self::response::ResponseFrame;
pub use self::stamp::{Answer, Stamp, StampSettings, ValidStamp};
use crate::cms::{CmsError, SignedData, Signer};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::hex;
use crate::limits::Limits;
use crate::pki::validation::{PathError, SignatureCheck};
use crate::pki::{
    Certificate, CertificatePool, ChainError, ConformingChain, Cursor, HashAlgorithm, NamedHash, SignatureError,
    TimestampingPaths, ValidityFailure, check_valid_at, parse_time,
};
use crate::time::UnixTime;

const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
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
        if data.version != 3 {
            return Err(CmsError::Version { what: "SignedData", expected: 3, found: data.version }.into());
        }
        if data.content_type != TST_INFO {
            return Err(TimestampError::ContentType { found: data.content_type.to_string() });
        }
        let info = TstInfo::of(StampInfo::parse(&data.content)?)?;
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
        self.verify_counted(message, roots, limits).0
    }

    /// As [`TimestampToken::verify`], and what it cost, whatever came of it: for who has a budget for many tokens.
    pub fn verify_counted(
        &self,
        message: &[u8],
        roots: &[Certificate],
        limits: &Limits,
    ) -> (Result<VerifiedToken, TimestampError>, TokenCost) {
        let mut cost = TokenCost::default();
        let digest = self.info.hash.digest(message);
        let verified = self.verify_imprint(self.info.hash, &digest, roots, limits, &mut cost);
        (verified, cost)
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
        self.verify_imprint(hash, digest, roots, limits, &mut TokenCost::default())
    }

    fn verify_imprint(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
        roots: &[Certificate],
        limits: &Limits,
        cost: &mut TokenCost,
    ) -> Result<VerifiedToken, TimestampError> {
        if hash != self.info.hash || digest != self.info.imprint {
            let (expected, found) = (hex(digest), hex(&self.info.imprint));
            return Err(TimestampError::ImprintMismatch { expected, found });
        }
        let mut paths = TimestampingPaths::new(&self.data.certificates, roots, self.info.gen_time, limits);
        let found = self.first(|signer| {
            cost.signers = cost.signers.saturating_add(1);
            self.verify_signer(signer, roots, &mut paths)
        });
        cost.certificates.extend(paths.checks());
        found
    }

    fn verify_signer(
        &self,
        signer: &Signer,
        roots: &[Certificate],
        paths: &mut TimestampingPaths<'_>,
    ) -> Result<VerifiedToken, TimestampError> {
        let certificate = self.certificate_of(signer)?;
        signer.verify(&self.data, certificate)?;
        let chain = paths.find(certificate).map_err(|source| TimestampError::Chain { source })?;
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
                // The reference cannot read a token with such a signer, whoever else signed it (conformance 9.13).
                Err(error @ TimestampError::Cms { source: CmsError::SignerIdentifier }) => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(failure) if usable.is_empty() => Err(failure),
            _ => Ok(usable),
        }
    }

    /// The first signer for which `check` is content; otherwise the failure that came furthest.
    fn first<'a, T>(
        &'a self,
        mut check: impl FnMut(&'a Signer) -> Result<T, TimestampError>,
    ) -> Result<T, TimestampError> {
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
        let mut found = self.data.certificates.iter().filter(|certificate| signer.names(certificate));
        found.find(|certificate| id.is_of(certificate)).ok_or(TimestampError::SignerCertificateMissing)
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

/// The first ESSCertIDv2, by SHA-2 (conformance 9.16, 9.17).
fn essential(signer: &Signer) -> Result<EssentialId, TimestampError> {
    let id = essential::first(signer)?;
    match id.hash {
        NamedHash::Strong(_) => Ok(id),
        NamedHash::Sha1 | NamedHash::Other(_) => Err(TimestampError::SigningCertificateHash),
    }
}

/// What verifying a token cost, in public-key operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenCost {
    /// Signers of the token whose signatures were checked. They are checked each time.
    pub signers: usize,
    /// The signatures of certificates that were checked on the way to a root. Certificates remember what came of it, so that
    /// the same one costs nothing the next time.
    pub certificates: Vec<SignatureCheck>,
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
    /// Another certificate of the signer's name than the one that was signed over: somebody may have exchanged it.
    #[error("the timestamp identifies another certificate than the signer's as its authority's")]
    OtherSignerCertificate,
    /// The imprint's hash is not accepted.
    #[error("the timestamp's imprint is made with {found}, which is not accepted")]
    ImprintHash {
        /// The hash.
        found: NamedHash,
    },
    /// The token is made with another hash than the digest that is known.
    #[error("the timestamp is of a {found} digest, and the one given is {expected}")]
    OtherHash {
        /// The hash of what is known.
        expected: NamedHash,
        /// The hash in the token.
        found: NamedHash,
    },
    /// An answer without a token.
    #[error("the timestamp authority's answer holds no token: status {}{}{}", .answer.status, comma(&.answer.failure), comma(&.answer.text))]
    NoToken {
        /// What it says instead.
        answer: Answer,
    },
    /// genTime lies outside the validity of the authority's certificate.
    #[error("the time of the timestamp does not fit its authority's certificate: {source}")]
    GenTime {
        /// The certificate and the time.
        source: ValidityFailure,
    },
    /// The authority's path is not valid by RFC 5280, or for timestamping.
    #[error("the timestamp authority's certificate is not accepted: {source}")]
    Path {
        /// Why.
        source: Box<PathError>,
    },
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
            Self::Path { source } if matches!(**source, PathError::NoPath { .. }) => TimestampFailure::Untrusted,
            _ => TimestampFailure::Invalid,
        }
    }
}

impl TimestampError {
    /// The code where the token is judged by itself. As part of a signature's verdict it has a coarser one.
    pub fn own_code(&self) -> DiagnosticCode {
        match self {
            Self::Cms { source: CmsError::IndefiniteLength } => DiagnosticCode::EncodingNotDer,
            Self::Cms { source: CmsError::Malformed { source } } if is_not_der(source) => {
                DiagnosticCode::EncodingNotDer
            }
            Self::Cms { source: CmsError::DigestAlgorithm { .. } }
            | Self::ImprintAlgorithm
            | Self::ImprintHash { .. }
            | Self::SigningCertificateHash => DiagnosticCode::AlgorithmUnsupported,
            Self::Cms { source: CmsError::Signature { source } } if *source != SignatureError::Mismatch => {
                source.code()
            }
            Self::Cms { source: CmsError::Certificate { source } } => source.code(),
            Self::GenTime { .. } => DiagnosticCode::TimestampOutsideValidity,
            Self::TooLarge { .. } => DiagnosticCode::LimitExceeded,
            Self::Path { source } if self.failure() != TimestampFailure::Untrusted => source.code(),
            other => other.code(),
        }
    }

    /// What to do where the token is judged by itself.
    pub fn own_hint(&self) -> Option<String> {
        let hint = match self {
            Self::Path { source } => return source.hint(),
            Self::SignerCertificateMissing => "give the authority's certificate among the untrusted certificates",
            Self::ImprintHash { found: NamedHash::Sha1 } | Self::Cms { source: CmsError::DigestAlgorithm { .. } } => {
                "SHA-1 can be allowed explicitly, for old archives"
            }
            Self::Cms { source: CmsError::Signature { source: SignatureError::WeakAlgorithm { .. } } } => {
                "SHA-1 can be allowed explicitly, for old archives; MD5 cannot"
            }
            Self::OtherHash { .. } => "give the data itself, or its digest by the token's hash",
            Self::ImprintMismatch { .. } => "check that this is the file that was stamped, unchanged",
            _ => return None,
        };
        Some(hint.into())
    }
}

/// What BER may write and DER may not. Of a length that is longer than it need be, the decoder says that the value's length is
/// wrong.
fn is_not_der(error: &der::Error) -> bool {
    match error.kind() {
        ErrorKind::IndefiniteLength | ErrorKind::Noncanonical { .. } | ErrorKind::SetOrdering => true,
        ErrorKind::Length { tag } => tag != Tag::Integer,
        _ => false,
    }
}

fn comma(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", {text}") }
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
                Some("a forgery looks like this too; only if the authority confirms its root certificate by another way, put it into a tsa trust store that the trust policy names".into())
            }
            TimestampFailure::Invalid | TimestampFailure::ImprintMismatch => None,
        }
    }
}
