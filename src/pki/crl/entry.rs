//! The entries of a CRL (RFC 5280 §5.3), one by one and without an allocation.

use der::Tag;
use der::asn1::ObjectIdentifier;

use crate::pki::asn1_time::parse_time;
use crate::pki::extension::read_extensions;
use crate::pki::revocation::{ReasonCode, reason_code};
use crate::pki::tlv::{Cursor, Tlv, is_shortest, only};
use crate::pki::{Revocation, RevocationReason};
use crate::time::UnixTime;

pub(super) const REASON_CODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
pub(super) const INVALIDITY_DATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.24");
pub(super) const CERTIFICATE_ISSUER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.29");

/// One entry: `SEQUENCE { userCertificate INTEGER, revocationDate Time, crlEntryExtensions SEQUENCE OPTIONAL }`.
pub(super) struct Entry<'a> {
    pub(super) serial: &'a [u8],
    pub(super) date: Tlv<'a>,
    pub(super) extensions: Option<Tlv<'a>>,
}

impl<'a> Entry<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> der::Result<Self> {
        let mut fields = cursor.enter(Tag::Sequence)?;
        let serial = fields.integer()?;
        let date = fields.any()?;
        let extensions = fields.optional(Tag::Sequence)?;
        fields.finish()?;
        Ok(Self { serial, date, extensions })
    }
}

/// Entries one behind the other, each with its offset.
pub(super) struct Entries<'a> {
    all: &'a [u8],
    offset: usize,
}

impl<'a> Entries<'a> {
    pub(super) const fn of(all: &'a [u8]) -> Self {
        Self { all, offset: 0 }
    }

    pub(super) fn next(&mut self) -> der::Result<Option<(usize, Entry<'a>)>> {
        let offset = self.offset;
        let rest = self.all.get(offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (entry, length) = match usual_entry(rest) {
            Some(found) => found,
            None => {
                let mut cursor = Cursor::new(rest)?;
                (Entry::read(&mut cursor)?, cursor.position())
            }
        };
        self.offset = offset.saturating_add(length);
        Ok(Some((offset, entry)))
    }
}

/// The entry at the front and its length, if every length in it is below 128 and its date is a UTCTime or a
/// GeneralizedTime: so are all real ones, and there may be a million. Whatever is not so is left to [`Entry::read`].
pub(super) fn usual_entry(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let (entry, _) = short(bytes)?;
    let (serial, rest) = short(entry.value)?;
    let (date, rest) = short(rest)?;
    let extensions = if rest.is_empty() { None } else { short(rest).filter(|(_, rest)| rest.is_empty()) };
    let whole = rest.is_empty() || extensions.is_some();
    let tags = entry.tag == Tag::Sequence
        && serial.tag == Tag::Integer
        && is_shortest(serial.value)
        && matches!(date.tag, Tag::UtcTime | Tag::GeneralizedTime)
        && extensions.is_none_or(|(list, _)| list.tag == Tag::Sequence);
    let extensions = extensions.map(|(list, _)| list);
    (whole && tags).then_some((Entry { serial: serial.value, date, extensions }, entry.raw.len()))
}

/// A value of less than 128 octets under one of the four tags that entries are made of, and what is behind it.
fn short(bytes: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (tag, length) = match bytes {
        [tag, length @ 0..=127, ..] => (*tag, usize::from(*length)),
        _ => return None,
    };
    let tag = match tag {
        0x02 => Tag::Integer,
        0x17 => Tag::UtcTime,
        0x18 => Tag::GeneralizedTime,
        0x30 => Tag::Sequence,
        _ => return None,
    };
    let (raw, rest) = bytes.split_at_checked(length.saturating_add(2))?;
    Some((Tlv { tag, value: raw.get(2..)?, raw }, rest))
}

pub(super) fn count_entries(entries: &[u8]) -> der::Result<usize> {
    let mut entries = Entries::of(entries);
    let mut count = 0_usize;
    while entries.next()?.is_some() {
        count = count.saturating_add(1);
    }
    Ok(count)
}

/// The value of one extension of an entry, without an allocation.
pub(super) fn entry_extension<'a>(entry: &Entry<'a>, wanted: ObjectIdentifier) -> der::Result<Option<&'a [u8]>> {
    let mut list = Cursor::new(entry.extensions.map_or(&[][..], |list| list.value))?;
    while !list.is_finished() {
        let mut fields = list.enter(Tag::Sequence)?;
        if fields.expect(Tag::ObjectIdentifier)?.value == wanted.as_bytes() {
            fields.optional(Tag::Boolean)?;
            return Ok(Some(fields.expect(Tag::OctetString)?.value));
        }
    }
    Ok(None)
}

/// What one entry says.
#[derive(Clone, Copy)]
pub(super) enum Line {
    Revoked(Revocation),
    /// A hold, or a certificate that has expired: no longer listed since then.
    Removed(UnixTime),
}

impl Line {
    /// What two entries about one certificate say together. No honest list has them, so nothing good comes of it.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Revoked(one), Self::Revoked(other)) => Self::Revoked(one.and(&other)),
            (revoked @ Self::Revoked(_), Self::Removed(_)) | (Self::Removed(_), revoked @ Self::Revoked(_)) => revoked,
            (Self::Removed(one), Self::Removed(other)) => Self::Removed(one.min(other)),
        }
    }
}

pub(super) fn read_line(entry: &Entry<'_>, indirect: bool) -> Result<Line, &'static str> {
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
            CERTIFICATE_ISSUER if indirect => {}
            CERTIFICATE_ISSUER => return Err("it is of another issuer (indirect CRL)"),
            _ if extension.critical => return Err("it has an unknown critical extension"),
            _ => {}
        }
    }
    Ok(if removed { Line::Removed(date) } else { Line::Revoked(revocation) })
}
