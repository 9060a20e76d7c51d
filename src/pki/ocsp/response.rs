//! Reading a response (RFC 6960 §4.2.1). Nothing is believed here.

use std::fmt;
use std::sync::{Arc, OnceLock};

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::OcspError;
use super::request::{CertId, CertIdHash};
use crate::digest::{Digest, hex};
use crate::limits::Limits;
use crate::pki::algorithm::SignatureAlgorithm;
use crate::pki::asn1_time::parse_time;
use crate::pki::extension::{Extension, ExtensionsError, read_extensions};
use crate::pki::remembered::CheckedUnder;
use crate::pki::revocation::{ReasonCode, reason_code};
use crate::pki::tlv::{Cursor, Tlv, constructed, only, primitive};
use crate::pki::{Certificate, CertificatePool, Name, Revocation, RevocationReason, SerialNumber};
use crate::time::UnixTime;

const BASIC_RESPONSE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");

/// Answers in one response. We ask for one; some responders send a few.
const MOST_ANSWERS: usize = 64;
/// Certificates in one response. A delegated responder needs one; each may cost a public-key operation.
const MOST_CERTIFICATES: usize = 16;

/// A successful basic response that can be read; nothing about its signature is known yet. Cheap to clone.
#[derive(Clone)]
pub struct OcspResponse(Arc<Inner>);

struct Inner {
    der: Arc<[u8]>,
    /// `tbsResponseData`, as received.
    tbs: Vec<u8>,
    data: ResponseData,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    certificates: Vec<Certificate>,
    digest: OnceLock<Digest>,
    checked: CheckedUnder,
}

struct ResponseData {
    responder: ResponderId,
    produced_at: UnixTime,
    answers: Vec<Answer>,
    /// The first critical extension of the response; none is processed.
    critical: Option<ObjectIdentifier>,
}

/// Who answers, by its own claim.
pub(super) enum ResponderId {
    Name(Name),
    /// SHA-1 of the key.
    Key(Vec<u8>),
}

/// What the response says of one certificate.
pub(super) struct Answer {
    pub(super) id: CertId,
    pub(super) status: Status,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
    /// The first critical extension of the answer; none is processed (conformance 10.14).
    pub(super) critical: Option<ObjectIdentifier>,
}

/// `CertStatus`
#[derive(Clone, Copy)]
pub(super) enum Status {
    Good,
    Revoked(Revocation),
    Unknown,
}

impl fmt::Debug for OcspResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.data.answers.len();
        write!(f, "OcspResponse({}, {}, {count} answers)", self.responder(), self.produced_at())
    }
}

impl PartialEq for OcspResponse {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for OcspResponse {}

impl OcspResponse {
    /// Reads one response, with nothing behind it:
    /// `OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, responseBytes [0] SEQUENCE { responseType OBJECT IDENTIFIER,
    /// response OCTET STRING } OPTIONAL }`.
    ///
    /// # Errors
    /// Anything that is not strict DER, a status other than successful, another type than a basic response, more than
    /// the limits.
    pub fn from_der(der: impl Into<Arc<[u8]>>, limits: &Limits) -> Result<Self, OcspError> {
        Self::read(der, limits, &CertificatePool::default())
    }

    /// As [`OcspResponse::from_der`], with certificates that other responses bring too from `pool`.
    ///
    /// # Errors
    /// Those of [`OcspResponse::from_der`].
    pub fn read(der: impl Into<Arc<[u8]>>, limits: &Limits, pool: &CertificatePool) -> Result<Self, OcspError> {
        let der = der.into();
        let size = u64::try_from(der.len()).unwrap_or(u64::MAX);
        if size > limits.ocsp_bytes {
            return Err(OcspError::TooLarge { size, limit: limits.ocsp_bytes });
        }
        let mut cursor = Cursor::new(only(&der, Tag::Sequence)?.value)?;
        let status = cursor.expect(Tag::Enumerated)?.value;
        if status != [0] {
            return Err(OcspError::Status { status: status_name(status) });
        }
        let bytes = only(cursor.expect(constructed(0))?.value, Tag::Sequence)?;
        cursor.finish()?;
        let mut fields = Cursor::new(bytes.value)?;
        let kind = fields.oid()?;
        let basic = fields.expect(Tag::OctetString)?.value;
        fields.finish()?;
        if kind != BASIC_RESPONSE {
            return Err(OcspError::ResponseType { oid: kind.to_string() });
        }
        let inner = Inner::read(basic, Arc::clone(&der), limits, pool)?;
        Ok(Self(Arc::new(inner)))
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The signed part, as received.
    pub fn tbs(&self) -> &[u8] {
        &self.0.tbs
    }

    /// SHA-256 of the received bytes.
    pub fn digest(&self) -> Digest {
        *self.0.digest.get_or_init(|| Digest::sha256(self.der()))
    }

    /// When it was signed, by its own claim.
    pub fn produced_at(&self) -> UnixTime {
        self.0.data.produced_at
    }

    /// Who answers, by its own claim: a name, or the SHA-1 of a key.
    pub fn responder(&self) -> String {
        match self.responder_id() {
            ResponderId::Name(name) => name.to_string(),
            ResponderId::Key(hash) => format!("key {}", hex(hash)),
        }
    }

    /// The serial numbers that it speaks of, of whatever issuers.
    pub fn serials(&self) -> impl Iterator<Item = &SerialNumber> {
        self.answers().iter().map(|answer| answer.id.serial())
    }

    /// The earliest `thisUpdate` of its answers, and the earliest `nextUpdate` if every answer has one.
    pub fn period(&self) -> (UnixTime, Option<UnixTime>) {
        let this = self.answers().iter().map(|answer| answer.this_update).min().unwrap_or(self.produced_at());
        let next: Option<Vec<UnixTime>> = self.answers().iter().map(|answer| answer.next_update).collect();
        (this, next.and_then(|times| times.into_iter().min()))
    }

    pub(super) fn responder_id(&self) -> &ResponderId {
        &self.0.data.responder
    }

    pub(super) fn answers(&self) -> &[Answer] {
        &self.0.data.answers
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        &self.0.certificates
    }

    pub(super) fn critical(&self) -> Option<ObjectIdentifier> {
        self.0.data.critical
    }

    /// The most signature checks that finding out who answered may cost: one for the issuer, two for each certificate.
    pub(crate) fn most_signatures(&self) -> usize {
        self.certificates().len().saturating_mul(2).saturating_add(1)
    }

    pub(super) fn verify_signed_by(&self, responder: &Certificate) -> Result<(), crate::pki::SignatureError> {
        let scheme = self.0.algorithm.scheme()?;
        let check = || responder.public_key().verify(scheme, self.tbs(), &self.0.signature);
        self.0.checked.once(responder, check)
    }
}

/// `OCSPResponseStatus`
fn status_name(status: &[u8]) -> String {
    match status {
        [1] => "malformedRequest".into(),
        [2] => "internalError".into(),
        [3] => "tryLater".into(),
        [5] => "sigRequired".into(),
        [6] => "unauthorized".into(),
        other => format!("status {}", hex(other.get(..8).unwrap_or(other))),
    }
}

impl Inner {
    /// `BasicOCSPResponse ::= SEQUENCE { tbsResponseData, signatureAlgorithm AlgorithmIdentifier, signature BIT STRING, certs
    /// [0] SEQUENCE OF Certificate OPTIONAL }`
    fn read(basic: &[u8], der: Arc<[u8]>, limits: &Limits, pool: &CertificatePool) -> Result<Self, OcspError> {
        let mut cursor = Cursor::new(only(basic, Tag::Sequence)?.value)?;
        let tbs = cursor.expect(Tag::Sequence)?;
        let algorithm = SignatureAlgorithm::parse(&cursor.expect(Tag::Sequence)?)?;
        let signature = cursor.bit_octets()?.to_vec();
        let certificates = match cursor.optional(constructed(0))? {
            Some(field) => read_certificates(only(field.value, Tag::Sequence)?.value, limits, pool)?,
            None => Vec::new(),
        };
        cursor.finish()?;
        let data = ResponseData::read(&tbs)?;
        let (tbs, digest, checked) = (tbs.raw.to_vec(), OnceLock::new(), CheckedUnder::default());
        Ok(Self { der, tbs, data, algorithm, signature, certificates, digest, checked })
    }
}

fn read_certificates(content: &[u8], limits: &Limits, pool: &CertificatePool) -> Result<Vec<Certificate>, OcspError> {
    let limit = MOST_CERTIFICATES.min(limits.certificates);
    let mut cursor = Cursor::new(content)?;
    let mut certificates = Vec::new();
    while !cursor.is_finished() {
        if certificates.len() >= limit {
            return Err(OcspError::TooMany { what: "certificates", limit });
        }
        let certificate = cursor.expect(Tag::Sequence)?;
        certificates.push(pool.read(certificate.raw).map_err(|source| OcspError::Certificate { source })?);
    }
    Ok(certificates)
}

impl ResponseData {
    /// `ResponseData ::= SEQUENCE { version [0] DEFAULT v1, responderID ResponderID, producedAt GeneralizedTime, responses
    /// SEQUENCE OF SingleResponse, responseExtensions [1] OPTIONAL }`
    fn read(tbs: &Tlv<'_>) -> Result<Self, OcspError> {
        let mut cursor = Cursor::new(tbs.value)?;
        if let Some(version) = cursor.optional(constructed(0))?
            && only(version.value, Tag::Integer)?.value != [0]
        {
            return Err(der::Error::from(Tag::Integer.value_error()).into());
        }
        let responder = ResponderId::read(&cursor.any()?)?;
        let produced_at = time(&cursor.any()?)?;
        let answers = read_answers(cursor.enter(Tag::Sequence)?)?;
        let extensions = read_optional_extensions(&mut cursor)?;
        cursor.finish()?;
        Ok(Self { responder, produced_at, answers, critical: first_critical(&extensions) })
    }
}

impl ResponderId {
    /// `ResponderID ::= CHOICE { byName [1] Name, byKey [2] OCTET STRING }`
    fn read(field: &Tlv<'_>) -> der::Result<Self> {
        if field.tag == constructed(1) {
            let mut inside = Cursor::new(field.value)?;
            let name = Name::read(&mut inside)?;
            inside.finish()?;
            return Ok(Self::Name(name));
        }
        field.tag.assert_eq(constructed(2))?;
        let hash = only(field.value, Tag::OctetString)?.value;
        if hash.len() != 20 {
            return Err(Tag::OctetString.length_error().into());
        }
        Ok(Self::Key(hash.to_vec()))
    }

    /// Whether `certificate` is the one that is named.
    pub(super) fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Name(name) => name == certificate.subject(),
            Self::Key(hash) => *hash == CertIdHash::Sha1.digest(certificate.public_key().bits()),
        }
    }
}

fn read_answers(mut cursor: Cursor<'_>) -> Result<Vec<Answer>, OcspError> {
    let mut answers = Vec::new();
    while !cursor.is_finished() {
        if answers.len() >= MOST_ANSWERS {
            return Err(OcspError::TooMany { what: "answers", limit: MOST_ANSWERS });
        }
        answers.push(Answer::read(cursor.enter(Tag::Sequence)?)?);
    }
    Ok(answers)
}

impl Answer {
    /// `SingleResponse ::= SEQUENCE { certID CertID, certStatus CertStatus, thisUpdate GeneralizedTime, nextUpdate [0]
    /// GeneralizedTime OPTIONAL, singleExtensions [1] OPTIONAL }`
    fn read(mut fields: Cursor<'_>) -> der::Result<Self> {
        let id = CertId::read(&mut fields)?;
        let mut status = Status::read(&fields.any()?)?;
        let this_update = time(&fields.any()?)?;
        let next_update = match fields.optional(constructed(0))? {
            Some(field) => Some(time(&only(field.value, Tag::GeneralizedTime)?)?),
            None => None,
        };
        let extensions = read_optional_extensions(&mut fields)?;
        fields.finish()?;
        if let Status::Revoked(revocation) = &mut status {
            // A date that cannot be read takes nothing back (conformance 10.12).
            let date = extensions.iter().find(|extension| extension.oid == INVALIDITY_DATE);
            revocation.invalidity_date =
                date.and_then(|date| time(&only(&date.value, Tag::GeneralizedTime).ok()?).ok());
        }
        Ok(Self { id, status, this_update, next_update, critical: first_critical(&extensions) })
    }
}

impl Status {
    /// `CertStatus ::= CHOICE { good [0] NULL, revoked [1] SEQUENCE { revocationTime GeneralizedTime, revocationReason [0]
    /// CRLReason OPTIONAL }, unknown [2] NULL }`, implicitly tagged.
    fn read(field: &Tlv<'_>) -> der::Result<Self> {
        if field.tag == primitive(0) && field.value.is_empty() {
            return Ok(Self::Good);
        }
        if field.tag == primitive(2) && field.value.is_empty() {
            return Ok(Self::Unknown);
        }
        field.tag.assert_eq(constructed(1))?;
        let mut inside = Cursor::new(field.value)?;
        let date = time(&inside.any()?)?;
        let reason = match inside.optional(constructed(0))? {
            None => RevocationReason::Unspecified,
            // removeFromCRL has no meaning here, and "revoked" stands.
            Some(code) => match reason_code(code.value).map_err(|_| Tag::Enumerated.value_error())? {
                ReasonCode::Reason(reason) => reason,
                ReasonCode::RemoveFromCrl => RevocationReason::Unspecified,
            },
        };
        inside.finish()?;
        Ok(Self::Revoked(Revocation { date, reason, invalidity_date: None }))
    }
}

/// OCSP knows GeneralizedTime only.
fn time(field: &Tlv<'_>) -> der::Result<UnixTime> {
    field.tag.assert_eq(Tag::GeneralizedTime)?;
    parse_time(field)
}

/// `[1] EXPLICIT Extensions OPTIONAL`
fn read_optional_extensions(cursor: &mut Cursor<'_>) -> der::Result<Vec<Extension>> {
    let Some(field) = cursor.optional(constructed(1))? else { return Ok(Vec::new()) };
    read_extensions(only(field.value, Tag::Sequence)?.value).map_err(|error| match error {
        ExtensionsError::Malformed(source) => source,
        ExtensionsError::Duplicate(_) => Tag::Sequence.value_error().into(),
    })
}

fn first_critical(extensions: &[Extension]) -> Option<ObjectIdentifier> {
    extensions.iter().find(|extension| extension.critical).map(|extension| extension.oid)
}
