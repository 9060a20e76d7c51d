//! A CBOR value as JSON, so that extended attributes look the same whatever the envelope's format.

use coset::cbor::Value;
use serde_json::{Map, Number, Value as Json, json};

/// What JSON has a form for keeps it. The rest becomes an object that names the kind: `{"bytes":"00ff"}`,
/// `{"tag":1,"value":…}`, `{"map":[[key,value],…]}` where a key is no text, `{"integer":"-18446744073709551616"}`,
/// `{"float":"NaN"}`.
pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Text(text) => Json::String(text.clone()),
        Value::Integer(number) => integer(i128::from(*number)),
        Value::Float(number) => {
            Number::from_f64(*number).map_or_else(|| json!({ "float": number.to_string() }), Json::Number)
        }
        Value::Bytes(bytes) => json!({ "bytes": hexadecimal(bytes) }),
        Value::Array(values) => values.iter().map(json).collect(),
        Value::Map(pairs) => map(pairs),
        Value::Tag(tag, value) => json!({ "tag": tag, "value": json(value) }),
        // ciborium may learn new kinds; none of them is in its version 0.2.
        _ => json!({ "unknown": null }),
    }
}

fn integer(number: i128) -> Json {
    let small = i64::try_from(number).map(Json::from).or_else(|_| u64::try_from(number).map(Json::from));
    small.unwrap_or_else(|_| json!({ "integer": number.to_string() }))
}

fn map(pairs: &[(Value, Value)]) -> Json {
    let named = pairs.iter().map(|(key, value)| Some((key.as_text()?.to_owned(), json(value))));
    match named.collect::<Option<Map<String, Json>>>() {
        Some(members) => Json::Object(members),
        None => json!({ "map": pairs.iter().map(|(key, value)| [json(key), json(value)]).collect::<Vec<_>>() }),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_form() {
        let text = |text: &str| Value::from(text);
        for (value, wanted) in [
            (Value::Null, json!(null)),
            (Value::from(true), json!(true)),
            (text("a"), json!("a")),
            (Value::from(-1), json!(-1)),
            (Value::from(u64::MAX), json!(u64::MAX)),
            (
                Value::Integer((-1_i128 - i128::from(u64::MAX)).try_into().unwrap()),
                json!({ "integer": "-18446744073709551616" }),
            ),
            (Value::from(1.5), json!(1.5)),
            (Value::from(f64::NAN), json!({ "float": "NaN" })),
            (Value::from(f64::NEG_INFINITY), json!({ "float": "-inf" })),
            (Value::Bytes(vec![0, 255]), json!({ "bytes": "00ff" })),
            (Value::Array(vec![text("a"), Value::Null]), json!(["a", null])),
            (Value::Map(vec![(text("a"), Value::from(1))]), json!({ "a": 1 })),
            (Value::Map(vec![(Value::from(1), text("a"))]), json!({ "map": [[1, "a"]] })),
            (Value::Tag(1, Box::new(Value::from(7))), json!({ "tag": 1, "value": 7 })),
        ] {
            assert_eq!(json(&value), wanted);
        }
    }
}
