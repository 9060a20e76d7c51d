//! Asking a timestamp authority (RFC 3161 §2.4, conformance sections 9a and 9b). How the question travels is for others.

use der::Encode as _;
use der::Sequence;
use der::Tag;
use der::asn1::{Any, Int, Null, OctetString};
use spki::AlgorithmIdentifierOwned;

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;
use crate::limits::Limits;
use crate::pki::{Cursor, HashAlgorithm, Tlv, only};
use crate::tsp::{TimestampError, TimestampToken};

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
        let token = read_status(response)?.ok_or(TimestampRequestError::NoToken)?;
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

/// `TimeStampResp ::= SEQUENCE { status PKIStatusInfo, timeStampToken ContentInfo OPTIONAL }`, where
/// `PKIStatusInfo ::= SEQUENCE { status INTEGER, statusString SEQUENCE OF UTF8String OPTIONAL, failInfo BIT STRING OPTIONAL }`
fn read_status(response: &[u8]) -> Result<Option<Tlv<'_>>, TimestampRequestError> {
    let mut fields = Cursor::new(only(response, Tag::Sequence)?.value)?;
    let mut status = fields.enter(Tag::Sequence)?;
    let value = status.small_integer()?;
    let text = status.optional(Tag::Sequence)?.map(|text| free_text(text.value)).transpose()?.unwrap_or_default();
    let failure = status.optional(Tag::BitString)?.map(|bits| failure_names(bits.value)).unwrap_or_default();
    status.finish()?;
    // 0 granted, 1 granted with modifications.
    if value > 1 {
        return Err(TimestampRequestError::Declined { status: value, failure, text });
    }
    let token = if fields.is_finished() { None } else { Some(fields.expect(Tag::Sequence)?) };
    fields.finish()?;
    Ok(token)
}

fn free_text(content: &[u8]) -> der::Result<String> {
    let mut lines = Cursor::new(content)?;
    let mut all = String::new();
    while !lines.is_finished() {
        let line = lines.expect(Tag::Utf8String)?;
        all.push(' ');
        all.push_str(&String::from_utf8_lossy(line.value));
    }
    Ok(shorten(all.trim()))
}

/// `PKIFailureInfo ::= BIT STRING { badAlg (0), badRequest (2), … }`, as RFC 3161 §2.4.2 lists it.
fn failure_names(bits: &[u8]) -> String {
    const NAMES: [(usize, &str); 8] = [
        (0, "badAlg"),
        (2, "badRequest"),
        (5, "badDataFormat"),
        (14, "timeNotAvailable"),
        (15, "unacceptedPolicy"),
        (16, "unacceptedExtension"),
        (17, "addInfoNotAvailable"),
        (25, "systemFailure"),
    ];
    // The first octet says how many bits of the last one are unused.
    let is_set = |bit: usize| bits.get(1 + bit / 8).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
    let names: Vec<&str> = NAMES.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, name)| *name).collect();
    names.join(", ")
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
        let failure = failure_names(&[0x06, 0x00, 0x03, 0x80, 0x40]);
        assert_eq!(failure, "timeNotAvailable, unacceptedPolicy, unacceptedExtension, systemFailure");
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
