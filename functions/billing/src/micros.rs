//! Amounts in bodies: whole numbers of micro-USD.

use domain::money::MicroUsd;
use kit::Whole;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// An amount from zero on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Micros(pub MicroUsd);

/// An amount with a sign, and not zero.
#[derive(Debug, Clone, Copy)]
pub struct SignedMicros(pub MicroUsd);

/// The most micro-USD that a wallet can have.
const MOST: i64 = MicroUsd::MOST.micros();
/// The most micro-USD that a wallet can owe.
const LEAST: i64 = MicroUsd::MOST.negated().micros();

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Whole::<0, MOST>::deserialize(from).map(|micros| Self(MicroUsd::new(micros.get())))
    }
}

impl<'de> Deserialize<'de> for SignedMicros {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let micros = Whole::<LEAST, MOST>::deserialize(from)?;
        if micros.get() == 0 {
            return Err(serde::de::Error::custom("Use an amount other than 0."));
        }
        Ok(Self(MicroUsd::new(micros.get())))
    }
}

impl JsonSchema for Micros {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Micros".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Whole::<0, MOST>::json_schema(generator)
    }
}

impl JsonSchema for SignedMicros {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SignedMicros".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer", "minimum": LEAST, "maximum": MOST, "not": { "const": 0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn amounts_are_whole_and_within_limits() {
        let micros = |value| from_value::<Micros>(value).map(|amount| amount.0.micros()).ok();
        let signed = |value| from_value::<SignedMicros>(value).map(|amount| amount.0.micros()).ok();
        assert_eq!(micros(json!(0)), Some(0));
        assert_eq!(micros(json!(7.0)), Some(7));
        assert_eq!(micros(json!(1_000_000_000_000_000_i64)), Some(1_000_000_000_000_000));
        assert_eq!(signed(json!(-5)), Some(-5));
        for wrong in
            [json!(-1), json!(1_000_000_000_000_001_i64), json!(0.5), json!("1"), json!(null), json!(1e300)]
        {
            assert_eq!(micros(wrong.clone()), None, "{wrong}");
        }
        for wrong in [json!(0), json!(0.0), json!(-1_000_000_000_000_001_i64), json!([])] {
            assert_eq!(signed(wrong.clone()), None, "{wrong}");
        }
    }
}
