//! Amounts at Stripe: whole US cents, at most 99,999,999 ([limits]).
//!
//! [limits]: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts

use serde::{Deserialize, Serialize};

use crate::money::MicroUsd;

/// Micro-USD of a cent.
const MICROS: i64 = 10_000;

/// An amount in US cents, never below zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(u32);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// An amount.
    pub const fn new(cents: u32) -> Self {
        Self(cents)
    }

    /// The number of cents.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The same without another amount; nothing, if that is more.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The same with another amount.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The same amount in the unit of wallets.
    pub fn micros(self) -> MicroUsd {
        MicroUsd::new(i64::from(self.0).saturating_mul(MICROS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cent_is_ten_thousand_micros() {
        assert_eq!(Cents::new(1_999).micros(), MicroUsd::new(19_990_000));
        assert_eq!(Cents::new(u32::MAX).micros(), MicroUsd::new(42_949_672_950_000));
        assert_eq!(Cents::new(5).less(Cents::new(6)), Cents::ZERO);
    }
}
