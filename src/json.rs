//! JSON as bulla reads it: RFC 8259, one value, nothing behind it, and no member twice.
//!
//! Two readers that disagree about which of two equal members counts would judge two different documents, so such a
//! document is refused before it is interpreted.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::code::{Diagnostic, DiagnosticCode};

/// Parses `bytes` as one `T`.
///
/// # Errors
/// Malformed JSON, nesting beyond 128, a member twice in one object, bytes behind the value, or not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    serde_json::from_slice::<Unique>(bytes)?;
    Ok(serde_json::from_slice(bytes)?)
}

/// Serializes a document of our own, compact. Struct members keep their order; maps must be ordered ones.
pub fn to_vec<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    Ok(serde_json::to_vec(value)?)
}

/// Serializes a document for people to read as well, with indentation.
pub fn to_vec_pretty<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, JsonError> {
    Ok(serde_json::to_vec_pretty(value)?)
}

/// Any JSON value whose objects name each member once.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Self;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_str<E>(self, _: &str) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unique, A::Error> {
        while seq.next_element_seed(Unique)?.is_some() {}
        Ok(Unique)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Unique)?;
            if let Some(key) = seen.replace(key) {
                return Err(serde::de::Error::custom(format_args!("member {key:?} appears twice")));
            }
        }
        Ok(Unique)
    }
}

/// A JSON document that is not accepted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(#[from] serde_json::Error);

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

    #[test]
    fn trailing_bytes_and_bottomless_nesting_are_refused() {
        assert!(from_slice::<Value>(b"{} \n").is_ok());
        assert!(from_slice::<Value>(b"{} {}").is_err());
        assert!(from_slice::<Value>("[".repeat(100_000).as_bytes()).is_err());
    }
}
