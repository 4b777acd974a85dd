//! Names that other services give to what they tell us of.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::text::Invalid;

/// The id that another service gave to a job, a run or a correction: 1 to 64 letters, digits, `.`, `_`, `:` and `-`. Two
/// requests with the same reference have one effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Reference(String);

/// The maximum length.
const MOST: usize = 64;

impl Reference {
    /// A valid reference.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if (1..=MOST).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("Use 1 to 64 letters, digits, and the characters `.`, `_`, `:` and `-`."))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Reference".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_has_no_separator_of_keys_and_no_blank() {
        for valid in ["a", "run-7", "job_01:2.b", &"x".repeat(64)] {
            assert_eq!(Reference::parse(valid).unwrap().as_str(), valid);
        }
        for invalid in ["", "a#b", "a b", "ü", "a/b", "=1", &"x".repeat(65)] {
            assert!(Reference::parse(invalid).is_err(), "{invalid}");
        }
    }
}
