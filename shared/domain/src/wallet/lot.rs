//! Lots: credit of one kind that expires at one time.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;

/// Where the credit of a lot came from. In this order, lots that expire at the same time are spent: paid credit last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum LotKind {
    /// The monthly credit of a plan.
    Monthly,
    /// A promo code.
    Promo,
    /// A referral.
    Referral,
    /// The credit of a new account.
    SignUp,
    /// A correction by an operator.
    Adjustment,
    /// Bought.
    Paid,
}

/// The identity of a lot. All credit of one kind that expires at the same time is one lot, so that a wallet has few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LotId {
    /// The kind.
    pub kind: LotKind,
    /// From this time on, the credit can't be spent. `None`: it does not expire.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "jiff::fmt::serde::timestamp::millisecond::optional"
    )]
    pub expires: Option<Timestamp>,
}

impl LotId {
    /// A lot. Its end is stored in milliseconds, so that two lots whose stored ends are equal are one.
    pub fn new(kind: LotKind, expires: Option<Timestamp>) -> Self {
        Self { kind, expires: expires.map(whole_millis) }
    }

    /// The place in the order in which credit is spent: what expires first is spent first.
    pub fn order(&self) -> (Timestamp, LotKind) {
        (self.expires.unwrap_or(Timestamp::MAX), self.kind)
    }

    /// Whether the credit has expired.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// The time without the part of its last millisecond.
pub fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// An amount of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The lot.
    #[serde(flatten)]
    pub id: LotId,
    /// The amount.
    pub amount: MicroUsd,
}

/// Amounts of lots, in the order in which they are spent. No amount is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lots(Vec<Lot>);

impl Lots {
    /// The amounts.
    pub fn iter(&self) -> impl Iterator<Item = &Lot> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of lots.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The sum of all amounts.
    pub fn total(&self) -> MicroUsd {
        self.0.iter().map(|lot| lot.amount).sum()
    }

    /// Adds an amount, which may be negative.
    pub fn add(&mut self, lot: Lot) {
        let lot = Lot { id: LotId::new(lot.id.kind, lot.id.expires), ..lot };
        match self.0.binary_search_by_key(&lot.id.order(), |lot| lot.id.order()) {
            Ok(at) => {
                let sum =
                    [self.0.get(at).map_or(MicroUsd::ZERO, |lot| lot.amount), lot.amount].into_iter().sum();
                match self.0.get_mut(at) {
                    Some(found) if sum != MicroUsd::ZERO => found.amount = sum,
                    _ => drop(self.0.remove(at)),
                }
            }
            Err(at) if lot.amount != MicroUsd::ZERO => self.0.insert(at, lot),
            Err(_) => {}
        }
    }

    /// Adds all of `other`.
    pub fn add_all(&mut self, other: &Self) {
        for lot in &other.0 {
            self.add(*lot);
        }
    }

    /// Takes up to `amount` in the order in which credit is spent.
    pub fn take(&mut self, amount: MicroUsd) -> Self {
        let mut taken = Self::default();
        let mut open = amount;
        for lot in self.0.clone() {
            let part = lot.amount.min(open);
            if part <= MicroUsd::ZERO {
                break;
            }
            open = MicroUsd::new(open.micros().saturating_sub(part.micros()));
            taken.add(Lot { amount: part, ..lot });
            self.add(Lot { amount: part.negated(), ..lot });
        }
        taken
    }

    /// The amounts of one kind.
    #[must_use]
    pub fn of_kind(&self, kind: LotKind) -> Self {
        Self(self.0.iter().filter(|lot| lot.id.kind == kind).copied().collect())
    }

    /// Takes the lot that expired first, if any has.
    pub fn take_first_expired(&mut self, now: Timestamp) -> Option<Lot> {
        let first = self.0.first().copied().filter(|lot| lot.id.has_expired(now))?;
        self.0.remove(0);
        Some(first)
    }

    /// The same amounts with the opposite sign.
    #[must_use]
    pub fn negated(&self) -> Self {
        Self(self.0.iter().map(|lot| Lot { amount: lot.amount.negated(), ..*lot }).collect())
    }
}

impl From<Lot> for Lots {
    fn from(lot: Lot) -> Self {
        let mut lots = Self::default();
        lots.add(lot);
        lots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_within_a_millisecond_are_one_lot() {
        let at = |nanos: i128| Timestamp::from_nanosecond(nanos).unwrap();
        let mut lots = Lots::default();
        for nanos in [5_000_000, 5_000_001, 5_999_999] {
            lots.add(Lot {
                id: LotId { kind: LotKind::Promo, expires: Some(at(nanos)) },
                amount: MicroUsd::new(2),
            });
        }
        assert_eq!((lots.len(), lots.total()), (1, MicroUsd::new(6)));
        let stored: Lots = serde_json::from_value(serde_json::to_value(&lots).unwrap()).unwrap();
        assert_eq!(stored, lots);
    }
}
