//! The scope of a CRL: distribution points and issuingDistributionPoint (RFC 5280 §4.2.1.13, §5.2.5, §6.3.3 b and d).

use der::{ErrorKind, Tag};

use super::extension::{CRL_DISTRIBUTION_POINTS, MOST_POINTS};
use super::general_name::{GeneralName, NameKey};
use super::name::{Attribute, Name, canonical_rdn, read_relative};
use super::tlv::{Cursor, Tlv, boolean, constructed, only, primitive};
use super::{Certificate, DistributionPoint};

/// Reasons for a revocation, as a set (`ReasonFlags`, RFC 5280 §4.2.1.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reasons(u16);

impl Reasons {
    pub(crate) const NONE: Self = Self(0);
    /// keyCompromise (1) to aACompromise (8).
    pub(crate) const ALL: Self = Self(0b1_1111_1110);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// `ReasonFlags ::= BIT STRING`, its bits counted from the first; bit 0 is unused.
    fn read(field: &Tlv<'_>) -> der::Result<Self> {
        let [unused @ 0..=7, octets @ ..] = field.value else { return Err(Tag::BitString.value_error().into()) };
        if octets.is_empty() && *unused > 0 {
            return Err(Tag::BitString.value_error().into());
        }
        let bits = octets.iter().flat_map(|octet| (0..8).map(move |bit| octet & (0x80 >> bit) != 0));
        let set = bits.take(9).zip(0_u32..).filter(|(is_set, _)| *is_set);
        Ok(Self(set.fold(0_u16, |sum, (_, bit)| sum | 1 << bit)).and(Self::ALL))
    }
}

/// `DistributionPointName ::= CHOICE { fullName [0] GeneralNames, nameRelativeToCRLIssuer [1] RelativeDistinguishedName }`
#[derive(Debug, Clone, PartialEq, Eq)]
enum PointName {
    Full(Vec<GeneralName>),
    Relative(Vec<Attribute>),
}

impl PointName {
    fn read(explicit: &[u8]) -> der::Result<Self> {
        let mut inside = Cursor::new(explicit)?;
        let field = inside.any()?;
        inside.finish()?;
        match field.tag {
            tag if tag == constructed(0) => Ok(Self::Full(GeneralName::read_all(field.value, MOST_POINTS)?)),
            tag if tag == constructed(1) => Ok(Self::Relative(read_relative(field.value)?)),
            other => Err(other.unexpected_error(None).into()),
        }
    }

    /// The names in comparable form; a relative one is put behind `issuer`.
    fn keys(&self, issuer: &Name) -> Vec<NameKey> {
        match self {
            Self::Full(names) => names.iter().map(GeneralName::key).collect(),
            Self::Relative(rdn) => {
                let mut name = issuer.canonical();
                name.push(canonical_rdn(rdn));
                vec![NameKey::Directory(name)]
            }
        }
    }

    fn urls(&self) -> Vec<String> {
        let Self::Full(names) = self else { return Vec::new() };
        let url = |name: &GeneralName| match name {
            GeneralName::Uri(url) => Some(url.clone()),
            _ => None,
        };
        names.iter().filter_map(url).collect()
    }
}

/// One distribution point of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    name: Option<PointName>,
    reasons: Option<Reasons>,
    /// cRLIssuer: who signs the CRL, if not the certificate's issuer.
    issuers: Vec<GeneralName>,
}

impl Point {
    /// `DistributionPoint ::= SEQUENCE { distributionPoint [0] OPTIONAL, reasons [1] OPTIONAL, cRLIssuer [2] OPTIONAL }`
    fn read(mut fields: Cursor<'_>) -> der::Result<Self> {
        let name = fields.optional(constructed(0))?.map(|field| PointName::read(field.value)).transpose()?;
        let reasons = fields.optional(primitive(1))?.map(|field| Reasons::read(&field)).transpose()?;
        let issuers = fields.optional(constructed(2))?;
        let issuers = issuers.map(|field| GeneralName::read_all(field.value, MOST_POINTS)).transpose()?;
        fields.finish()?;
        Ok(Self { name, reasons, issuers: issuers.unwrap_or_default() })
    }

    /// Reads CRLDistributionPoints or FreshestCRL, which have the same form.
    pub(crate) fn read_all(value: &[u8]) -> der::Result<Vec<Self>> {
        let mut list = Cursor::new(only(value, Tag::Sequence)?.value)?;
        let mut points = Vec::new();
        while !list.is_finished() {
            if points.len() >= MOST_POINTS {
                return Err(ErrorKind::Overlength.into());
            }
            points.push(Self::read(list.enter(Tag::Sequence)?)?);
        }
        Ok(points)
    }

    /// The points of a certificate, and at the end the one that every certificate has: any CRL of its own issuer, for all
    /// reasons (RFC 5280 §6.3.3, last paragraph).
    pub(crate) fn of(certificate: &Certificate) -> der::Result<Vec<Self>> {
        let named = certificate.extension(CRL_DISTRIBUTION_POINTS);
        let mut points = named.map(|extension| Self::read_all(&extension.value)).transpose()?.unwrap_or_default();
        let issuer = GeneralName::Directory(certificate.issuer().clone());
        points.push(Self { name: Some(PointName::Full(vec![issuer])), reasons: None, issuers: Vec::new() });
        Ok(points)
    }

    /// The authorities that sign the CRL in the issuer's place.
    pub(crate) fn crl_issuers(&self) -> impl Iterator<Item = &Name> {
        self.issuers.iter().filter_map(|name| match name {
            GeneralName::Directory(name) => Some(name),
            _ => None,
        })
    }

    /// As callers see it.
    pub(crate) fn public(&self) -> DistributionPoint {
        DistributionPoint {
            urls: self.name.as_ref().map(PointName::urls).unwrap_or_default(),
            has_reasons: self.reasons.is_some(),
            has_crl_issuer: !self.issuers.is_empty(),
        }
    }

    /// The names that a CRL may have for this point of `certificate`.
    fn keys(&self, certificate: &Certificate) -> Vec<NameKey> {
        match &self.name {
            Some(name) => name.keys(self.crl_issuers().next().unwrap_or(certificate.issuer())),
            None => self.issuers.iter().map(GeneralName::key).collect(),
        }
    }
}

/// The scope of a CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuingDistributionPoint {
    /// URLs of the distribution point's full name.
    pub urls: Vec<String>,
    /// Lists end-entity certificates only.
    pub only_user_certs: bool,
    /// Lists CA certificates only.
    pub only_ca_certs: bool,
    /// Lists attribute certificates only.
    pub only_attribute_certs: bool,
    /// Lists some revocation reasons only.
    pub only_some_reasons: bool,
    /// Lists certificates of other issuers too.
    pub indirect: bool,
    name: Option<PointName>,
    reasons: Option<Reasons>,
}

impl IssuingDistributionPoint {
    /// ```text
    /// IssuingDistributionPoint ::= SEQUENCE { distributionPoint [0] OPTIONAL, onlyContainsUserCerts [1] DEFAULT FALSE,
    ///     onlyContainsCACerts [2] DEFAULT FALSE, onlySomeReasons [3] OPTIONAL, indirectCRL [4] DEFAULT FALSE,
    ///     onlyContainsAttributeCerts [5] DEFAULT FALSE }
    /// ```
    pub(crate) fn parse(value: &[u8]) -> der::Result<Self> {
        let mut fields = Cursor::new(only(value, Tag::Sequence)?.value)?;
        let name = fields.optional(constructed(0))?.map(|field| PointName::read(field.value)).transpose()?;
        let only_user_certs = flag(&mut fields, 1)?;
        let only_ca_certs = flag(&mut fields, 2)?;
        let reasons = fields.optional(primitive(3))?.map(|field| Reasons::read(&field)).transpose()?;
        let indirect = flag(&mut fields, 4)?;
        let only_attribute_certs = flag(&mut fields, 5)?;
        fields.finish()?;
        Ok(Self {
            urls: name.as_ref().map(PointName::urls).unwrap_or_default(),
            only_user_certs,
            only_ca_certs,
            only_attribute_certs,
            only_some_reasons: reasons.is_some(),
            indirect,
            name,
            reasons,
        })
    }

    /// Whether certificates of that kind are in the scope; otherwise what the scope is.
    fn covers_kind(&self, certificate: &Certificate) -> Result<(), &'static str> {
        if self.only_attribute_certs {
            return Err("it lists attribute certificates only");
        }
        if self.only_user_certs && certificate.is_ca() {
            return Err("it lists end-entity certificates only");
        }
        if self.only_ca_certs && !certificate.is_ca() {
            return Err("it lists CA certificates only");
        }
        Ok(())
    }
}

/// For which reasons a CRL of `issuer` with the scope `idp` speaks of `certificate` at one of its distribution points
/// (RFC 5280 §6.3.3 b and d); otherwise why it does not.
pub(crate) fn reasons_covered(
    issuer: &Name,
    idp: Option<&IssuingDistributionPoint>,
    certificate: &Certificate,
    point: &Point,
) -> Result<Reasons, &'static str> {
    if point.issuers.is_empty() {
        if !issuer.matches(certificate.issuer()) {
            return Err("it is another issuer's");
        }
    } else if !point.crl_issuers().any(|named| named.matches(issuer)) {
        return Err("the certificate names another issuer of CRLs");
    } else if !idp.is_some_and(|idp| idp.indirect) {
        return Err("the certificate asks for an indirect CRL, and it is none");
    }
    let at_point = point.reasons.unwrap_or(Reasons::ALL);
    let Some(idp) = idp else { return Ok(at_point) };
    idp.covers_kind(certificate)?;
    if let Some(name) = &idp.name {
        let (ours, theirs) = (name.keys(issuer), point.keys(certificate));
        if !ours.iter().any(|name| theirs.contains(name)) {
            return Err("it belongs to another distribution point");
        }
    }
    Ok(at_point.and(idp.reasons.unwrap_or(Reasons::ALL)))
}

/// Whether a direct CRL of the certificate's issuer speaks of it for all reasons, at any of its points: what the Notary
/// profile asks of a CRL.
pub(crate) fn covers_wholly(
    idp: Option<&IssuingDistributionPoint>,
    certificate: &Certificate,
) -> Result<(), &'static str> {
    let points = Point::of(certificate).map_err(|_| "the certificate's distribution points are malformed")?;
    let mut refusal = None;
    for point in &points {
        match reasons_covered(certificate.issuer(), idp, certificate, point) {
            Ok(reasons) if reasons.contains(Reasons::ALL) => return Ok(()),
            Ok(_) => refusal = Some("it lists certificates revoked for some reasons only"),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    Err(refusal.unwrap_or("it is another issuer's"))
}

/// `[number] IMPLICIT BOOLEAN DEFAULT FALSE`
fn flag(fields: &mut Cursor<'_>, number: u32) -> der::Result<bool> {
    fields.optional(primitive(number))?.map(|flag| boolean(flag.value)).transpose().map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_flags_are_counted_from_the_first_bit() {
        let read = |value: &[u8]| Reasons::read(&Tlv { tag: primitive(1), value, raw: value }).ok();
        assert_eq!(read(&[5, 0x60]), Some(Reasons(0b110)), "keyCompromise and cACompromise");
        assert_eq!(read(&[7, 0x7f, 0x80]), Some(Reasons::ALL));
        assert_eq!(read(&[0, 0x80]), Some(Reasons::NONE), "bit 0 is unused");
        assert_eq!(read(&[0]), Some(Reasons::NONE));
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[8, 0]), None);
        assert_eq!(read(&[1]), None);
    }
}
