//! Promo codes, which operators make and people redeem.

use jiff::{SignedDuration, Timestamp};
use schemars::{Schema, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    money::MicroUsd,
    text::{Invalid, string_value},
    time::after,
    wallet::{Lot, LotId, LotKind},
};

/// A promo code: 4 to 32 letters, digits and hyphens. Case and surrounding blanks do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PromoCode(String);

impl PromoCode {
    /// Parses a code as people type or paste it.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let code = input.trim().to_ascii_uppercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if (4..=32).contains(&code.len()) && code.bytes().all(allowed) {
            Ok(Self(code))
        } else {
            Err(Invalid::new("Use 4 to 32 letters, digits and hyphens."))
        }
    }

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^\\s*[A-Za-z0-9-]{4,32}\\s*$" })
    }
}

string_value!(PromoCode);

/// The most codes that a user may try in a day. Otherwise codes could be guessed.
pub const MOST_TRIES_A_DAY: u32 = 20;

/// What a code is worth, and for how many people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// The code.
    pub code: PromoCode,
    /// The credit.
    pub amount: MicroUsd,
    /// From this time on, nobody can redeem the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// For how many days the credit can be spent. `None`: it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_days: Option<u32>,
    /// How many people can redeem the code.
    pub most: u64,
    /// How many did.
    pub redeemed: u64,
}

impl Promotion {
    /// Whether nobody can redeem the code any more.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.is_some_and(|end| end <= now)
    }

    /// Whether the most people redeemed the code.
    pub const fn is_used_up(&self) -> bool {
        self.redeemed >= self.most
    }

    /// Whether somebody can redeem the code now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        !self.has_ended(now) && !self.is_used_up()
    }

    /// Whether an operator means the same promotion.
    pub fn is_like(&self, other: &Self) -> bool {
        Self { redeemed: 0, ..self.clone() } == Self { redeemed: 0, ..other.clone() }
    }

    /// The credit for somebody who redeems the code now.
    pub fn credit(&self, now: Timestamp) -> Lot {
        let days =
            self.credit_days.map(|days| SignedDuration::from_hours(i64::from(days).saturating_mul(24)));
        Lot { id: LotId::new(LotKind::Promo, days.map(|days| after(now, days))), amount: self.amount }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ignore_case_and_blanks() {
        for text in ["LAUNCH-24", " launch-24\n", "Launch-24"] {
            assert_eq!(PromoCode::parse(text).unwrap().as_str(), "LAUNCH-24");
        }
        for text in ["", "abc", "a b c d", "läunch", "code#1", &"x".repeat(33)] {
            assert!(PromoCode::parse(text).is_err(), "{text}");
        }
    }
}
