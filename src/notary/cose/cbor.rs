//! CBOR as bulla reads it: RFC 8949, one item, nothing behind it, every item in the one shortest form, no key twice.
//!
//! The decoder is ciborium, which takes much more: lengths that are not said beforehand, a key twice, bignums and
//! `undefined` in place of integers and null, any number of items. What two decoders could read differently, or what
//! costs far more memory than bytes, is refused here, before anything is decoded.

use std::collections::HashSet;

use coset::cbor::Value;
use coset::cbor::de::from_reader;

/// How deep items may nest. An honest envelope has five levels, a countersigned one eight.
const DEPTH: usize = 16;

/// How many items there may be. An honest envelope has about thirty; each costs a decoder up to 60 bytes.
const ITEMS: usize = 10_000;

/// CBOR that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// The bytes end in the middle of an item.
    #[error("it is cut short")]
    Truncated,
    /// Something stands behind the item.
    #[error("{bytes} bytes stand behind it")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A string, array or map that does not say its length beforehand.
    #[error("it holds an item of indefinite length")]
    Indefinite,
    /// A number or length in more bytes than it needs.
    #[error("it holds a number or length that is not in its shortest form")]
    NotShortest,
    /// A key twice in one map.
    #[error("it holds a map with a key twice")]
    DuplicateKey,
    /// A text string that is not UTF-8.
    #[error("it holds a text string that is not UTF-8")]
    NotUtf8,
    /// `undefined`, an unassigned simple value, a bignum, or a reserved form.
    #[error("it holds a kind of item that has no place in an envelope")]
    Unsupported,
    /// Nested too deep.
    #[error("it nests more than {DEPTH} levels deep")]
    TooDeep,
    /// Too many items.
    #[error("it holds more than {ITEMS} items")]
    TooMany,
}

/// Decodes `bytes` as one item.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, CborError> {
    let mut reader = Reader { rest: bytes, items: 0 };
    reader.item(0)?;
    match reader.rest.len() {
        0 => from_reader(bytes).map_err(|_| CborError::Unsupported),
        bytes => Err(CborError::Trailing { bytes }),
    }
}

/// Walks over items without building them.
struct Reader<'a> {
    rest: &'a [u8],
    items: usize,
}

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<(), CborError> {
        self.items = self.items.saturating_add(1);
        if self.items > ITEMS {
            return Err(CborError::TooMany);
        }
        if depth >= DEPTH {
            return Err(CborError::TooDeep);
        }
        let [initial] = self.array()?;
        let (major, info) = (initial >> 5, initial & 0x1f);
        if major == 7 {
            return self.simple(info);
        }
        let number = self.number(info)?;
        match major {
            0 | 1 => Ok(()),
            2 => self.take(number).map(drop),
            3 => std::str::from_utf8(self.take(number)?).map(drop).map_err(|_| CborError::NotUtf8),
            // Each turn takes a byte at least, so a length that the bytes do not bear out ends soon.
            4 => (0..number).try_for_each(|_| self.item(depth.saturating_add(1))),
            5 => self.map(number, depth.saturating_add(1)),
            // ciborium makes integers of bignums: one value in two forms.
            _ if matches!(number, 2 | 3) => Err(CborError::Unsupported),
            // A time that is no number (RFC 8949 §3.4.2).
            _ if number == 1 && !self.begins_with_number() => Err(CborError::Unsupported),
            _ => self.item(depth.saturating_add(1)),
        }
    }

    /// Whether an integer or a floating-point number comes next.
    fn begins_with_number(&self) -> bool {
        self.rest.first().is_some_and(|initial| matches!((initial >> 5, initial & 0x1f), (0 | 1, _) | (7, 25..=27)))
    }

    /// `number` pairs. The form being the shortest everywhere, equal keys have equal bytes.
    fn map(&mut self, number: u64, depth: usize) -> Result<(), CborError> {
        let mut seen = HashSet::new();
        for _ in 0..number {
            let before = self.rest;
            self.item(depth)?;
            let key = before.get(..before.len().saturating_sub(self.rest.len())).unwrap_or_default();
            if !seen.insert(key) {
                return Err(CborError::DuplicateKey);
            }
            self.item(depth)?;
        }
        Ok(())
    }

    /// false, true, null, and floating-point numbers of the three widths.
    fn simple(&mut self, info: u8) -> Result<(), CborError> {
        match info {
            20..=22 => Ok(()),
            25 => self.take(2).map(drop),
            26 => self.take(4).map(drop),
            27 => self.take(8).map(drop),
            31 => Err(CborError::Indefinite),
            _ => Err(CborError::Unsupported),
        }
    }

    /// The argument of an item's head, which must not be longer than needed.
    fn number(&mut self, info: u8) -> Result<u64, CborError> {
        let (number, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(self.array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array()?), 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Unsupported),
        };
        if number < least { Err(CborError::NotShortest) } else { Ok(number) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unambiguous_is_read() {
        for (what, bytes, wanted) in [
            ("integer", &[0x18, 24][..], Value::from(24)),
            ("negative", &[0x38, 0x24], Value::from(-37)),
            ("bytes", &[0x42, 1, 2], Value::Bytes(vec![1, 2])),
            ("text", "\u{62}\u{fc}".as_bytes(), Value::from("ü")),
            ("null", &[0xf6], Value::Null),
            ("tag 1", &[0xc1, 0x01], Value::Tag(1, Box::new(Value::from(1)))),
            ("half", &[0xf9, 0x3c, 0x00], Value::from(1.0)),
            (
                "unsorted map",
                &[0xa2, 2, 0, 1, 0],
                Value::Map([(2, 0), (1, 0)].map(|(k, v)| (k.into(), v.into())).into()),
            ),
        ] {
            assert_eq!(decode(bytes), Ok(wanted), "{what}");
        }
        assert!(decode(&[&[0x81; DEPTH - 1][..], &[0x00]].concat()).is_ok());
    }

    #[test]
    fn what_decoders_could_read_differently_is_refused() {
        use CborError::{DuplicateKey, Indefinite, NotShortest, NotUtf8, TooDeep, Trailing, Truncated, Unsupported};
        for (what, bytes, error) in [
            ("4.15 indefinite bytes", &[0x5f, 0x41, 0, 0xff][..], Indefinite),
            ("4.15 indefinite text", &[0x7f, 0x61, b'a', 0xff], Indefinite),
            ("4.15 indefinite array", &[0x9f, 0xff], Indefinite),
            ("4.15 indefinite map", &[0xbf, 0xff], Indefinite),
            ("break alone", &[0xff], Indefinite),
            ("4.15 key twice", &[0xa2, 1, 0, 1, 1], DuplicateKey),
            ("4.15 key twice, text", &[0xa2, 0x61, b'a', 0, 0x61, b'a', 0], DuplicateKey),
            ("4.15 key twice, inside", &[0x81, 0xa1, 1, 0xa2, 1, 0, 1, 0], DuplicateKey),
            ("key twice in two forms", &[0xa2, 1, 0, 0x18, 1, 0], NotShortest),
            ("long number", &[0x18, 23], NotShortest),
            ("long number", &[0x39, 0, 255], NotShortest),
            ("long length", &[0x5a, 0, 0, 0xff, 0xff], NotShortest),
            ("long length", &[0x9b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], NotShortest),
            ("bignum", &[0xc2, 0x41, 1], Unsupported),
            ("negative bignum", &[0xc3, 0x41, 1], Unsupported),
            ("undefined", &[0xf7], Unsupported),
            ("simple value", &[0xf8, 0x20], Unsupported),
            ("true in two bytes", &[0xf8, 21], Unsupported),
            ("reserved", &[0x1c], Unsupported),
            ("no UTF-8", &[0x62, 0xc3, 0x28], NotUtf8),
            ("bytes behind", &[0, 0, 0], Trailing { bytes: 2 }),
            ("nothing", &[], Truncated),
            ("short head", &[0x19, 1], Truncated),
            ("short bytes", &[0x43, 1, 2], Truncated),
            ("endless bytes", &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Truncated),
            ("endless array", &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Truncated),
            ("endless map", &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Truncated),
            ("deep arrays", &[0x81; 100_000], TooDeep),
            ("deep tags", &[0xc4; 100_000], TooDeep),
            ("a time that is a text", &[0xc1, 0x61, b'x'], Unsupported),
            ("a time that is true", &[0xc1, 0xf5], Unsupported),
            ("deep maps", &[0xa1; 100_000], TooDeep),
        ] {
            assert_eq!(decode(bytes), Err(error), "{what}");
        }
        let many = [&[0x99, 0x27, 0x10][..], &[0; ITEMS]].concat();
        assert_eq!(decode(&many), Err(CborError::TooMany));
    }

    fn holds_float(value: &Value) -> bool {
        match value {
            Value::Float(_) => true,
            Value::Tag(_, value) => holds_float(value),
            Value::Array(values) => values.iter().any(holds_float),
            Value::Map(pairs) => pairs.iter().any(|(key, value)| holds_float(key) || holds_float(value)),
            _ => false,
        }
    }

    /// What is accepted has one form only: ciborium, writing it again, gives the same bytes. Floating-point numbers have
    /// three widths, and no place in an envelope but inside extended attributes.
    #[test]
    fn what_is_accepted_has_one_form() {
        let (mut state, mut accepted) = (0x9e37_79b9_7f4a_7c15_u64, 0);
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        };
        for _ in 0..300_000 {
            let [length, rest @ ..] = random();
            let bytes = [&rest[..], &random()].concat();
            // Small numbers and lengths, or hardly anything would be an item.
            let bytes: Vec<u8> = bytes.iter().map(|byte| if byte & 4 == 0 { byte & 0xe3 } else { *byte }).collect();
            let bytes = &bytes[..1 + usize::from(length) % 10];
            let Ok(value) = decode(bytes) else { continue };
            if holds_float(&value) {
                continue;
            }
            accepted += 1;
            let mut again = Vec::new();
            coset::cbor::ser::into_writer(&value, &mut again).unwrap();
            assert_eq!(again, bytes);
        }
        assert!(accepted > 10_000, "{accepted}");
    }
}
