//! Plans, and the credit that a new account starts with.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::email::EmailAddress;

/// What a workspace subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Plan {
    /// No charge, no members.
    Free,
    /// A monthly or yearly charge for each seat.
    Pro,
    /// By contract.
    Enterprise,
}

/// What a plan lets a workspace have. `None` is as much as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Models, those in the trash apart.
    pub models: Option<u64>,
    /// Bytes in storage, those in the trash and those promised to uploads among them.
    pub storage_bytes: Option<u64>,
    /// Bytes of one file of a dataset.
    pub dataset_upload_bytes: u64,
}

/// A gigabyte, as storage is sold: 10⁹ bytes.
const GB: u64 = 1_000_000_000;

impl Plan {
    /// What it lets a workspace have.
    pub const fn limits(self) -> Limits {
        match self {
            Self::Free => {
                Limits { models: Some(100), storage_bytes: Some(100 * GB), dataset_upload_bytes: 10 * GB }
            }
            Self::Pro => {
                Limits { models: Some(500), storage_bytes: Some(500 * GB), dataset_upload_bytes: 20 * GB }
            }
            Self::Enterprise => Limits { models: None, storage_bytes: None, dataset_upload_bytes: 50 * GB },
        }
    }
}

/// An amount in micro-USD: a millionth of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MicroUsd(i64);

impl MicroUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole dollars.
    pub const fn dollars(dollars: i32) -> Self {
        Self(dollars as i64 * 1_000_000)
    }

    /// Whole cents, rounded towards negative infinity: never shows more than there is.
    pub fn floor_cents(self) -> i64 {
        self.0.div_euclid(10_000)
    }
}

/// What a new account starts with: $25 with a company address, else $5.
pub fn sign_up_credit(address: &EmailAddress) -> MicroUsd {
    if address.is_company() { MicroUsd::dollars(25) } else { MicroUsd::dollars(5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_never_show_more_than_there_is() {
        assert_eq!(MicroUsd(19_999).floor_cents(), 1);
        assert_eq!(MicroUsd(-1).floor_cents(), -1);
        assert_eq!(MicroUsd::dollars(25).floor_cents(), 2_500);
    }
}
