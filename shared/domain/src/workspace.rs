//! Workspaces: the owners of resources, keys, wallets and history.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    entitlements::{EntitlementOverrides, Entitlements, Quota},
    handle::Handle,
    id::{IconId, UserId, WorkspaceId},
    money::MicroUsd,
    plan::{CreditPeriod, Plan, month_of},
    profile::{Bio, Company, DisplayName, IconColor, IconLetters, UseCase},
    region::Region,
    role::Role,
    social::SocialLinks,
    wallet::whole_millis,
};

/// The kind of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum WorkspaceKind {
    /// Belongs to one user and has the user's username.
    Personal,
    /// Shared by the members of a team.
    Team,
}

/// The profile of a workspace. Stored apart from the workspace, see [`ProfileRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The display name.
    pub display_name: DisplayName,
    /// The company.
    pub company: Option<Company>,
    /// The use case.
    pub use_case: Option<UseCase>,
    /// The biography.
    pub bio: Option<Bio>,
    /// The icon's background colour.
    pub icon_color: Option<IconColor>,
    /// The icon's initials.
    pub icon_letter: Option<IconLetters>,
    /// The picture, shown in place of colour and initials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<IconId>,
    /// Social links.
    #[serde(default)]
    pub socials: SocialLinks,
    /// Whether early-access features are enabled. Only for personal accounts.
    #[serde(default)]
    pub early_access: bool,
}

impl Profile {
    /// A profile of no more than a name.
    pub fn named(display_name: DisplayName) -> Self {
        Self {
            display_name,
            company: None,
            use_case: None,
            bio: None,
            icon_color: None,
            icon_letter: None,
            image: None,
            socials: SocialLinks::default(),
            early_access: false,
        }
    }

    /// The path of the picture of the workspace with this handle, if it has one.
    pub fn image_url(&self, handle: &Handle) -> Option<String> {
        self.image.map(|icon| image_url(handle, icon))
    }
}

/// The path of a picture, relative to the API: every region serves it. Handles and ids are permanent, so the path is.
pub fn image_url(handle: &Handle, icon: IconId) -> String {
    format!("/api/icons/{handle}/{icon}")
}

/// A stored profile. A separate item, so that edits do not conflict with other changes of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The profile.
    pub profile: Profile,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl ProfileRecord {
    /// The profile of a new workspace.
    pub fn first(profile: Profile) -> Self {
        Self { profile, version: 1 }
    }

    /// The record that replaces this one, with the next version.
    #[must_use]
    pub fn followed_by(&self, profile: Profile) -> Self {
        Self { profile, version: self.version.saturating_add(1) }
    }
}

/// A data key wrapped by KMS. Can be used only with KMS and the encryption context.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrappedKey(pub String);

/// The record of a workspace, which nearly every request reads. Never replaced as a whole: owner, plan and wrapped key
/// change individually, each under the condition that its old value is still stored.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// The id. A personal workspace shares the id of its user.
    pub id: WorkspaceId,
    /// The public name. Permanent.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// Personal or team.
    pub kind: WorkspaceKind,
    /// The owner.
    pub owner: UserId,
    /// The home region of all data of the workspace.
    pub region: Region,
    /// The plan, until it ends.
    pub plan: Plan,
    /// When the plan ends, if it does: from then on, the workspace has the free plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_ends_at: Option<Timestamp>,
    /// Since when the workspace has the plan, in whole milliseconds. Its months count from then on. Absent with the free plan, and for plans
    /// of early versions, which count from the creation of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_since: Option<Timestamp>,
    /// With a subscription: the end of the last period that was paid. A month of the plan that begins later has no credit: the plan goes on
    /// for some days, but nobody paid for it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_paid_until: Option<Timestamp>,
    /// Of a team: the number of members and pending invitations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seats_taken: u64,
    /// Of a team: how many members joined. A deletion that saw no other members is made only if nobody joined meanwhile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub joins: u64,
    /// The limits that a contract sets in place of the plan.
    #[serde(default, skip_serializing_if = "EntitlementOverrides::is_empty")]
    pub entitlement_overrides: EntitlementOverrides,
    /// The starting credit. The ledger will record it as the first transaction.
    pub opening_credit: MicroUsd,
    /// The wrapped key that encrypts the workspace's secrets.
    pub data_key: WrappedKey,
    /// Time of creation.
    pub created_at: Timestamp,
}

/// The plan of a workspace, and what its contract sets beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTerms {
    /// The plan.
    pub plan: Plan,
    /// When the plan ends, if it does.
    pub ends_at: Option<Timestamp>,
    /// The seats in place of those of the plan.
    pub seats: Option<Quota>,
}

impl Workspace {
    /// The terms of the plan.
    pub fn plan_terms(&self) -> PlanTerms {
        let seats = self.entitlement_overrides.seats;
        PlanTerms { plan: self.plan, ends_at: self.plan_ends_at, seats }
    }

    /// The workspace with other terms from now on. The contract's other limits stay, and so do the months of a plan that goes on.
    #[must_use]
    pub fn with_plan_terms(self, terms: PlanTerms, now: Timestamp) -> Self {
        let PlanTerms { plan, ends_at, seats } = terms;
        let entitlement_overrides = EntitlementOverrides { seats, ..self.entitlement_overrides };
        let goes_on = plan == self.plan_at(now);
        let since = if goes_on { self.plan_since } else { Some(whole_millis(now)) };
        let plan_since = since.filter(|_| plan != Plan::Free);
        Self { plan, plan_ends_at: ends_at, plan_since, plan_paid_until: None, entitlement_overrides, ..self }
    }

    /// The credit of a month at this time: that of the plan for each seat of the contract, or for one.
    pub fn monthly_credit(&self, now: Timestamp) -> MicroUsd {
        let seats = match (self.kind, self.entitlement_overrides.seats) {
            (WorkspaceKind::Team, Some(Quota::AtMost(seats))) => seats,
            _ => 1,
        };
        let seat = self.plan_at(now).monthly_credit().unwrap_or(MicroUsd::ZERO);
        seat.times(seats).unwrap_or(MicroUsd::ZERO)
    }

    /// The month of the plan at this time, with its credit. `None`: the plan has no monthly credit.
    pub fn credit_period(&self, now: Timestamp) -> Option<CreditPeriod> {
        let amount = Some(self.monthly_credit(now)).filter(|amount| *amount > MicroUsd::ZERO)?;
        let since = self.plan_since.unwrap_or(whole_millis(self.created_at));
        // Clocks differ: the plan may begin a moment from now.
        let (starts, ends) = month_of(since, now.max(since))?;
        if self.plan_paid_until.is_some_and(|end| starts >= end) {
            return None;
        }
        Some(CreditPeriod { starts, ends, amount })
    }

    /// The plan at this time.
    pub fn plan_at(&self, now: Timestamp) -> Plan {
        if self.plan_ends_at.is_some_and(|end| end <= now) { Plan::Free } else { self.plan }
    }

    /// The limits of the workspace: the defaults of the plan, with the overrides of its contract while it lasts.
    pub fn entitlements(&self, now: Timestamp) -> Entitlements {
        let (plan, overrides) = (self.plan_at(now), self.entitlement_overrides);
        if plan == self.plan { overrides.apply_to(plan.entitlements()) } else { plan.entitlements() }
    }

    /// Whether a member with this role has access. A team without a paid plan is open to its owner only, who can renew it.
    pub fn is_open_to(&self, role: Role, now: Timestamp) -> bool {
        self.kind == WorkspaceKind::Personal || role == Role::Owner || self.plan_at(now) != Plan::Free
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn workspace(kind: &str) -> Workspace {
        from_value(json!({
            "id": "ws_01m858qy4a1ar9by88nhafn40x", "handle": "ada-lovelace", "kind": kind,
            "owner": "user_01m858qy4a1ar9by88nhafn40x", "region": "eu", "plan": "free", "openingCredit": 0,
            "dataKey": "wrapped", "createdAt": "2027-01-31T12:00:00.123456Z",
        }))
        .unwrap()
    }

    fn terms(plan: Plan, seats: Option<u64>, ends: Option<&str>) -> PlanTerms {
        PlanTerms { plan, ends_at: ends.map(at), seats: seats.map(Quota::AtMost) }
    }

    /// First and last instant of the month at a time, and its credit in dollars.
    fn month(workspace: &Workspace, now: &str) -> Option<(String, String, i64)> {
        let CreditPeriod { starts, ends, amount } = workspace.credit_period(at(now))?;
        assert_eq!(amount, workspace.monthly_credit(at(now)));
        Some((starts.to_string(), ends.to_string(), amount.micros() / 1_000_000))
    }

    fn of(starts: &str, ends: &str, dollars: i64) -> Option<(String, String, i64)> {
        Some((starts.to_owned(), ends.to_owned(), dollars))
    }

    #[test]
    fn months_of_a_plan_that_goes_on_stay_when_its_terms_change() {
        let now = at("2027-03-10T08:00:00.123456Z");
        let team = workspace("team").with_plan_terms(terms(Plan::Pro, Some(4), None), now);
        let first = of("2027-03-10T08:00:00.123Z", "2027-04-10T08:00:00.123Z", 120);
        assert_eq!(month(&team, "2027-03-10T08:00:00.123456Z"), first);
        let later = at("2027-03-20T00:00:00Z");
        let more = team.clone().with_plan_terms(terms(Plan::Pro, Some(9), None), later);
        let ending =
            team.clone().with_plan_terms(terms(Plan::Pro, Some(4), Some("2027-04-02T00:00:00Z")), later);
        for (changed, dollars) in [(&more, 270), (&ending, 120)] {
            assert_eq!(changed.plan_since, team.plan_since);
            let same = of("2027-03-10T08:00:00.123Z", "2027-04-10T08:00:00.123Z", dollars);
            assert_eq!(month(changed, "2027-03-20T00:00:00Z"), same);
        }
        // It is renewed before its end.
        let renewed =
            ending.clone().with_plan_terms(terms(Plan::Pro, None, None), at("2027-04-01T23:59:59Z"));
        let next = of("2027-04-10T08:00:00.123Z", "2027-05-10T08:00:00.123Z", 30);
        assert_eq!(month(&renewed, "2027-04-10T08:00:00.123Z"), next);
        assert_eq!(month(&ending, "2027-04-02T00:00:00Z"), None);
    }

    #[test]
    fn plan_that_begins_begins_a_month() {
        let pro = |workspace: Workspace, now: &str| {
            workspace.with_plan_terms(terms(Plan::Pro, None, None), at(now))
        };
        let first = pro(workspace("personal"), "2027-03-10T00:00:00Z");
        let free = first.clone().with_plan_terms(terms(Plan::Free, None, None), at("2027-03-11T00:00:00Z"));
        assert_eq!((free.plan_since, month(&free, "2027-03-11T00:00:00Z")), (None, None));
        let again = pro(free, "2027-03-12T00:00:00Z");
        let second = of("2027-03-12T00:00:00Z", "2027-04-12T00:00:00Z", 30);
        assert_eq!(month(&again, "2027-03-12T00:00:00Z"), second);
        // After another paid plan, and after it ended by itself.
        let contract =
            first.clone().with_plan_terms(terms(Plan::Enterprise, None, None), at("2027-03-13T00:00:00Z"));
        assert_eq!(month(&contract, "2027-03-13T00:00:00Z"), None);
        let ended = terms(Plan::Pro, None, Some("2027-03-14T00:00:00Z"));
        let ended = first.with_plan_terms(ended, at("2027-03-13T00:00:00Z"));
        for before in [contract, ended] {
            let again = pro(before, "2027-03-14T00:00:00Z");
            let third = of("2027-03-14T00:00:00Z", "2027-04-14T00:00:00Z", 30);
            assert_eq!(month(&again, "2027-03-14T00:00:00Z"), third);
        }
    }

    #[test]
    fn credit_counts_seats_of_the_contract_or_one() {
        let now = at("2027-03-10T00:00:00Z");
        let dollars = |kind: &str, plan, seats| {
            let workspace = workspace(kind).with_plan_terms(terms(plan, seats, None), now);
            workspace.monthly_credit(now).micros() / 1_000_000
        };
        assert_eq!(dollars("team", Plan::Pro, Some(7)), 210);
        assert_eq!(dollars("team", Plan::Pro, None), 30);
        assert_eq!(dollars("team", Plan::Pro, Some(10_000)), 300_000);
        assert_eq!(dollars("personal", Plan::Pro, Some(7)), 30);
        assert_eq!(dollars("team", Plan::Free, Some(7)), 0);
        assert_eq!(dollars("team", Plan::Enterprise, Some(7)), 0);
        let unlimited = PlanTerms { seats: Some(Quota::Unlimited), ..terms(Plan::Pro, None, None) };
        assert_eq!(
            workspace("team").with_plan_terms(unlimited, now).monthly_credit(now),
            MicroUsd::dollars(30)
        );
        // More than a wallet can have: none rather than too much.
        assert_eq!(dollars("team", Plan::Pro, Some(u64::MAX)), 0);
    }

    #[test]
    fn month_that_nobody_paid_has_no_credit() {
        let now = at("2027-03-10T00:00:00Z");
        let ends = Some("2027-04-17T00:00:00Z");
        let pro = workspace("personal").with_plan_terms(terms(Plan::Pro, None, ends), now);
        let pro = Workspace { plan_paid_until: Some(at("2027-04-10T00:00:00Z")), ..pro };
        assert!(month(&pro, "2027-04-09T23:59:59Z").is_some());
        // The plan goes on, and the next period is not paid.
        assert_eq!(pro.plan_at(at("2027-04-10T00:00:00Z")), Plan::Pro);
        assert_eq!(month(&pro, "2027-04-10T00:00:00Z"), None);
        let paid = Workspace { plan_paid_until: Some(at("2027-05-10T00:00:00Z")), ..pro.clone() };
        assert!(month(&paid, "2027-04-10T00:00:00Z").is_some());
        // The contract of an operator needs no payment.
        let contract = pro.with_plan_terms(terms(Plan::Pro, None, None), at("2027-04-10T00:00:00Z"));
        assert!(month(&contract, "2027-04-10T00:00:00Z").is_some());
    }

    #[test]
    fn plan_of_an_early_version_counts_from_the_creation() {
        let old = Workspace { plan: Plan::Pro, ..workspace("personal") };
        let stored = to_value(&old).unwrap();
        assert!(stored.get("planSince").is_none(), "{stored}");
        let first = of("2027-02-28T12:00:00.123Z", "2027-03-31T12:00:00.123Z", 30);
        assert_eq!(month(&old, "2027-03-10T00:00:00Z"), first);
        let changed = old.with_plan_terms(terms(Plan::Pro, Some(2), None), at("2027-03-10T00:00:00Z"));
        assert_eq!((changed.plan_since, month(&changed, "2027-03-10T00:00:00Z")), (None, first));
    }

    #[test]
    fn worker_whose_clock_is_late_finds_the_first_month() {
        let now = at("2027-03-10T00:00:00Z");
        let pro = workspace("personal").with_plan_terms(terms(Plan::Pro, None, None), now);
        assert_eq!(month(&pro, "2027-03-09T23:59:59.99Z"), month(&pro, "2027-03-10T00:00:00Z"));
    }
}
