//! Amounts in bodies: whole numbers of micro-USD.

use domain::money::MicroUsd;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// An amount from zero on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Micros(pub MicroUsd);

/// An amount with a sign, and not zero.
#[derive(Debug, Clone, Copy)]
pub struct SignedMicros(pub MicroUsd);

/// A whole number from `least` to the most that a wallet can have. JSON does not tell 7 from 7.0.
fn whole<'de, D: Deserializer<'de>>(from: D, least: i64) -> Result<MicroUsd, D::Error> {
    let most = MicroUsd::MOST.micros();
    let invalid = || serde::de::Error::custom(format!("Use a whole number from {least} to {most}."));
    let number = serde_json::Number::deserialize(from).map_err(|_| invalid())?;
    let whole = number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok());
    whole.filter(|micros| (least..=most).contains(micros)).map(MicroUsd::new).ok_or_else(invalid)
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        whole(from, 0).map(Self)
    }
}

impl<'de> Deserialize<'de> for SignedMicros {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let amount = whole(from, MicroUsd::MOST.negated().micros())?;
        if amount == MicroUsd::ZERO {
            return Err(serde::de::Error::custom("Use an amount other than 0."));
        }
        Ok(Self(amount))
    }
}

impl JsonSchema for Micros {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Micros".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": MicroUsd::MOST.micros() })
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
        let most = MicroUsd::MOST;
        json_schema!({
            "type": "integer", "minimum": most.negated().micros(), "maximum": most.micros(), "not": { "const": 0 },
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
