//! Asking a timestamp authority (RFC 3161 §2.4, conformance sections 9a and 9b). How the question travels is for others.

use der::Encode as _;
use der::Sequence;
use der::asn1::{Any, Int, Null, OctetString};
use spki::AlgorithmIdentifierOwned;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::limits::Limits;
use crate::pki::HashAlgorithm;
use crate::tsp::{ResponseFrame, TimestampError, TimestampToken};

/// Octets of a nonce. Its first octet lies between 0x40 and 0x7f, so that every encoder writes it alike; 158 bits of
/// it are random, below 2^159 as the reference has it (conformance 9.03).
const NONCE: usize = 20;

/// A question to a timestamp authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampQuery {
    der: Vec<u8>,
    imprint: Vec<u8>,
    nonce: Vec<u8>,
}

impl TimestampQuery {
    /// The media type of a question (RFC 3161 §3.4).
    pub const MEDIA_TYPE: &str = "application/timestamp-query";
    /// The media type of an answer.
    pub const REPLY_MEDIA_TYPE: &str = "application/timestamp-reply";

    /// Asks for a token over `digest`, made with `hash`: version 1, a NULL beside the hash's name, no policy, a new
    /// nonce, and the authority's certificate (conformance 9.01 to 9.03).
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(hash: HashAlgorithm, digest: &[u8]) -> Result<Self, TimestampRequestError> {
        let mut nonce = vec![0; NONCE];
        getrandom::fill(&mut nonce)?;
        if let Some(first) = nonce.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        let parameters = Some(Any::encode_from(&Null)?);
        let message_imprint = MessageImprint {
            hash_algorithm: AlgorithmIdentifierOwned { oid: hash.oid(), parameters },
            hashed_message: OctetString::new(digest)?,
        };
        let imprint = message_imprint.to_der()?;
        let request = TimeStampReq { version: 1, message_imprint, nonce: Int::new(&nonce)?, cert_req: true };
        Ok(Self { der: request.to_der()?, imprint, nonce })
    }

    /// The question in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Reads an answer: granted, and about what was asked (conformance 9.08 to 9.10). Whether the token is genuine, and
    /// whose it is, is not known yet.
    ///
    /// # Errors
    /// The authority declined, or answered something else.
    pub fn read_response(&self, response: &[u8], limits: &Limits) -> Result<TimestampToken, TimestampRequestError> {
        let answer = ResponseFrame::read(response)?;
        if !answer.is_granted() {
            let ResponseFrame { status, failure, text, .. } = answer;
            return Err(TimestampRequestError::Declined { status, failure, text });
        }
        let token = answer.token.ok_or(TimestampRequestError::NoToken)?;
        let token = TimestampToken::parse(token.raw, limits)?;
        let info = token.info();
        if info.imprint_der != self.imprint {
            return Err(TimestampRequestError::OtherImprint);
        }
        if info.nonce.as_deref() != Some(self.nonce.as_slice()) {
            return Err(TimestampRequestError::OtherNonce);
        }
        token.signer()?;
        Ok(token)
    }
}

/// `TimeStampReq ::= SEQUENCE { version INTEGER, messageImprint MessageImprint, reqPolicy TSAPolicyId OPTIONAL,
/// nonce INTEGER OPTIONAL, certReq BOOLEAN DEFAULT FALSE, extensions [0] IMPLICIT Extensions OPTIONAL }`
#[derive(Sequence)]
struct TimeStampReq {
    version: u8,
    message_imprint: MessageImprint,
    nonce: Int,
    cert_req: bool,
}

/// `MessageImprint ::= SEQUENCE { hashAlgorithm AlgorithmIdentifier, hashedMessage OCTET STRING }`
#[derive(Sequence)]
pub(super) struct MessageImprint {
    pub(super) hash_algorithm: AlgorithmIdentifierOwned,
    pub(super) hashed_message: OctetString,
}

/// Why a timestamp authority's answer is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampRequestError {
    /// The question cannot be written, or the answer cannot be read.
    #[error("the timestamp authority's answer is malformed: {0}")]
    Der(#[from] der::Error),
    /// The operating system gave no randomness.
    #[error("no random numbers to be had: {0}")]
    Random(#[from] getrandom::Error),
    /// The authority says no.
    #[error("the timestamp authority declined: status {status}{}{}", comma(.failure), comma(.text))]
    Declined {
        /// PKIStatus
        status: u32,
        /// What PKIFailureInfo names.
        failure: String,
        /// What the authority says to people.
        text: String,
    },
    /// Granted, and nothing there.
    #[error("the timestamp authority granted the request and sent no token")]
    NoToken,
    /// The token is of something else.
    #[error("the timestamp authority's token is not of what was asked for")]
    OtherImprint,
    /// The token was made for another question: somebody may have replayed it.
    #[error("the timestamp authority's token does not answer this request: its nonce is another")]
    OtherNonce,
    /// The token breaks a rule.
    #[error(transparent)]
    Token(#[from] TimestampError),
    /// Who answers HTTP at the address is no timestamp authority.
    #[error("{url} answered with status {status} and content of type {content_type:?}, not with a timestamp")]
    NotATimestamp {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What the content is said to be.
        content_type: String,
    },
    /// Nobody answers.
    #[cfg(feature = "registry")]
    #[error(transparent)]
    Http(#[from] crate::http::HttpError),
}

fn comma(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(", {text}") }
}

impl Diagnostic for TimestampRequestError {
    fn code(&self) -> DiagnosticCode {
        match self {
            Self::Token(error) => error.code(),
            Self::Random(_) => DiagnosticCode::IoFailed,
            #[cfg(feature = "registry")]
            Self::Http(error) => error.code(),
            _ => DiagnosticCode::TimestampUnavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            #[cfg(feature = "registry")]
            Self::Http(error) => error.hint(),
            Self::NotATimestamp { .. } => Some("check the address of the timestamp authority".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query() -> TimestampQuery {
        let hash = HashAlgorithm::Sha256;
        TimestampQuery::new(hash, &hash.digest(b"signature")).unwrap()
    }

    #[test]
    fn the_question_is_the_one_that_the_reference_asks() {
        // Conformance 9.02, 9.03: SEQUENCE { 1, SEQUENCE { SEQUENCE { sha256, NULL }, OCTET STRING }, nonce, TRUE }.
        let (one, two) = (query(), query());
        assert_ne!(one.nonce, two.nonce);
        let mut wanted = vec![0x30, 0x4f, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09];
        wanted.extend([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20]);
        wanted.extend(HashAlgorithm::Sha256.digest(b"signature"));
        wanted.extend([0x02, 0x14]);
        wanted.extend(&one.nonce);
        wanted.extend([0x01, 0x01, 0xff]);
        assert_eq!(one.der(), wanted);
    }

    #[test]
    fn what_is_no_granted_token_is_refused_by_what_it_says() {
        // Conformance 9.08.
        let limits = Limits::default();
        let answer = |bytes: &[u8]| query().read_response(bytes, &limits).unwrap_err().to_string();
        assert!(answer(b"").contains("malformed"));
        assert!(answer(&[0x30, 0x03, 0x30, 0x01, 0x00]).contains("malformed"));
        assert!(answer(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00]).contains("sent no token"));
        let declined =
            [0x30, 0x0f, 0x30, 0x0d, 0x02, 0x01, 0x02, 0x30, 0x04, 0x0c, 0x02, b'n', b'o', 0x03, 0x02, 0x05, 0xa0];
        assert_eq!(answer(&declined), "the timestamp authority declined: status 2, badAlg, badRequest, no");
    }

    #[test]
    fn hostile_answers_end() {
        let limits = Limits::default();
        let question = query();
        for length in 0..64 {
            let nested = [0x30_u8, 0x80].repeat(length);
            assert!(question.read_response(&nested, &limits).is_err());
        }
    }
}
