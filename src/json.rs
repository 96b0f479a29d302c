//! Strict JSON (docs/protocol.md, Strict JSON and base64): one object, no trailing bytes, no duplicate keys at any depth.
//!
//! Whatever psc reads as JSON is read here: its depth is what the stack of the reading thread must bear, its values are what
//! memory must.

use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Values in one text. Each costs memory that its few bytes of text do not show.
const MAX_VALUES: u32 = 10_000;

/// Objects and arrays inside each other, the outermost included.
const MAX_DEPTH: u32 = 32;

/// Parses `bytes` as one JSON object of that form. The error names no key and no value.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let object = Value::Object(object(bytes)?);
    serde_json::from_value(object).map_err(|_| "not of the agreed form".to_owned())
}

/// Parses `bytes` as one JSON object. The error says what is wrong and where, never what it read.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let values_left = Cell::new(MAX_VALUES);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let outermost = Strict {
        values_left: &values_left,
        depth_left: MAX_DEPTH,
    };
    let value = outermost
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(error) => Err(format!(
            "not strict JSON: {}",
            crate::text::quoted(&error.to_string())
        )),
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Strict<'a> {
    /// Values that may still come, shared by all.
    values_left: &'a Cell<u32>,
    /// Levels that may still come.
    depth_left: u32,
}

impl Strict<'_> {
    /// For what stands inside an object or array.
    fn nested<E: de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1);
        let depth_left = depth_left.ok_or_else(|| de::Error::custom("nested too deeply"))?;
        Ok(Strict { depth_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.values_left.get().checked_sub(1) {
            Some(values_left) => self.values_left.set(values_left),
            None => return Err(de::Error::custom("too many values")),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let nested = self.nested()?;
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(nested)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        let mut next = entries.next_key::<Key>()?;
        if matches!(next, Some(Key::OfNumber)) {
            let digits: String = entries.next_value()?;
            let number: Number = digits.parse().map_err(de::Error::custom)?;
            return Ok(Value::Number(number));
        }
        let nested = self.nested()?;
        while let Some(Key::Name(key)) = next {
            if map.contains_key(&key) {
                return Err(de::Error::custom("a key stands twice"));
            }
            map.insert(key, entries.next_value_seed(nested)?);
            next = entries.next_key()?;
        }
        Ok(Value::Object(map))
    }
}

/// What stands before a value in a map. With `arbitrary_precision` `serde_json` shows a number that is no integer of 64 bits
/// as a map of one entry, whose key, other than that of an object, is no option.
enum Key {
    Name(String),
    OfNumber,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a key")
            }

            fn visit_some<D: Deserializer<'de>>(self, key: D) -> Result<Key, D::Error> {
                String::deserialize(key).map(Key::Name)
            }

            fn visit_str<E>(self, _: &str) -> Result<Key, E> {
                Ok(Key::OfNumber)
            }
        }

        deserializer.deserialize_option(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_accepted() {
        let map = object(br#" {"a": [1, {"b": null}], "c": "\u00e9"} "#).unwrap();
        assert_eq!(map["c"], "é");
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        let text = r#"{"a":[0,-0,1e+999,-2.50e-7,1234567890123456789012345678901234567890]}"#;
        let map = object(text.as_bytes()).unwrap();
        assert_eq!(Value::Object(map).to_string(), text);
        let map =
            object(br#"{"one":1,"real":1.0,"power":1e0,"minus":-1,"2-64":18446744073709551616}"#)
                .unwrap();
        let whole = |name: &str| (map[name].as_u64(), map[name].as_i64());
        assert_eq!(whole("one"), (Some(1), Some(1)));
        assert_eq!(whole("minus"), (None, Some(-1)));
        for name in ["real", "power", "2-64"] {
            assert_eq!(whole(name), (None, None), "{name}");
        }
    }

    /// The name by which `serde_json` knows its numbers is an ordinary one in a text.
    #[test]
    fn no_object_is_a_number() {
        let text = r#"{"a":{"$serde_json::private::Number":"1"}}"#;
        let map = object(text.as_bytes()).unwrap();
        assert!(map["a"].is_object());
        assert_eq!(Value::Object(map).to_string(), text);
        assert!(object(br#"{"$serde_json::private::Number":"1"}"#).is_ok());
        let numbers = format!("{{\"a\":[{}0]}}", "0,".repeat(9_997));
        assert!(object(numbers.as_bytes()).is_ok(), "a number is one value");
    }

    /// A number is no level, though `serde_json` shows it as one.
    #[test]
    fn thirty_two_levels_are_read_and_no_more() {
        let nested = |levels: usize, open: &str, inner: &str, close: &str| {
            let levels = levels - 1;
            format!(
                r#"{{"a":{}{inner}{}}}"#,
                open.repeat(levels),
                close.repeat(levels)
            )
        };
        for inner in ["", "1", "1.5", "-0", "null", r#""x""#] {
            for (text, fits) in [
                (nested(32, "[", inner, "]"), true),
                (nested(33, "[", inner, "]"), false),
            ] {
                assert_eq!(object(text.as_bytes()).is_ok(), fits, "{text}");
            }
        }
        for inner in ["1.5", "{}", "[]"] {
            let levels = if inner == "1.5" { 32 } else { 31 };
            let text = nested(levels, r#"{"b":"#, inner, "}");
            assert!(object(text.as_bytes()).is_ok(), "{text}");
            let text = nested(levels + 1, r#"{"b":"#, inner, "}");
            let error = object(text.as_bytes()).unwrap_err();
            assert!(error.contains("nested too deeply"), "{error}");
        }
        let unended = format!("{{\"a\":{}", "[".repeat(200_000));
        assert!(object(unended.as_bytes()).unwrap_err().contains("nested"));
    }

    #[test]
    fn everything_else_is_refused() {
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(10_000));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        for bad in [
            "",
            "[]",
            "null",
            "1",
            "{} {}",
            "{}x",
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            "{'a':1}",
            r#"{"a":1,}"#,
            "/* c */{}",
            "\u{feff}{}",
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            r#"{"a":1e}"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{1}\"}",
            &deep,
            &many,
        ] {
            assert!(object(bad.as_bytes()).is_err(), "accepted: {bad}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }
}
