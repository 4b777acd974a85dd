//! Plans, and the opening credit of a new account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{email::EmailAddress, entitlements::Entitlements};

/// The plan that a workspace subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Plan {
    /// Free of charge, without members.
    Free,
    /// A monthly or yearly charge per seat.
    Pro,
    /// Individual contract.
    Enterprise,
}

/// A gigabyte in the decimal sense: 10⁹ bytes.
const GB: u64 = 1_000_000_000;

impl Plan {
    /// What a workspace with this plan may have unless its contract says otherwise.
    pub const fn entitlements(self) -> Entitlements {
        // A team without a paid plan has its owner only.
        let (models, storage, dataset_upload, seats) = match self {
            Self::Free => (Some(100), Some(100 * GB), 10 * GB, 1),
            Self::Pro => (Some(500), Some(500 * GB), 20 * GB, 5),
            Self::Enterprise => (None, None, 50 * GB, 50),
        };
        Entitlements {
            models,
            storage_bytes: storage,
            dataset_upload_bytes: Some(dataset_upload),
            seats: Some(seats),
        }
    }
}

/// An amount in micro-USD: a millionth of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(i64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Whole dollars.
    pub const fn dollars(dollars: i32) -> Self {
        Self(dollars as i64 * 1_000_000)
    }

    /// Whole cents, rounded down, so that the amount shown never exceeds the balance.
    pub fn floor_cents(self) -> i64 {
        self.0.div_euclid(10_000)
    }
}

/// The opening credit of a new account: $25 with a company address, otherwise $5.
pub fn sign_up_credit(address: &EmailAddress) -> MicroUsd {
    if address.is_company() { MicroUsd::dollars(25) } else { MicroUsd::dollars(5) }
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
}
