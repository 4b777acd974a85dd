//! Reads a JSON body, once and in linear time, and names the members that an object has twice: what they mean depends on who
//! reads them ([RFC 8259, section 4]), so they are refused.
//!
//! [RFC 8259, section 4]: https://www.rfc-editor.org/rfc/rfc8259#section-4

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, map::Entry};

use crate::problem::{MOST_ERRORS, shortened};

/// A document, and the names of members that occur twice: as in `socials.x`, no more than are reported.
pub struct Parsed {
    /// The document, with the first of each.
    pub value: Value,
    /// The names.
    pub repeated: Vec<String>,
}

/// Reads a document. It nests 127 levels at most.
///
/// # Errors
///
/// When it is no JSON.
pub fn parse(bytes: &[u8]) -> Result<Parsed, serde_json::Error> {
    let mut repeated = Vec::new();
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = Reader(&mut repeated).deserialize(&mut from)?;
    from.end()?;
    Ok(Parsed { value, repeated })
}

/// Reads one value, and adds the names in it that occur twice.
struct Reader<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Reader(&mut *self.0))? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let outer = self.0.len();
            let value = members.next_value_seed(Reader(&mut *self.0))?;
            for inner in self.0.iter_mut().skip(outer) {
                *inner = shortened(&format!("{name}.{inner}"));
            }
            match values.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                // One more than is reported, to tell that there are more.
                Entry::Occupied(place) if self.0.len() <= MOST_ERRORS => self.0.push(shortened(place.key())),
                Entry::Occupied(_) => {}
            }
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(text: &str) -> Vec<String> {
        parse(text.as_bytes()).unwrap().repeated
    }

    #[test]
    fn repeated_names_are_found_at_every_depth() {
        assert_eq!(repeated(r#"{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}"#), [""; 0]);
        assert_eq!(repeated(r#"{"a": 1, "b": 2, "a": 1}"#), ["a"]);
        assert_eq!(
            repeated(r#"{"a": 1, "\u0061": null}"#),
            ["a"],
            "the names are the same, however they are written"
        );
        assert_eq!(repeated(r#"{"a": {"b": [{"c": 1, "c": 2}]}, "d": 0, "d": 1}"#), ["a.b.c", "d"]);
    }

    #[test]
    fn repeated_names_are_bounded_in_number_and_length() {
        let many = format!("{{{}}}", vec![format!(r#""{}": 0"#, "x".repeat(1_000)); 1_000].join(","));
        let found = repeated(&many);
        assert_eq!(found.len(), MOST_ERRORS + 1);
        assert!(found.iter().all(|name| name.chars().count() <= 65));
    }

    #[test]
    fn document_is_read_as_serde_json_reads_it() {
        for text in [
            "null",
            " [1, -1, 1.5, 1e300, 18446744073709551615, 5.0, true, \"\\u00e9\\n\", {}] ",
            r#"{"a": {"b": [{"c": null}]}, "": ""}"#,
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap().value, serde_json::from_str::<Value>(text).unwrap());
        }
        for text in [
            "",
            "{",
            "{} x",
            "[1,]",
            "\"\\ud800\"",
            "\u{feff}{}",
            &"[".repeat(1_000),
            &"{\"a\":".repeat(1_000),
        ] {
            let ours = parse(text.as_bytes()).map(|_| ()).unwrap_err();
            let theirs = serde_json::from_str::<Value>(text).unwrap_err();
            assert_eq!((ours.line(), ours.column()), (theirs.line(), theirs.column()), "{text}");
        }
    }
}
