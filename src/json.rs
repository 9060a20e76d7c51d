//! JSON as bulla reads it: RFC 8259, one value, nothing behind it, and no member twice.
//!
//! Two readers that disagree about which of two equal members counts would judge two different documents, so such a
//! document is refused before it is interpreted. So is one of more, and smaller, values than anything honest: each takes far
//! more memory than text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::code::{Diagnostic, DiagnosticCode};
use crate::digest::shorten;

/// How many values (members, elements and what holds them) any document may have, and members one object: they are all
/// remembered while it is read.
const ANY_VALUES: usize = 65_536;

/// From there on, how many bytes of the document there must be for each value. Inventories of bundles have 25, indexes of
/// layouts 38. A short annotation takes some 160 bytes of memory, so that a document of the greatest size takes half a
/// gigabyte and not two.
const BYTES_OF_A_VALUE: usize = 16;

/// Fewer members of an object than these are compared with each other; from there on they are looked up.
const FEW: usize = 16;

/// Parses `bytes` as one `T`.
///
/// # Errors
/// Malformed JSON, nesting beyond 128, a member twice in one object, bytes behind the value, more than 65,536 members in one
/// object, more than 65,536 values and more than one for every 16 bytes, or not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    Checked::new(bytes)?.parse()
}

/// A document that is JSON as bulla takes it, whatever it says: for one that is read as more than one thing.
#[derive(Clone, Copy)]
pub(crate) struct Checked<'a>(&'a [u8]);

impl<'a> Checked<'a> {
    /// # Errors
    /// As [`from_slice`], but for what only a `T` could say.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let most = ANY_VALUES.max(bytes.len() / BYTES_OF_A_VALUE);
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let (mut left, mut members) = (most, Vec::new());
        Unique { left: &mut left, most, members: &mut members }.deserialize(&mut reader)?;
        reader.end()?;
        Ok(Self(bytes))
    }

    /// # Errors
    /// It is not a `T`.
    pub(crate) fn parse<T: DeserializeOwned>(self) -> Result<T, JsonError> {
        Ok(serde_json::from_slice(self.0)?)
    }
}

/// Whether [`to_vec`] would give these bytes.
///
/// # Errors
/// As [`to_vec`].
pub(crate) fn is_written_as<T: serde::Serialize>(value: &T, bytes: &[u8]) -> Result<bool, JsonError> {
    let mut expected = Expected(bytes);
    match serde_json::to_writer(&mut expected, value) {
        Ok(()) => Ok(expected.0.is_empty()),
        Err(error) if error.is_io() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes these bytes and no others.
struct Expected<'a>(&'a [u8]);

impl io::Write for Expected<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Serializes a document of our own, compact. Struct members keep their order; maps must be ordered ones.
pub fn to_vec<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    Ok(serde_json::to_vec(value)?)
}

/// Serializes a document for people to read as well, with indentation.
pub fn to_vec_pretty<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    Ok(serde_json::to_vec_pretty(value)?)
}

/// A `T` that was written as a JSON object.
///
/// serde's derived readers also take an array of the members' values in order of declaration. Nobody else reads a
/// document like that, so nobody may write one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Any JSON value whose objects name each member once, and that has no more values in it than are left.
struct Unique<'a, 'de> {
    left: &'a mut usize,
    most: usize,
    /// The members seen so far of the objects that this value lies in.
    members: &'a mut Vec<Cow<'de, str>>,
}

impl<'de> Unique<'_, 'de> {
    /// For what is inside.
    const fn again(&mut self) -> Unique<'_, 'de> {
        Unique { left: self.left, most: self.most, members: self.members }
    }
}

/// The name of a member, without memory of its own where it is written as it reads.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for Unique<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Some(left) = self.left.checked_sub(1) else {
            let most = self.most;
            return Err(serde::de::Error::custom(format_args!("more than {most} values are too many for its size")));
        };
        *self.left = left;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.again())?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let first = self.members.len();
        let mut many = HashSet::new();
        let mut count = 0_usize;
        while let Some(Name(name)) = map.next_key()? {
            map.next_value_seed(self.again())?;
            if count >= ANY_VALUES {
                return Err(serde::de::Error::custom(format_args!("an object has more than {ANY_VALUES} members")));
            }
            count = count.saturating_add(1);
            if count == FEW {
                many.extend(self.members.drain(first..));
            }
            let twice = match count < FEW {
                true => self.members.get(first..).is_some_and(|members| members.contains(&name)),
                false => many.contains(&name),
            };
            if twice {
                return Err(serde::de::Error::custom(format_args!("member {name:?} appears twice")));
            }
            if count < FEW {
                self.members.push(name);
            } else {
                many.insert(name);
            }
        }
        self.members.truncate(first);
        Ok(())
    }
}

/// A JSON document that is not accepted. The message repeats parts of the document, so it is cut and cleaned.
#[derive(Debug, thiserror::Error)]
#[error("{}", shorten(&.0.to_string()))]
pub struct JsonError(#[from] serde_json::Error);

impl JsonError {
    /// Whether the text is no JSON at all, rather than JSON that is not what was wanted.
    pub fn is_syntax(&self) -> bool {
        self.0.is_syntax() || self.0.is_eof()
    }
}

impl Diagnostic for JsonError {
    fn code(&self) -> DiagnosticCode {
        DiagnosticCode::JsonMalformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_member_twice_is_refused_at_any_depth() {
        assert!(from_slice::<Value>(br#"{"a":1,"b":{"a":2}}"#).is_ok());
        for bad in [&br#"{"a":1,"a":1}"#[..], br#"[{"b":{"a":1,"a":2}}]"#, br#"{"a":1,"\u0061":1}"#] {
            let error = from_slice::<Value>(bad).unwrap_err().to_string();
            assert!(error.contains("\"a\" appears twice"), "{error}");
        }
    }

    /// Objects of few and of many members, and such in which others lie.
    #[test]
    fn a_member_twice_is_refused_among_any_number() {
        let object = |names: &[usize], inside: &str| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":{inside}")).collect();
            format!("{{{}}}", members.join(","))
        };
        for count in [1, FEW - 2, FEW - 1, FEW, FEW + 1, 10 * FEW] {
            let names: Vec<usize> = (0..count).collect();
            for inside in ["0", "{\"0\":[{\"1\":2}]}", &object(&names, "{}")] {
                assert!(from_slice::<Value>(object(&names, inside).as_bytes()).is_ok(), "{count}");
                for twice in [0, count / 2, count - 1] {
                    let names: Vec<usize> = names.iter().copied().chain([twice]).collect();
                    let error = from_slice::<Value>(object(&names, inside).as_bytes()).unwrap_err().to_string();
                    assert!(error.contains(&format!("\"{twice}\" appears twice")), "{count}: {error}");
                    let outside = format!("[{{\"a\":{}}}]", object(&names, "0"));
                    assert!(from_slice::<Value>(outside.as_bytes()).is_err());
                }
            }
        }
    }

    #[test]
    fn what_would_be_written_is_known_without_writing_it() {
        let value = serde_json::json!({ "a": [1, "\u{1}", null], "b": {} });
        let bytes = to_vec(&value).unwrap();
        assert!(is_written_as(&value, &bytes).unwrap());
        assert!(!is_written_as(&value, &[&bytes[..], b" "].concat()).unwrap());
        for place in 0..bytes.len() {
            assert!(!is_written_as(&value, &bytes[..place]).unwrap());
            let mut other = bytes.clone();
            other[place] ^= 1;
            assert!(!is_written_as(&value, &other).unwrap());
        }
    }

    #[test]
    fn trailing_bytes_and_bottomless_nesting_are_refused() {
        assert!(from_slice::<Value>(b"{} \n").is_ok());
        assert!(from_slice::<Value>(b"{} {}").is_err());
        assert!(from_slice::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_document_of_nothing_but_small_values_is_refused() {
        let of = |text: &str, count: usize| format!("[{}]", vec![text; count].join(","));
        let read = |text: &str| from_slice::<serde::de::IgnoredAny>(text.as_bytes()).map_err(|error| error.to_string());
        assert!(read(&of("0", ANY_VALUES - 1)).is_ok());
        let error = read(&of("0", ANY_VALUES)).unwrap_err();
        assert!(error.contains("more than 65536 values"), "{error}");
        // An array, a member and its value.
        assert!(read(&of("{\"a\":0}", ANY_VALUES / 2)).is_err());
        let honest = format!("\"{}\"", "x".repeat(BYTES_OF_A_VALUE));
        assert!(read(&of(&honest, 2 * ANY_VALUES)).is_ok());
        let members: Vec<String> = (0..=ANY_VALUES).map(|number| format!("\"{number}\":{honest}")).collect();
        let object = |count: usize| format!("{{{}}}", members[..count].join(","));
        assert!(read(&object(ANY_VALUES)).is_ok());
        assert!(read(&object(ANY_VALUES + 1)).unwrap_err().contains("members"));
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[expect(dead_code, reason = "only the reading is tested")]
        a: u8,
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(from_slice::<Pair>(b"[1]").is_ok(), "what serde would take");
        assert!(from_slice::<Object<Pair>>(b"[1]").is_err());
        assert!(from_slice::<Object<Pair>>(br#"{"a":1}"#).is_ok());
        assert!(from_slice::<Object<Pair>>(br#"{"a":1,"b":2}"#).is_err());
    }

    #[test]
    fn messages_are_short_and_printable() {
        let hostile = format!("{{\"\u{1b}[2J{}\":1,\"\u{1b}[2J{0}\":1}}", "x".repeat(100_000));
        let message = from_slice::<Value>(hostile.as_bytes()).unwrap_err().to_string();
        assert!(message.len() < 1_000 && !message.contains('\u{1b}'), "{message}");
    }
}
