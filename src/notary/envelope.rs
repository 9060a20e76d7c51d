//! Signature envelopes, whatever their format (Notary signature-specification, "Signature Envelope").

use super::{
    AttributeError, CborError, Payload, PayloadError, PluginDemand, SignatureAlgorithm, SignedAttributes,
    SigningScheme, cose, jws,
};
use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::json::JsonError;
use crate::limits::Limits;
use crate::oci::MediaType;
use crate::pki::{
    CertificateChain, CertificateError, CertificatePool, ChainError, ConformingChain, Profile, PublicKey,
    SignatureError,
};

/// The formats of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnvelopeType {
    /// Flattened JWS JSON, `application/jose+json`.
    Jws,
    /// COSE_Sign1, `application/cose`.
    Cose,
}

impl EnvelopeType {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose+json",
            Self::Cose => "application/cose",
        }
    }

    /// The format of that media type.
    pub fn from_media_type(media_type: &MediaType) -> Option<Self> {
        [Self::Jws, Self::Cose].into_iter().find(|kind| media_type == kind.media_type())
    }
}

/// What every format of an envelope comes down to.
#[derive(Debug, Clone)]
pub(super) struct EnvelopeParts {
    /// The bytes that were signed, exactly as received.
    pub(super) signing_input: Vec<u8>,
    /// The primitive signature value.
    pub(super) signature: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) attributes: SignedAttributes,
    pub(super) chain: CertificateChain,
    pub(super) timestamp: Option<Vec<u8>>,
    pub(super) signing_agent: Option<String>,
}

/// An envelope of which nothing was verified: everything that it gives away is a claim.
#[derive(Debug, Clone)]
pub struct SignatureEnvelope {
    kind: EnvelopeType,
    parts: EnvelopeParts,
}

impl SignatureEnvelope {
    /// Reads an envelope of the type that the signature manifest's layer names.
    ///
    /// # Errors
    /// Too large, of an unsupported type, or malformed.
    pub fn parse(media_type: &MediaType, bytes: &[u8], limits: &Limits) -> Result<Self, EnvelopeError> {
        Self::read(media_type, bytes, limits, &CertificatePool::default())
    }

    /// As [`SignatureEnvelope::parse`], with certificates that other envelopes bring too from `pool`.
    ///
    /// # Errors
    /// Those of [`SignatureEnvelope::parse`].
    pub fn read(
        media_type: &MediaType,
        bytes: &[u8],
        limits: &Limits,
        pool: &CertificatePool,
    ) -> Result<Self, EnvelopeError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > limits.envelope_bytes {
            return Err(EnvelopeError::TooLarge { size, limit: limits.envelope_bytes });
        }
        match EnvelopeType::from_media_type(media_type) {
            Some(kind @ EnvelopeType::Jws) => Ok(Self { kind, parts: jws::parse(bytes, limits, pool)? }),
            Some(kind @ EnvelopeType::Cose) => Ok(Self { kind, parts: cose::parse(bytes, limits, pool)? }),
            None => Err(EnvelopeError::TypeUnknown { media_type: shorten(media_type.as_str()) }),
        }
    }

    /// The format.
    pub const fn envelope_type(&self) -> EnvelopeType {
        self.kind
    }

    /// The certificates that the envelope carries, leaf first.
    pub const fn certificates(&self) -> &CertificateChain {
        &self.parts.chain
    }

    /// The signed attributes, as claimed.
    pub const fn claims(&self) -> &SignedAttributes {
        &self.parts.attributes
    }

    /// The algorithm, as claimed.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.parts.algorithm
    }

    /// The payload, as claimed.
    ///
    /// # Errors
    /// Not a payload.
    pub fn claimed_payload(&self) -> Result<Payload, PayloadError> {
        Payload::parse(&self.parts.payload)
    }

    /// The primitive signature value: what a timestamp is made over.
    pub fn signature(&self) -> &[u8] {
        &self.parts.signature
    }

    /// The RFC 3161 token (DER), which only the scheme `notary.x509` knows (conformance 2.21).
    pub fn timestamp(&self) -> Option<&[u8]> {
        match self.parts.attributes.scheme {
            SigningScheme::X509 => self.parts.timestamp.as_deref(),
            SigningScheme::SigningAuthority => None,
        }
    }

    /// What made the signature, by its own unsigned word.
    pub fn signing_agent(&self) -> Option<&str> {
        self.parts.signing_agent.as_deref()
    }

    /// Checks everything about the envelope that needs no trust and no clock (conformance 8.07): the signature under the
    /// leaf's key, the algorithm that the key prescribes, the rules of the attributes, and those of the chain.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify(&self) -> Result<AuthenticEnvelope, EnvelopeError> {
        self.authentic(SignedAttributes::inspect).map(|(envelope, ())| envelope)
    }

    /// As [`SignatureEnvelope::verify`], for a verifier that can ask plugins: an envelope that demands one is genuine, and
    /// yet nobody may rely on it before the plugin has spoken (conformance 2.19).
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify_with_plugins(&self) -> Result<Authenticated, EnvelopeError> {
        let (envelope, demand) = self.authentic(SignedAttributes::inspect_demand)?;
        Ok(match demand {
            None => Authenticated::Alone(envelope),
            Some(demand) => Authenticated::WithPlugin(envelope, demand),
        })
    }

    fn authentic<T>(
        &self,
        inspect: impl FnOnce(&SignedAttributes) -> Result<T, AttributeError>,
    ) -> Result<(AuthenticEnvelope, T), EnvelopeError> {
        let EnvelopeParts { algorithm, attributes, chain, .. } = &self.parts;
        verify_signature(chain.leaf().public_key(), *algorithm, &self.parts)?;
        let inspected = inspect(attributes)?;
        let payload = self.claimed_payload()?;
        let chain = chain.clone().inspect(Profile::CodeSigning)?;
        Ok((AuthenticEnvelope { envelope: self.clone(), payload, chain }, inspected))
    }

    /// The payload's bytes, as claimed.
    pub(crate) fn payload_bytes(&self) -> &[u8] {
        &self.parts.payload
    }
}

/// The key alone decides the algorithm (conformance 5.01); a header that says otherwise is never followed (3.07).
fn verify_signature(key: &PublicKey, claimed: SignatureAlgorithm, parts: &EnvelopeParts) -> Result<(), EnvelopeError> {
    let kind = key.kind().ok_or_else(|| EnvelopeError::KeyUnsupported { key: key.describe() })?;
    let prescribed = SignatureAlgorithm::of_key(kind);
    if claimed != prescribed {
        return Err(EnvelopeError::AlgorithmMismatch { claimed, prescribed, key: key.describe() });
    }
    key.verify(prescribed.scheme(), &parts.signing_input, &parts.signature)
        .map_err(|source| EnvelopeError::Signature { source })
}

/// An envelope whose signature is genuine under its own leaf certificate and whose every rule is kept. Whether anybody
/// trusts that certificate, and at what time, is not decided yet. Only [`SignatureEnvelope::verify`] makes one.
#[derive(Debug, Clone)]
pub struct AuthenticEnvelope {
    envelope: SignatureEnvelope,
    payload: Payload,
    chain: ConformingChain,
}

impl AuthenticEnvelope {
    /// What was signed.
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The signed attributes.
    pub const fn attributes(&self) -> &SignedAttributes {
        self.envelope.claims()
    }

    /// The signing chain.
    pub const fn chain(&self) -> &ConformingChain {
        &self.chain
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.envelope.algorithm()
    }

    /// The primitive signature value: what a timestamp is made over.
    pub fn signature(&self) -> &[u8] {
        self.envelope.signature()
    }

    /// The RFC 3161 token (DER). It is not covered by the signature and proves nothing before it is verified.
    pub fn timestamp(&self) -> Option<&[u8]> {
        self.envelope.timestamp()
    }

    /// What made the signature, by its own unsigned word.
    pub fn signing_agent(&self) -> Option<&str> {
        self.envelope.signing_agent()
    }
}

/// A genuine envelope, and who else must be asked.
#[derive(Debug, Clone)]
pub enum Authenticated {
    /// Nobody else.
    Alone(AuthenticEnvelope),
    /// The plugin that its signer demands.
    WithPlugin(AuthenticEnvelope, PluginDemand),
}

impl Authenticated {
    /// The envelope, for checks that come before any plugin is asked.
    pub const fn envelope(&self) -> &AuthenticEnvelope {
        match self {
            Self::Alone(envelope) | Self::WithPlugin(envelope, _) => envelope,
        }
    }
}

/// Why an envelope is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Larger than any honest one.
    #[error("the signature envelope has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// No envelope type of the Notary Project.
    #[error("{media_type:?} is no type of a Notary Project signature envelope")]
    TypeUnknown {
        /// The media type of the signature manifest's layer.
        media_type: String,
    },
    /// JSON that is not that of an envelope.
    // The decoder quotes names out of the document, at any length and with any character.
    #[error("the {part} is malformed: {}", shorten(&.source.to_string()))]
    Json {
        /// Which part of the envelope.
        part: &'static str,
        /// What is wrong.
        #[source]
        source: JsonError,
    },
    /// CBOR that is not that of an envelope.
    #[error("the {part} is malformed: {source}")]
    Cbor {
        /// Which part of the envelope.
        part: &'static str,
        /// What is wrong.
        #[source]
        source: CborError,
    },
    /// A member of the envelope breaks the format.
    #[error("the envelope's {member:?} {problem}")]
    Member {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A protected member that differs from a known one in case only.
    #[error("the envelope has a protected member {name:?}, which some take for {known:?}")]
    Lookalike {
        /// The member.
        name: String,
        /// What it looks like.
        known: &'static str,
    },
    /// An algorithm that no signature may use.
    #[error("the signature algorithm {algorithm:?} is not allowed")]
    AlgorithmUnsupported {
        /// What the envelope names.
        algorithm: String,
    },
    /// A key with which no signature may be made.
    #[error("a key of the kind {key} cannot make a Notary Project signature")]
    KeyUnsupported {
        /// The leaf's key.
        key: String,
    },
    /// Not the algorithm that belongs to the key.
    #[error("the envelope says {claimed}, but the signer's key ({key}) signs with {prescribed} only")]
    AlgorithmMismatch {
        /// What the envelope says.
        claimed: SignatureAlgorithm,
        /// What the key prescribes.
        prescribed: SignatureAlgorithm,
        /// The leaf's key.
        key: String,
    },
    /// A signing scheme that nobody has defined.
    #[error("the signing scheme {scheme:?} is not supported")]
    SchemeUnsupported {
        /// What the envelope names.
        scheme: String,
    },
    /// The signed attributes break a rule.
    #[error(transparent)]
    Attributes(#[from] AttributeError),
    /// A certificate cannot be read.
    #[error("certificate {position} of the envelope: {source}")]
    Certificate {
        /// Its place, the leaf being 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: CertificateError,
    },
    /// The chain breaks a rule.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The signature value is wrong.
    #[error("the envelope was altered, or another key signed it: {source}")]
    Signature {
        /// What is wrong.
        #[source]
        source: SignatureError,
    },
    /// The payload is not one.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl Diagnostic for EnvelopeError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::TooLarge { .. } => DiagnosticCode::EnvelopeTooLarge,
            Self::TypeUnknown { .. } => DiagnosticCode::EnvelopeUnsupported,
            Self::Json { .. } | Self::Cbor { .. } | Self::Member { .. } | Self::Lookalike { .. } => {
                DiagnosticCode::EnvelopeMalformed
            }
            Self::AlgorithmUnsupported { .. } | Self::KeyUnsupported { .. } => DiagnosticCode::AlgorithmUnsupported,
            Self::AlgorithmMismatch { .. } => DiagnosticCode::AlgorithmMismatch,
            Self::SchemeUnsupported { .. } => DiagnosticCode::SigningSchemeUnsupported,
            Self::Attributes(error) => error.code(),
            Self::Certificate { source, .. } => source.code(),
            Self::Chain(error) => error.code(),
            Self::Signature { source } => source.code(),
            Self::Payload(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Attributes(error) => error.hint(),
            Self::Certificate { source, .. } => source.hint(),
            Self::Chain(error) => error.hint(),
            Self::Signature { source } => source.hint(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_judged_is_refused_by_name() {
        // Conformance 8.06.
        let limits = Limits { envelope_bytes: 4, ..Limits::default() };
        let parse = |media_type: &str, bytes: &[u8]| {
            SignatureEnvelope::parse(&media_type.into(), bytes, &limits).unwrap_err().code()
        };
        assert_eq!(parse("application/cose", b"\xd2\x84"), DiagnosticCode::EnvelopeMalformed);
        assert_eq!(parse("application/cose", b"\xd2\x84\0\0\0"), DiagnosticCode::EnvelopeTooLarge);
        assert_eq!(parse("application/jose", b"{}"), DiagnosticCode::EnvelopeUnsupported);
        assert_eq!(parse("application/jose+json", b"{}"), DiagnosticCode::EnvelopeMalformed);
        assert_eq!(parse("application/jose+json", b"{   }"), DiagnosticCode::EnvelopeTooLarge);
    }
}
