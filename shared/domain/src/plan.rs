//! Plans: their limits, prices and credit, and the opening credit of a new account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{email::EmailAddress, entitlements::Entitlements, money::MicroUsd};

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

/// The price of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeatPrice {
    /// For a month.
    pub monthly: MicroUsd,
    /// For a year.
    pub yearly: MicroUsd,
}

/// What a plan has beside its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanFeatures {
    /// Whether projects may be private.
    pub private_projects: bool,
    /// Whether a team may have members.
    pub teams: bool,
    /// Whether the software is licensed under the Enterprise licence, and not under AGPL-3.0.
    pub enterprise_license: bool,
}

/// A gigabyte in the decimal sense: 10⁹ bytes.
const GB: u64 = 1_000_000_000;

/// The opening credit of an account with a personal address.
pub const PERSONAL_SIGN_UP_CREDIT: MicroUsd = MicroUsd::dollars(5);
/// The opening credit of an account with a company address.
pub const COMPANY_SIGN_UP_CREDIT: MicroUsd = MicroUsd::dollars(25);

impl Plan {
    /// Every plan.
    pub const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    /// The name, as people read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "Free",
            Self::Pro => "Pro",
            Self::Enterprise => "Enterprise",
        }
    }

    /// What a workspace with this plan may have unless its contract says otherwise.
    pub const fn entitlements(self) -> Entitlements {
        // A team without a paid plan has its owner only.
        let (models, storage, dataset_upload, seats, jobs) = match self {
            Self::Free => (Some(100), Some(100 * GB), 10 * GB, 1, Some(3)),
            Self::Pro => (Some(500), Some(500 * GB), 20 * GB, 5, Some(10)),
            Self::Enterprise => (None, None, 50 * GB, 50, None),
        };
        Entitlements {
            models,
            storage_bytes: storage,
            dataset_upload_bytes: Some(dataset_upload),
            seats: Some(seats),
            trainings: jobs,
            deployments: jobs,
        }
    }

    /// The price of a seat. `None`: the contract sets it.
    pub const fn price(self) -> Option<SeatPrice> {
        match self {
            Self::Free => Some(SeatPrice { monthly: MicroUsd::ZERO, yearly: MicroUsd::ZERO }),
            Self::Pro => Some(SeatPrice { monthly: MicroUsd::dollars(29), yearly: MicroUsd::dollars(290) }),
            Self::Enterprise => None,
        }
    }

    /// The credit of a month for each seat. `None`: the contract sets it.
    pub const fn monthly_credit(self) -> Option<MicroUsd> {
        match self {
            Self::Free => Some(MicroUsd::ZERO),
            Self::Pro => Some(MicroUsd::dollars(30)),
            Self::Enterprise => None,
        }
    }

    /// What the plan has beside its limits.
    pub const fn features(self) -> PlanFeatures {
        PlanFeatures {
            private_projects: true,
            teams: !matches!(self, Self::Free),
            enterprise_license: matches!(self, Self::Enterprise),
        }
    }
}

/// The opening credit of a new account.
pub fn sign_up_credit(address: &EmailAddress) -> MicroUsd {
    if address.is_company() { COMPANY_SIGN_UP_CREDIT } else { PERSONAL_SIGN_UP_CREDIT }
}
