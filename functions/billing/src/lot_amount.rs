//! Amounts of lots, as clients see them.

use domain::{
    Timestamp,
    wallet::{Lot, LotKind, Lots},
};
use schemars::JsonSchema;
use serde::Serialize;

/// An amount of credit of one kind that expires at one time.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LotAmount {
    /// Where the credit came from.
    kind: LotKind,
    /// The amount, in millionths of a US dollar.
    amount_micro_usd: i64,
    /// The time from which the credit can't be spent. Absent if it does not expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Option<Timestamp>,
}

impl LotAmount {
    /// All amounts, in the order in which credit is spent.
    pub fn all(lots: &Lots) -> Vec<Self> {
        let amount = |&Lot { id, amount }: &Lot| Self {
            kind: id.kind,
            amount_micro_usd: amount.micros(),
            expires_at: id.expires,
        };
        lots.iter().map(amount).collect()
    }
}
