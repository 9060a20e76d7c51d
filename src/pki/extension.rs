//! The extensions of certificates and CRLs that are interpreted.

use der::asn1::ObjectIdentifier;
use der::{Decode, Tag};
use x509_cert::ext::pkix::AuthorityInfoAccessSyntax;
use x509_cert::ext::pkix::name::GeneralName;

use super::scope::Point;
use super::tlv::{Cursor, boolean, only, to_u32};
use super::{CertificateError, DistributionPoint};

pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
pub(crate) const FRESHEST_CRL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.46");
pub(crate) const AUTHORITY_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
const OCSP_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");

/// Extensions in one certificate, CRL or entry. Real ones have about ten.
const MOST_EXTENSIONS: usize = 64;
/// Octets of all extensions of one certificate, CRL or entry: decoded, they take several times that.
const MOST_OCTETS: usize = 1 << 20;
/// Distribution points or access descriptions in one certificate, and names in one of them.
pub(crate) const MOST_POINTS: usize = 64;

/// One extension as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extension {
    pub(crate) oid: ObjectIdentifier,
    pub(crate) critical: bool,
    pub(crate) value: Vec<u8>,
}

/// Why a list of extensions cannot be read.
pub(crate) enum ExtensionsError {
    Malformed(der::Error),
    Duplicate(ObjectIdentifier),
}

impl From<der::Error> for ExtensionsError {
    fn from(source: der::Error) -> Self {
        Self::Malformed(source)
    }
}

/// Reads the inside of `Extensions ::= SEQUENCE OF SEQUENCE { extnID, critical BOOLEAN DEFAULT FALSE, extnValue }`.
///
/// An explicit FALSE is not DER, but occurs and changes nothing: what is hashed is what was received.
pub(crate) fn read_extensions(content: &[u8]) -> Result<Vec<Extension>, ExtensionsError> {
    if content.len() > MOST_OCTETS {
        return Err(der::Error::from(der::ErrorKind::Overlength).into());
    }
    let mut cursor = Cursor::new(content)?;
    let mut extensions: Vec<Extension> = Vec::new();
    while !cursor.is_finished() {
        if extensions.len() >= MOST_EXTENSIONS {
            return Err(der::Error::from(der::ErrorKind::Overlength).into());
        }
        let mut fields = cursor.enter(Tag::Sequence)?;
        let oid = fields.oid()?;
        let critical = fields.optional(Tag::Boolean)?.map(|flag| boolean(flag.value)).transpose()?.unwrap_or(false);
        let value = fields.expect(Tag::OctetString)?.value.to_vec();
        fields.finish()?;
        if extensions.iter().any(|other| other.oid == oid) {
            return Err(ExtensionsError::Duplicate(oid));
        }
        extensions.push(Extension { oid, critical, value });
    }
    Ok(extensions)
}

/// `BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u32>,
}

impl BasicConstraints {
    pub(crate) fn parse(value: &[u8]) -> der::Result<Self> {
        let mut fields = Cursor::new(only(value, Tag::Sequence)?.value)?;
        let ca = fields.optional(Tag::Boolean)?.map(|flag| boolean(flag.value)).transpose()?.unwrap_or(false);
        let path_len = if fields.is_finished() { None } else { Some(path_len(fields.integer()?)?) };
        fields.finish()?;
        Ok(Self { ca, path_len })
    }
}

/// A length beyond 32 bits constrains nothing more than the largest number.
fn path_len(octets: &[u8]) -> der::Result<u32> {
    match octets {
        [0x80..=0xff, ..] => Err(Tag::Integer.value_error().into()),
        all => Ok(to_u32(all).unwrap_or(u32::MAX)),
    }
}

/// The distribution points as callers see them.
pub(crate) fn public_points(value: &[u8]) -> der::Result<Vec<DistributionPoint>> {
    Ok(Point::read_all(value)?.iter().map(Point::public).collect())
}

/// Those of the names that are URLs.
fn urls(names: &[GeneralName]) -> Vec<String> {
    let url = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(url) => Some(url.as_str().to_owned()),
        _ => None,
    };
    names.iter().filter_map(url).collect()
}

/// The OCSP responders of AuthorityInfoAccess.
pub(crate) fn ocsp_urls(value: &[u8]) -> der::Result<Vec<String>> {
    let descriptions = AuthorityInfoAccessSyntax::from_der(value)?.0;
    if descriptions.len() > MOST_POINTS {
        return Err(der::ErrorKind::Overlength.into());
    }
    let ocsp = descriptions.into_iter().filter(|description| description.access_method == OCSP_ACCESS);
    Ok(ocsp.flat_map(|description| urls(&[description.access_location])).collect())
}

/// Names the extension that could not be read.
pub(crate) fn in_extension<T>(oid: ObjectIdentifier, result: der::Result<T>) -> Result<T, CertificateError> {
    result.map_err(|source| CertificateError::MalformedExtension { extension: oid.to_string(), source })
}
