//! JSON objects that must be written as objects.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        #[expect(dead_code, reason = "only the reading is tested")]
        a: u8,
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(json::from_slice::<Pair>(b"[1]").is_ok(), "what serde would take");
        assert!(json::from_slice::<Object<Pair>>(b"[1]").is_err());
        assert!(json::from_slice::<Object<Pair>>(br#"{"a":1}"#).is_ok());
        assert!(json::from_slice::<Object<Pair>>(br#"{"a":1,"b":2}"#).is_err());
    }
}
