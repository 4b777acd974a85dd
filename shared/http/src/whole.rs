//! Whole numbers in bodies.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A whole number from `LEAST` to `MOST`.
#[derive(Debug, Clone, Copy)]
pub struct Whole<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Whole<LEAST, MOST> {
    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A whole number from `LEAST` to `MOST`. JSON does not tell 7 from 7.0.
impl<'de, const LEAST: i64, const MOST: i64> Deserialize<'de> for Whole<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let invalid = || serde::de::Error::custom(format!("Use a whole number from {LEAST} to {MOST}."));
        let number = serde_json::Number::deserialize(from).map_err(|_| invalid())?;
        let whole = number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
        whole.filter(|whole| (LEAST..=MOST).contains(whole)).map(Self).ok_or_else(invalid)
    }
}

impl<const LEAST: i64, const MOST: i64> JsonSchema for Whole<LEAST, MOST> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Whole".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": LEAST, "maximum": MOST })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn number_is_whole_and_within_its_limits() {
        let read = |value| from_value::<Whole<1, 60>>(value).map(Whole::get).ok();
        for (value, expected) in [(json!(1), 1), (json!(60), 60), (json!(7.0), 7)] {
            assert_eq!(read(value), Some(expected));
        }
        for wrong in [json!(0), json!(61), json!(-1), json!(1.5), json!("7"), json!(null), json!(1e300)] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
    }
}
