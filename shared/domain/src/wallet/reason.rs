//! Why an operator changed a balance.

use schemars::{Schema, json_schema};
use serde::Deserialize;

use crate::text::{Invalid, LINE_PATTERN, line, string_value};

/// The reason of an adjustment: one line of 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AdjustmentReason(String);

impl AdjustmentReason {
    /// Parses a reason by the rules of [`crate::text`].
    ///
    /// # Errors
    ///
    /// When the reason is empty, too long or contains invisible characters.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        line(input, 1, 200).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": LINE_PATTERN })
    }
}

string_value!(AdjustmentReason);
