//! Amounts of money.

use std::iter::Sum;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An amount in micro-USD: a millionth of a dollar.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct MicroUsd(i64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// More than a wallet can have or owe: a billion dollars. Sums of a few amounts below it fit into 64 bits.
    pub const MOST: Self = Self(1_000_000_000_000_000);

    /// An amount in micro-USD.
    pub const fn new(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole dollars.
    pub const fn dollars(dollars: i32) -> Self {
        Self(dollars as i64 * 1_000_000)
    }

    /// The number of micro-USD.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole cents, rounded down, so that the amount shown never exceeds the balance.
    pub fn floor_cents(self) -> i64 {
        self.0.div_euclid(10_000)
    }

    /// The sum, or `None` if it is not within ± [`Self::MOST`].
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self).filter(|sum| sum.0.abs() <= Self::MOST.0)
    }

    /// The difference, or `None` if it is not within ± [`Self::MOST`].
    pub fn minus(self, other: Self) -> Option<Self> {
        other.0.checked_neg().and_then(|other| self.plus(Self(other)))
    }

    /// The amount that many times, or `None` if that is not within ± [`Self::MOST`].
    pub fn times(self, count: u64) -> Option<Self> {
        let product = i64::try_from(count).ok().and_then(|count| self.0.checked_mul(count));
        product.map(Self).filter(|product| product.0.abs() <= Self::MOST.0)
    }

    /// The opposite amount.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// A sum beyond 64 bits saturates; [`MicroUsd::plus`] bounds what is stored.
impl Sum for MicroUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_rounded_down() {
        assert_eq!(MicroUsd(19_999).floor_cents(), 1);
        assert_eq!(MicroUsd(-1).floor_cents(), -1);
        assert_eq!(MicroUsd::dollars(25).floor_cents(), 2_500);
    }

    #[test]
    fn sums_are_bounded_in_both_directions() {
        assert_eq!(MicroUsd::MOST.plus(MicroUsd(1)), None);
        assert_eq!(MicroUsd::MOST.negated().minus(MicroUsd(1)), None);
        assert_eq!(MicroUsd(i64::MAX).plus(MicroUsd(1)), None);
        assert_eq!(MicroUsd::ZERO.minus(MicroUsd(i64::MIN)), None);
        assert_eq!(MicroUsd(3).times(7), Some(MicroUsd(21)));
        assert_eq!(MicroUsd::MOST.times(2), None);
        assert_eq!(MicroUsd(1).times(u64::MAX), None);
        assert_eq!(MicroUsd::MOST.minus(MicroUsd(1)), Some(MicroUsd(999_999_999_999_999)));
    }
}
