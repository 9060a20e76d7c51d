//! A cursor over DER that hands out slices of the received bytes: what is hashed must be what was received.

use der::asn1::ObjectIdentifier;
use der::{Decode, ErrorKind, Header, Reader, SliceReader, Tag, TagNumber};

/// One value: its tag, its content and the whole encoding, both as slices of the input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: Tag,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// Reads values one behind the other. Strict DER: no indefinite and no overlong lengths.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    reader: SliceReader<'a>,
    input: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(input: &'a [u8]) -> der::Result<Self> {
        Ok(Self { reader: SliceReader::new(input)?, input })
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    /// How many octets were read.
    pub(crate) fn position(&self) -> usize {
        usize::try_from(self.reader.position()).unwrap_or(usize::MAX)
    }

    /// The next value, whatever its tag.
    pub(crate) fn any(&mut self) -> der::Result<Tlv<'a>> {
        let start = usize::try_from(self.reader.position())?;
        let header = Header::decode(&mut self.reader)?;
        let value = self.reader.read_slice(header.length())?;
        let end = usize::try_from(self.reader.position())?;
        let raw = self.input.get(start..end).ok_or(ErrorKind::Failed)?;
        Ok(Tlv { tag: header.tag(), value, raw })
    }

    /// The next value, which must have that tag.
    pub(crate) fn expect(&mut self, tag: Tag) -> der::Result<Tlv<'a>> {
        let tlv = self.any()?;
        tlv.tag.assert_eq(tag)?;
        Ok(tlv)
    }

    /// The next value, if it has that tag.
    pub(crate) fn optional(&mut self, tag: Tag) -> der::Result<Option<Tlv<'a>>> {
        if self.is_finished() || Tag::peek(&self.reader)? != tag {
            return Ok(None);
        }
        self.any().map(Some)
    }

    /// The inside of the next value.
    pub(crate) fn enter(&mut self, tag: Tag) -> der::Result<Self> {
        Self::new(self.expect(tag)?.value)
    }

    pub(crate) fn oid(&mut self) -> der::Result<ObjectIdentifier> {
        Ok(ObjectIdentifier::from_bytes(self.expect(Tag::ObjectIdentifier)?.value)?)
    }

    /// The content octets of an INTEGER in its shortest form.
    pub(crate) fn integer(&mut self) -> der::Result<&'a [u8]> {
        let value = self.expect(Tag::Integer)?.value;
        match value {
            [] => Err(Tag::Integer.length_error().into()),
            [0x00, next, ..] if *next < 0x80 => Err(Tag::Integer.non_canonical_error().into()),
            [0xff, next, ..] if *next >= 0x80 => Err(Tag::Integer.non_canonical_error().into()),
            _ => Ok(value),
        }
    }

    /// A small INTEGER that is not negative.
    pub(crate) fn small_integer(&mut self) -> der::Result<u32> {
        let value = self.integer()?;
        to_u32(value).ok_or_else(|| Tag::Integer.value_error().into())
    }

    /// The octets of a BIT STRING without unused bits, as keys and signatures are.
    pub(crate) fn bit_octets(&mut self) -> der::Result<&'a [u8]> {
        match self.expect(Tag::BitString)?.value {
            [0, octets @ ..] => Ok(octets),
            _ => Err(Tag::BitString.value_error().into()),
        }
    }

    /// Refuses anything that is left.
    pub(crate) fn finish(self) -> der::Result<()> {
        self.reader.finish()
    }
}

/// The single value that `input` is, with nothing behind it.
pub(crate) fn only(input: &[u8], tag: Tag) -> der::Result<Tlv<'_>> {
    let mut cursor = Cursor::new(input)?;
    let tlv = cursor.expect(tag)?;
    cursor.finish()?;
    Ok(tlv)
}

/// The content octets of an INTEGER as a number, unless negative or too large.
pub(crate) fn to_u32(octets: &[u8]) -> Option<u32> {
    let octets = match octets {
        [] | [0x80..=0xff, ..] => return None,
        [0, rest @ ..] => rest,
        all => all,
    };
    if octets.len() > 4 {
        return None;
    }
    Some(octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet)))
}

/// `[number]`, constructed.
pub(crate) const fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// `[number]`, primitive.
pub(crate) const fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// A BOOLEAN's content: DER knows 0x00 and 0xff only.
pub(crate) fn boolean(value: &[u8]) -> der::Result<bool> {
    match value {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(Tag::Boolean.value_error().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_definite_and_short() {
        assert!(only(&[0x30, 0x00], Tag::Sequence).is_ok());
        assert!(only(&[0x30, 0x00, 0x00], Tag::Sequence).is_err(), "trailing byte");
        assert!(only(&[0x30, 0x81, 0x00], Tag::Sequence).is_err(), "overlong length");
        let indefinite = only(&[0x30, 0x80, 0x00, 0x00], Tag::Sequence).unwrap_err();
        assert_eq!(indefinite.kind(), ErrorKind::IndefiniteLength);
        assert!(only(&[0x24, 0x02, 0x04, 0x00], Tag::OctetString).is_err(), "constructed string");
        assert!(only(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Tag::Sequence).is_err(), "longer than the input");
    }

    #[test]
    fn integers_have_one_encoding() {
        let read = |bytes: &[u8]| Cursor::new(bytes).unwrap().small_integer().ok();
        assert_eq!(read(&[2, 1, 0]), Some(0));
        assert_eq!(read(&[2, 2, 0, 0x80]), Some(128));
        assert_eq!(read(&[2, 5, 0, 0xff, 0xff, 0xff, 0xff]), Some(u32::MAX));
        for bad in [&[2, 0][..], &[2, 2, 0, 1], &[2, 2, 0xff, 0x80], &[2, 1, 0xff], &[2, 5, 1, 0, 0, 0, 0]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
