//! Plans: their limits, prices and credit, and the opening credit of a new account.

use jiff::{Span, Timestamp, tz::Offset};
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

/// A month of a plan, and its credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditPeriod {
    /// Its first instant.
    pub starts: Timestamp,
    /// The first instant of the next one, when its credit expires.
    pub ends: Timestamp,
    /// Its credit.
    pub amount: MicroUsd,
}

/// The month that contains `now`, counted from `since`, in UTC: it begins on the day of `since`, or on the last day of a shorter month.
/// `None`: `since` is later, or the month is beyond the calendar.
pub fn month_of(since: Timestamp, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let first = Offset::UTC.to_datetime(since);
    let start = |month: i32| {
        let later = Span::new().try_months(month).ok()?;
        Offset::UTC.to_timestamp(first.checked_add(later).ok()?).ok()
    };
    let today = Offset::UTC.to_datetime(now);
    let years = i32::from(today.year()).checked_sub(i32::from(first.year()))?;
    let months = i32::from(today.month()).checked_sub(i32::from(first.month()))?;
    let latest = years.checked_mul(12)?.checked_add(months)?;
    let month = if start(latest)? <= now { latest } else { latest.checked_sub(1)? };
    if month < 0 { None } else { Some((start(month)?, start(month.checked_add(1)?)?)) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn months_begin_on_the_day_of_the_first_or_on_the_last_day() {
        let since = at("2027-01-31T12:00:00Z");
        for (now, starts, ends) in [
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z", "2027-02-28T12:00:00Z"),
            ("2027-02-28T11:59:59.999Z", "2027-01-31T12:00:00Z", "2027-02-28T12:00:00Z"),
            ("2027-02-28T12:00:00Z", "2027-02-28T12:00:00Z", "2027-03-31T12:00:00Z"),
            ("2027-03-01T00:00:00Z", "2027-02-28T12:00:00Z", "2027-03-31T12:00:00Z"),
            ("2028-01-31T11:00:00Z", "2027-12-31T12:00:00Z", "2028-01-31T12:00:00Z"),
            ("2028-02-29T12:00:00Z", "2028-02-29T12:00:00Z", "2028-03-31T12:00:00Z"),
        ] {
            assert_eq!(month_of(since, at(now)), Some((at(starts), at(ends))), "{now}");
        }
        assert_eq!(month_of(since, at("2027-01-31T11:59:59Z")), None);
        assert_eq!(month_of(since, at("2026-12-31T12:00:00Z")), None);
        assert_eq!(month_of(Timestamp::MAX, Timestamp::MAX), None);
    }

    #[test]
    fn months_follow_each_other_without_gaps() {
        for since in ["2027-01-29T23:59:59.999Z", "2028-02-29T00:00:00Z", "2026-11-30T01:02:03Z"] {
            let mut month = month_of(at(since), at(since)).unwrap();
            assert_eq!(month.0, at(since));
            for _ in 0..60 {
                let next = month_of(at(since), month.1).unwrap();
                assert_eq!(next.0, month.1);
                let last = month.1.saturating_sub(jiff::SignedDuration::from_millis(1)).unwrap();
                assert_eq!(month_of(at(since), last).unwrap(), month);
                month = next;
            }
        }
    }
}
