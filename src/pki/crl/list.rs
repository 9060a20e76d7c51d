//! A CRL around its entries: `TBSCertList` and the extensions of the list (RFC 5280 §5.1, §5.2).

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::pki::asn1_time::{read_optional_time, read_time};
use crate::pki::extension::{self, Extension, ExtensionsError, read_extensions};
use crate::pki::tlv::{Cursor, Tlv, constructed, only};
use crate::pki::{CrlError, IssuingDistributionPoint, Name, SerialNumber};
use crate::time::UnixTime;

const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const DELTA_CRL_INDICATOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.27");
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

pub(super) struct TbsCertList<'a> {
    pub(super) algorithm: Tlv<'a>,
    pub(super) issuer: Name,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
    pub(super) entries: &'a [u8],
    /// Octets of the TBS behind the entries.
    pub(super) behind_entries: usize,
    pub(super) extensions: Extensions,
}

impl<'a> TbsCertList<'a> {
    /// ```text
    /// TBSCertList ::= SEQUENCE { version INTEGER OPTIONAL, signature AlgorithmIdentifier, issuer Name, thisUpdate Time,
    ///     nextUpdate Time OPTIONAL, revokedCertificates SEQUENCE OF ... OPTIONAL, crlExtensions [0] OPTIONAL }
    /// ```
    pub(super) fn read(tbs: &Tlv<'a>) -> Result<Self, CrlError> {
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

/// The extensions of the list that are interpreted.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) number: Option<SerialNumber>,
    pub(super) number_is_critical: bool,
    pub(super) base_crl_number: Option<SerialNumber>,
    pub(super) idp: Option<IssuingDistributionPoint>,
    pub(super) freshest_urls: Vec<String>,
    /// The first critical one that is not interpreted.
    pub(super) unsupported: Option<ObjectIdentifier>,
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
            CRL_NUMBER => {
                self.number = Some(number(value)?);
                self.number_is_critical = extension.critical;
            }
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

pub(super) fn list_error(error: ExtensionsError) -> CrlError {
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
