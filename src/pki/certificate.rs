//! Certificates (RFC 5280 §4).
//!
//! The frame is read by our own cursor, because `x509-cert` knows neither years before 1970 nor what was received byte for
//! byte; the contents of extensions are read by `x509-cert`.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use der::asn1::ObjectIdentifier;
use der::{Decode, Tag};
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

use super::algorithm::SignatureAlgorithm;
use super::asn1_time::read_time;
use super::extension::{self, BasicConstraints, Extension, ExtensionsError, in_extension, read_extensions};
use super::remembered::CheckedUnder;
use super::tlv::{Cursor, Tlv, constructed, only, primitive};
use super::{CertificateError, Name, PublicKey, SignatureError};
use crate::digest::{Digest, hex};
use crate::time::ValidityPeriod;

/// Octets of the longest serial number: 20 (RFC 5280 §4.1.2.2) and a sign octet.
const SERIAL_MOST: usize = 21;

/// One certificate. Cheap to clone; equal when the DER is equal.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    der: Vec<u8>,
    tbs: Range<usize>,
    fields: Fields,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    fingerprint: OnceLock<Digest>,
    checked: CheckedUnder,
}

/// The signed part.
struct Fields {
    serial: SerialNumber,
    issuer: Name,
    validity: ValidityPeriod,
    subject: Name,
    key: PublicKey,
    extensions: Vec<Extension>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject())
    }
}

impl Certificate {
    /// Reads one certificate, with nothing behind it:
    /// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm AlgorithmIdentifier, signatureValue BIT STRING }`.
    ///
    /// # Errors
    /// Anything that is not strict DER or not a certificate; an extension twice; malformed basicConstraints, keyUsage or
    /// extKeyUsage; two different signature algorithms; a serial number beyond 20 octets.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let content = only(der, Tag::Sequence)?.value;
        let mut cursor = Cursor::new(content)?;
        let tbs = cursor.expect(Tag::Sequence)?;
        let outer = cursor.expect(Tag::Sequence)?;
        let signature = cursor.bit_octets()?.to_vec();
        cursor.finish()?;
        let (fields, inner) = Fields::read(&tbs)?;
        if inner.raw != outer.raw {
            return Err(CertificateError::AlgorithmsDiffer);
        }
        let algorithm = SignatureAlgorithm::parse(&outer)?;
        let start = der.len().saturating_sub(content.len());
        let tbs = start..start.saturating_add(tbs.raw.len());
        let (der, fingerprint, checked) = (der.to_vec(), OnceLock::new(), CheckedUnder::default());
        Ok(Self(Arc::new(Inner { der, tbs, fields, algorithm, signature, fingerprint, checked })))
    }

    /// The received bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The signed part, as received.
    pub fn tbs(&self) -> &[u8] {
        self.0.der.get(self.0.tbs.clone()).unwrap_or_default()
    }

    /// Whose key this is.
    pub fn subject(&self) -> &Name {
        &self.0.fields.subject
    }

    /// Who signed it, by its own claim.
    pub fn issuer(&self) -> &Name {
        &self.0.fields.issuer
    }

    /// The serial number. Zero and negative ones occur and are accepted (RFC 5280 §4.1.2.2, last paragraph).
    pub fn serial(&self) -> &SerialNumber {
        &self.0.fields.serial
    }

    /// From when until when it is valid.
    pub fn validity(&self) -> ValidityPeriod {
        self.0.fields.validity
    }

    /// SHA-256 of the DER.
    pub fn fingerprint(&self) -> Digest {
        *self.0.fingerprint.get_or_init(|| Digest::sha256(self.der()))
    }

    /// The subject's common name, or the whole name where there is none: for messages.
    pub fn short_name(&self) -> String {
        short_name(self.subject())
    }

    /// The subject's public key. A key of an unsupported kind is a value; using it is the error.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.fields.key
    }

    /// Whether issuer and subject are byte-equal.
    pub fn is_self_issued(&self) -> bool {
        self.issuer() == self.subject()
    }

    /// Whether it is self-issued and its own key verifies its signature. Costs a verification.
    pub fn is_self_signed(&self) -> bool {
        self.is_self_issued() && self.verify_signed_by(self).is_ok()
    }

    /// Whether basicConstraints says cA.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|constraints| constraints.ca)
    }

    /// Whether keyUsage allows to sign CRLs, or is absent and so allows everything.
    pub(crate) fn may_sign_crls(&self) -> bool {
        self.is_ca() && self.key_usage().is_none_or(|usage| usage.crl_sign())
    }

    /// Where its revocation can be asked about.
    ///
    /// # Errors
    /// One of the extensions is malformed or names more points than are read.
    pub fn revocation_sources(&self) -> Result<RevocationSources, CertificateError> {
        let points = extension::CRL_DISTRIBUTION_POINTS;
        let access = extension::AUTHORITY_INFO_ACCESS;
        let crl_points =
            self.extension(points).map(|found| in_extension(points, extension::public_points(&found.value)));
        let ocsp_urls = self.extension(access).map(|found| in_extension(access, extension::ocsp_urls(&found.value)));
        let changes = extension::FRESHEST_CRL;
        let freshest =
            self.extension(changes).map(|found| in_extension(changes, extension::public_points(&found.value)));
        Ok(RevocationSources {
            crl_points: crl_points.transpose()?.unwrap_or_default(),
            ocsp_urls: ocsp_urls.transpose()?.unwrap_or_default(),
            freshest_urls: freshest.transpose()?.unwrap_or_default().into_iter().flat_map(|point| point.urls).collect(),
            has_freshest_crl: self.extension(extension::FRESHEST_CRL).is_some(),
        })
    }

    /// Checks the signature by `issuer`'s key over the received TBS bytes. Names, basicConstraints and keyUsage are not
    /// looked at. Done once for each issuer: a certificate remembers the result.
    ///
    /// # Errors
    /// The signature does not verify, or its algorithm is weak (SHA-1), unknown or not one for the key.
    pub fn verify_signed_by(&self, issuer: &Certificate) -> Result<(), SignatureError> {
        let scheme = self.0.algorithm.scheme()?;
        let check = || issuer.public_key().verify(scheme, self.tbs(), &self.0.signature);
        self.0.checked.once(issuer, check)
    }

    pub(crate) fn extensions(&self) -> &[Extension] {
        &self.0.fields.extensions
    }

    pub(crate) fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions().iter().find(|extension| extension.oid == oid)
    }

    pub(crate) fn is_critical(&self, oid: ObjectIdentifier) -> bool {
        self.extension(oid).is_some_and(|extension| extension.critical)
    }

    pub(crate) fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.0.fields.basic_constraints
    }

    pub(crate) fn key_usage(&self) -> Option<KeyUsage> {
        self.0.fields.key_usage
    }

    pub(crate) fn extended_key_usage(&self) -> Option<&[ObjectIdentifier]> {
        self.0.fields.extended_key_usage.as_deref()
    }
}

/// The common name, or the whole name.
pub(crate) fn short_name(name: &Name) -> String {
    let text = name.common_name().map_or_else(|| name.to_string(), ToOwned::to_owned);
    crate::digest::shorten(&text)
}

impl Fields {
    /// ```text
    /// TBSCertificate ::= SEQUENCE { version [0] DEFAULT v1, serialNumber INTEGER, signature AlgorithmIdentifier,
    ///     issuer Name, validity SEQUENCE { notBefore Time, notAfter Time }, subject Name, subjectPublicKeyInfo,
    ///     issuerUniqueID [1] OPTIONAL, subjectUniqueID [2] OPTIONAL, extensions [3] OPTIONAL }
    /// ```
    /// Also returns the signature algorithm, to be compared with the one outside.
    fn read<'a>(tbs: &Tlv<'a>) -> Result<(Self, Tlv<'a>), CertificateError> {
        let mut cursor = Cursor::new(tbs.value)?;
        let version = read_version(&mut cursor)?;
        let serial = SerialNumber::read(&mut cursor)?;
        let algorithm = cursor.expect(Tag::Sequence)?;
        let issuer = Name::read(&mut cursor)?;
        let validity = read_validity(&mut cursor)?;
        let subject = Name::read(&mut cursor)?;
        let key = PublicKey::read(&mut cursor)?;
        let ids = [cursor.optional(primitive(1))?, cursor.optional(primitive(2))?];
        let extensions = cursor.optional(constructed(3))?;
        cursor.finish()?;
        let needed = if extensions.is_some() { 3 } else { 1 + u32::from(ids.iter().any(Option::is_some)) };
        if version < needed {
            return Err(CertificateError::Version { version });
        }
        let extensions = extensions.map(|field| certificate_extensions(field.value)).transpose()?.unwrap_or_default();
        let find = |oid| extensions.iter().find(|extension| extension.oid == oid);
        let basic_constraints = decode(find(extension::BASIC_CONSTRAINTS), BasicConstraints::parse)?;
        let key_usage = decode(find(extension::KEY_USAGE), KeyUsage::from_der)?;
        let extended_key_usage =
            decode(find(extension::EXTENDED_KEY_USAGE), ExtendedKeyUsage::from_der)?.map(|usage| usage.0);
        let fields = Self {
            serial,
            issuer,
            validity,
            subject,
            key,
            extensions,
            basic_constraints,
            key_usage,
            extended_key_usage,
        };
        Ok((fields, algorithm))
    }
}

/// The version, counted from 1.
fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, CertificateError> {
    let Some(field) = cursor.optional(constructed(0))? else { return Ok(1) };
    let mut inside = Cursor::new(field.value)?;
    let version = inside.small_integer()?.saturating_add(1);
    inside.finish()?;
    if version > 3 { Err(CertificateError::Version { version }) } else { Ok(version) }
}

fn read_validity(cursor: &mut Cursor<'_>) -> der::Result<ValidityPeriod> {
    let mut validity = cursor.enter(Tag::Sequence)?;
    let (not_before, not_after) = (read_time(&mut validity)?, read_time(&mut validity)?);
    validity.finish()?;
    Ok(ValidityPeriod { not_before, not_after })
}

fn certificate_extensions(explicit: &[u8]) -> Result<Vec<Extension>, CertificateError> {
    let list = only(explicit, Tag::Sequence)?;
    read_extensions(list.value).map_err(|error| match error {
        ExtensionsError::Malformed(source) => CertificateError::Malformed { source },
        ExtensionsError::Duplicate(oid) => CertificateError::DuplicateExtension { extension: oid.to_string() },
    })
}

fn decode<'a, T>(
    extension: Option<&'a Extension>,
    parse: impl FnOnce(&'a [u8]) -> der::Result<T>,
) -> Result<Option<T>, CertificateError> {
    extension.map(|extension| in_extension(extension.oid, parse(&extension.value))).transpose()
}

/// A serial number: the content octets of the INTEGER, as received. `Display` is lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// Reads an INTEGER of at most 20 octets and a sign octet.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> der::Result<Self> {
        let octets = cursor.integer()?;
        if octets.len() > SERIAL_MOST {
            return Err(Tag::Integer.length_error().into());
        }
        Ok(Self(octets.to_vec()))
    }

    /// The content octets of the INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Something that orders numbers by their value; for what cannot be negative, such as CRL numbers.
    pub(crate) fn magnitude(&self) -> (usize, &[u8]) {
        let octets = match self.0.as_slice() {
            [0, rest @ ..] => rest,
            all => all,
        };
        (octets.len(), octets)
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Where a certificate says its revocation can be asked about (CRLDistributionPoints, AuthorityInfoAccess).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationSources {
    /// The distribution points, in order.
    pub crl_points: Vec<DistributionPoint>,
    /// URLs of OCSP responders, whatever their scheme.
    pub ocsp_urls: Vec<String>,
    /// URLs of delta CRLs, whatever their scheme.
    pub freshest_urls: Vec<String>,
    /// Whether the certificate itself has a freshestCRL extension.
    pub has_freshest_crl: bool,
}

impl RevocationSources {
    /// All `http:` and `https:` URLs of all points, in order, without repetition.
    pub fn http_crl_urls(&self) -> Vec<&str> {
        http_urls(self.crl_points.iter().flat_map(|point| &point.urls))
    }

    /// All `http:` and `https:` URLs of OCSP responders, in order, without repetition.
    pub fn http_ocsp_urls(&self) -> Vec<&str> {
        http_urls(&self.ocsp_urls)
    }

    /// All `http:` and `https:` URLs of delta CRLs that the certificate itself names, in order, without repetition.
    pub fn http_freshest_urls(&self) -> Vec<&str> {
        http_urls(&self.freshest_urls)
    }

    /// Whether nothing is offered at all.
    pub fn is_empty(&self) -> bool {
        self.crl_points.is_empty() && self.ocsp_urls.is_empty()
    }
}

/// Those that are `http:` or `https:`, in order, without repetition.
pub(crate) fn http_urls<'a>(urls: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for url in urls {
        if is_http(url) && !found.contains(&url.as_str()) {
            found.push(url);
        }
    }
    found
}

fn is_http(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// One CRL distribution point (RFC 5280 §4.2.1.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DistributionPoint {
    /// The URLs of its full name, whatever their scheme: alternatives for one CRL.
    pub urls: Vec<String>,
    /// Whether it is for some revocation reasons only.
    pub has_reasons: bool,
    /// Whether another authority than the certificate's issuer signs its CRL (indirect CRL).
    pub has_crl_issuer: bool,
}
