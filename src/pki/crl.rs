//! Certificate revocation lists (RFC 5280 §5), read without an allocation per entry: a list of a million entries costs its
//! bytes and, once it is asked often, an index of eight octets an entry.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::algorithm::SignatureAlgorithm;
use super::asn1_time::{parse_time, read_optional_time, read_time};
use super::chain::shown;
use super::extension::{self, Extension, ExtensionsError, read_extensions};
use super::remembered::CheckedUnder;
use super::revocation::{ReasonCode, reason_code};
use super::tlv::{Cursor, Tlv, constructed, only};
use super::{Certificate, CrlError, IssuingDistributionPoint, Name, Revocation, RevocationReason, SerialNumber};
use crate::digest::Digest;
use crate::time::UnixTime;

mod delta;
mod index;

use index::SerialIndex;

pub use delta::{DeltaEntry, VerifiedDelta};

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const DELTA_CRL_INDICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// A CRL that can be read; nothing about its signature is known yet. Cheap to clone.
#[derive(Clone)]
pub struct Crl(Arc<Inner>);

struct Inner {
    der: Arc<[u8]>,
    tbs: Range<usize>,
    /// The inside of `revokedCertificates`.
    entries: Range<usize>,
    entry_count: usize,
    issuer: Name,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    extensions: Extensions,
    digest: OnceLock<Digest>,
    checked: CheckedUnder,
    index: SerialIndex,
}

/// The extensions of the list that are interpreted.
#[derive(Default)]
struct Extensions {
    number: Option<SerialNumber>,
    base_crl_number: Option<SerialNumber>,
    idp: Option<IssuingDistributionPoint>,
    freshest_urls: Vec<String>,
    /// The first critical one that is not interpreted.
    unsupported: Option<ObjectIdentifier>,
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {}, {} entries)", self.issuer(), self.this_update(), self.entry_count())
    }
}

impl PartialEq for Crl {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Crl {}

impl Crl {
    /// Reads one version 2 CRL, with nothing behind it:
    /// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING }`.
    ///
    /// # Errors
    /// Anything that is not strict DER or not a CRL of version 2, malformed or repeated extensions, two different signature
    /// algorithms.
    pub fn from_der(der: impl Into<Arc<[u8]>>) -> Result<Self, CrlError> {
        let der = der.into();
        let content = only(&der, Tag::Sequence)?.value;
        let mut cursor = Cursor::new(content)?;
        let tbs = cursor.expect(Tag::Sequence)?;
        let outer = cursor.expect(Tag::Sequence)?;
        let signature = cursor.bit_octets()?.to_vec();
        cursor.finish()?;
        let list = TbsCertList::read(&tbs)?;
        if list.algorithm.raw != outer.raw {
            return Err(CrlError::AlgorithmsDiffer);
        }
        let start = der.len().saturating_sub(content.len());
        let end = start.saturating_add(tbs.raw.len());
        // Where the entries' end lies, counted from the end of the TBS.
        let entries_end = end.saturating_sub(list.behind_entries);
        let inner = Inner {
            tbs: start..end,
            entries: entries_end.saturating_sub(list.entries.len())..entries_end,
            entry_count: count_entries(list.entries)?,
            issuer: list.issuer,
            this_update: list.this_update,
            next_update: list.next_update,
            algorithm: SignatureAlgorithm::parse(&outer)?,
            signature,
            extensions: list.extensions,
            digest: OnceLock::new(),
            checked: CheckedUnder::default(),
            index: SerialIndex::default(),
            der: Arc::clone(&der),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The signed part, as received.
    pub fn tbs(&self) -> &[u8] {
        self.0.der.get(self.0.tbs.clone()).unwrap_or_default()
    }

    /// SHA-256 of the received bytes.
    pub fn digest(&self) -> Digest {
        *self.0.digest.get_or_init(|| Digest::sha256(self.der()))
    }

    /// Who signed it, by its own claim.
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// When it was issued.
    pub fn this_update(&self) -> UnixTime {
        self.0.this_update
    }

    /// By when the next one will be issued.
    pub fn next_update(&self) -> Option<UnixTime> {
        self.0.next_update
    }

    /// The CRL number.
    pub fn number(&self) -> Option<&SerialNumber> {
        self.0.extensions.number.as_ref()
    }

    /// Whether it only lists changes.
    pub fn is_delta(&self) -> bool {
        self.0.extensions.base_crl_number.is_some()
    }

    /// Of a delta CRL: the number of the base that it needs.
    pub fn base_crl_number(&self) -> Option<&SerialNumber> {
        self.0.extensions.base_crl_number.as_ref()
    }

    /// The scope, if it has a limited one.
    pub fn idp(&self) -> Option<&IssuingDistributionPoint> {
        self.0.extensions.idp.as_ref()
    }

    /// URLs of delta CRLs.
    pub fn freshest_urls(&self) -> &[String] {
        &self.0.extensions.freshest_urls
    }

    /// Those of them that are `http:` or `https:`, in order, without repetition.
    pub fn http_freshest_urls(&self) -> Vec<&str> {
        super::certificate::http_urls(self.freshest_urls())
    }

    /// How many certificates it lists.
    pub fn entry_count(&self) -> usize {
        self.0.entry_count
    }

    /// Checks that `issuer` may sign CRLs and signed this one, and that it needs nothing that is not supported. Times are not
    /// looked at.
    ///
    /// # Errors
    /// Another issuer, one that may not sign CRLs, a wrong or weak signature, an unknown critical extension, a delta CRL, an
    /// indirect CRL.
    pub fn verify(&self, issuer: &Certificate) -> Result<VerifiedCrl, CrlError> {
        self.verify_signature(issuer)?;
        if self.is_delta() {
            return Err(CrlError::Delta { issuer: shown(issuer.subject()) });
        }
        Ok(VerifiedCrl { crl: self.clone(), issuer: issuer.clone() })
    }

    /// As [`Crl::verify`], for a list of changes.
    ///
    /// # Errors
    /// Those of [`Crl::verify`], or it is a complete CRL.
    pub fn verify_delta(&self, issuer: &Certificate) -> Result<VerifiedDelta, CrlError> {
        self.verify_signature(issuer)?;
        if !self.is_delta() {
            return Err(CrlError::NotDelta { issuer: shown(issuer.subject()) });
        }
        Ok(VerifiedDelta { crl: self.clone(), issuer: issuer.clone() })
    }

    fn verify_signature(&self, issuer: &Certificate) -> Result<(), CrlError> {
        let name = || shown(issuer.subject());
        if issuer.subject() != self.issuer() {
            return Err(CrlError::IssuerMismatch { expected: name(), found: shown(self.issuer()) });
        }
        if !issuer.may_sign_crls() {
            return Err(CrlError::IssuerMayNotSign { issuer: name() });
        }
        let scheme = self.0.algorithm.scheme();
        scheme
            .and_then(|scheme| {
                let check = || issuer.public_key().verify(scheme, self.tbs(), &self.0.signature);
                self.0.checked.once(issuer, check)
            })
            .map_err(|source| CrlError::Signature { issuer: name(), source })?;
        if let Some(oid) = self.0.extensions.unsupported {
            return Err(CrlError::UnsupportedExtension { issuer: name(), extension: oid.to_string() });
        }
        if self.idp().is_some_and(|idp| idp.indirect) {
            return Err(CrlError::Indirect { issuer: name() });
        }
        Ok(())
    }

    /// Whether `certificate` is in its scope, by its own word: nothing is said about who signed it.
    pub(crate) fn covers(&self, certificate: &Certificate) -> Result<(), CrlError> {
        let scope = if certificate.issuer() != self.issuer() {
            Err("it is another issuer's")
        } else {
            self.idp().map_or(Ok(()), |idp| idp.covers(certificate))
        };
        scope.map_err(|scope| CrlError::OutOfScope {
            issuer: shown(self.issuer()),
            subject: shown(certificate.subject()),
            scope,
        })
    }

    fn find(&self, serial: &SerialNumber) -> Result<Option<Line>, CrlError> {
        let entries = self.0.der.get(self.0.entries.clone()).unwrap_or_default();
        let found = self.0.index.find(entries, self.entry_count(), serial.as_bytes())?;
        let failed = |why| CrlError::Entry { serial: serial.to_string(), why };
        found.map(|entry| read_line(&entry).map_err(failed)).transpose()
    }
}

struct TbsCertList<'a> {
    algorithm: Tlv<'a>,
    issuer: Name,
    this_update: UnixTime,
    next_update: Option<UnixTime>,
    entries: &'a [u8],
    /// Octets of the TBS behind the entries.
    behind_entries: usize,
    extensions: Extensions,
}

impl<'a> TbsCertList<'a> {
    /// ```text
    /// TBSCertList ::= SEQUENCE { version INTEGER OPTIONAL, signature AlgorithmIdentifier, issuer Name, thisUpdate Time,
    ///     nextUpdate Time OPTIONAL, revokedCertificates SEQUENCE OF ... OPTIONAL, crlExtensions [0] OPTIONAL }
    /// ```
    fn read(tbs: &Tlv<'a>) -> Result<Self, CrlError> {
        let mut cursor = Cursor::new(tbs.value)?;
        match cursor.optional(Tag::Integer)? {
            Some(Tlv { value: [1], .. }) => {}
            _ => return Err(CrlError::Version),
        }
        let algorithm = cursor.expect(Tag::Sequence)?;
        let issuer = Name::read(&mut cursor)?;
        let this_update = read_time(&mut cursor)?;
        let next_update = read_optional_time(&mut cursor)?;
        let entries = cursor.optional(Tag::Sequence)?.map_or(&[][..], |entries| entries.value);
        let field = cursor.optional(constructed(0))?;
        cursor.finish()?;
        Ok(Self {
            algorithm,
            issuer,
            this_update,
            next_update,
            entries,
            behind_entries: field.map_or(0, |field| field.raw.len()),
            extensions: field.map(|field| Extensions::read(field.value)).transpose()?.unwrap_or_default(),
        })
    }
}

impl Extensions {
    fn read(explicit: &[u8]) -> Result<Self, CrlError> {
        let mut found = Self::default();
        for extension in read_extensions(only(explicit, Tag::Sequence)?.value).map_err(list_error)? {
            found.take(&extension).map_err(|_| malformed(extension.oid))?;
        }
        Ok(found)
    }

    fn take(&mut self, extension: &Extension) -> der::Result<()> {
        let value = extension.value.as_slice();
        match extension.oid {
            CRL_NUMBER => self.number = Some(number(value)?),
            DELTA_CRL_INDICATOR => self.base_crl_number = Some(number(value)?),
            ISSUING_DISTRIBUTION_POINT => self.idp = Some(IssuingDistributionPoint::parse(value)?),
            extension::FRESHEST_CRL => {
                let points = extension::public_points(value)?;
                self.freshest_urls = points.into_iter().flat_map(|point| point.urls).collect();
            }
            other if extension.critical => self.unsupported = self.unsupported.or(Some(other)),
            _ => {}
        }
        Ok(())
    }
}

fn list_error(error: ExtensionsError) -> CrlError {
    match error {
        ExtensionsError::Malformed(source) => CrlError::Malformed { source },
        ExtensionsError::Duplicate(oid) => malformed(oid),
    }
}

fn malformed(oid: ObjectIdentifier) -> CrlError {
    CrlError::MalformedExtension { extension: oid.to_string() }
}

fn number(value: &[u8]) -> der::Result<SerialNumber> {
    let mut cursor = Cursor::new(value)?;
    let number = SerialNumber::read(&mut cursor)?;
    cursor.finish()?;
    Ok(number)
}

/// One entry: `SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions SEQUENCE OPTIONAL }`.
struct Entry<'a> {
    serial: &'a [u8],
    date: Tlv<'a>,
    extensions: Option<Tlv<'a>>,
}

impl<'a> Entry<'a> {
    fn read(cursor: &mut Cursor<'a>) -> der::Result<Self> {
        let mut fields = cursor.enter(Tag::Sequence)?;
        let serial = fields.expect(Tag::Integer)?.value;
        let date = fields.any()?;
        let extensions = fields.optional(Tag::Sequence)?;
        fields.finish()?;
        Ok(Self { serial, date, extensions })
    }
}

fn count_entries(entries: &[u8]) -> der::Result<usize> {
    let mut cursor = Cursor::new(entries)?;
    let mut count = 0_usize;
    while !cursor.is_finished() {
        Entry::read(&mut cursor)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// A base CRL whose signature holds under the issuer's key.
#[derive(Debug, Clone)]
pub struct VerifiedCrl {
    crl: Crl,
    issuer: Certificate,
}

impl VerifiedCrl {
    /// The CRL.
    pub fn crl(&self) -> &Crl {
        &self.crl
    }

    /// The certificate under whose key the signature holds.
    pub fn issuer(&self) -> &Certificate {
        &self.issuer
    }

    /// Checks that `certificate` is in the scope of the CRL: the same issuer, and what the issuing distribution point says
    /// (RFC 5280 §6.3.3 b).
    ///
    /// # Errors
    /// [`CrlError::OutOfScope`] with what it covers instead.
    pub fn covers(&self, certificate: &Certificate) -> Result<(), CrlError> {
        self.crl.covers(certificate)
    }

    /// What it says of the serial number. Only meaningful for a certificate that it [covers](Self::covers). Walks the list
    /// the first times, then makes an index of eight octets an entry.
    ///
    /// # Errors
    /// The entry is there but cannot be interpreted.
    pub fn lookup(&self, serial: &SerialNumber) -> Result<CrlEntry, CrlError> {
        match self.crl.find(serial)? {
            None => Ok(CrlEntry::NotListed),
            Some(Line::Revoked(revocation)) => Ok(CrlEntry::Revoked(revocation)),
            Some(Line::Removed(_)) => {
                Err(CrlError::Entry { serial: serial.to_string(), why: "removeFromCRL belongs into delta CRLs only" })
            }
        }
    }
}

/// What one entry says.
enum Line {
    Revoked(Revocation),
    /// A hold, or a certificate that has expired: no longer listed since then.
    Removed(UnixTime),
}

fn read_line(entry: &Entry<'_>) -> Result<Line, &'static str> {
    let date = parse_time(&entry.date).map_err(|_| "its revocation date is malformed")?;
    let mut revocation = Revocation { date, reason: RevocationReason::Unspecified, invalidity_date: None };
    let mut removed = false;
    let content = entry.extensions.map_or(&[][..], |list| list.value);
    for extension in read_extensions(content).map_err(|_| "its extensions are malformed")? {
        match extension.oid {
            REASON_CODE => match reason_code(&extension.value)? {
                ReasonCode::Reason(reason) => revocation.reason = reason,
                ReasonCode::RemoveFromCrl => removed = true,
            },
            INVALIDITY_DATE => {
                let time = only(&extension.value, Tag::GeneralizedTime).and_then(|time| parse_time(&time));
                revocation.invalidity_date = Some(time.map_err(|_| "its invalidity date is malformed")?);
            }
            CERTIFICATE_ISSUER => return Err("it is of another issuer (indirect CRL)"),
            _ if extension.critical => return Err("it has an unknown critical extension"),
            _ => {}
        }
    }
    Ok(if removed { Line::Removed(date) } else { Line::Revoked(revocation) })
}

/// What a CRL says of one serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrlEntry {
    /// It is not on the list.
    NotListed,
    /// It is revoked.
    Revoked(Revocation),
}
