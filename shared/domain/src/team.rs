//! Teams: members, and the seats that members and pending invitations take.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    plan::Plan,
    region::Region,
    role::Role,
    secret::Digest256,
};

/// The most teams that a user may own.
pub const MOST_OWNED: usize = 5;
/// The most teams of a user that are listed.
pub const MOST_LISTED: usize = 1_000;

/// The ids that a new team of this user with this handle may get, the preferred one first.
///
/// They are derived: a request that is repeated, and one that is sent twice at once, claim the handle for the same team, although a
/// claim without a team lasts for minutes. They change every hour, and the second one is that of the hour before, whose claims may
/// last. The id of a deleted team is not given to a second one: creating a team checks that.
pub fn new_ids(owner: UserId, handle: &Handle, now: Timestamp) -> [WorkspaceId; 2] {
    let hour = now.as_second().div_euclid(HOUR);
    [hour, hour.saturating_sub(1)].map(|hour| {
        let begins = Timestamp::from_second(hour.saturating_mul(HOUR)).unwrap_or(Timestamp::UNIX_EPOCH);
        WorkspaceId::derived(begins, Digest256::of(format!("team/{owner}/{handle}/{hour}")))
    })
}

/// The seconds of an hour.
const HOUR: i64 = 3_600;

/// A member of a team. Of a member from another region, nothing else is stored where the team is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TeamMember {
    /// The user.
    pub user: UserId,
    /// The member's role.
    pub role: Role,
    /// The username.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// The member's home region.
    pub region: Region,
    /// When the member joined.
    pub joined_at: Timestamp,
    /// The member who sent the invitation; absent for the user who created the team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<UserId>,
    /// How often the role changed since the member joined.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changes: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What the region of a team tells a member's home about the membership. The home keeps the latest for lists; no permission is read
/// from it.
///
/// Copies arrive in any order, perhaps twice: `since` and `changes` tell which of two is the later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MembershipCopy {
    /// The team.
    pub team: WorkspaceId,
    /// The user.
    pub user: UserId,
    /// The team's username.
    #[serde(deserialize_with = "crate::handle::existing")]
    pub handle: Handle,
    /// The team's region.
    pub region: Region,
    /// The team's plan at that time.
    pub plan: Plan,
    /// The role; absent if the membership has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// When the member joined.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// [`TeamMember::changes`]
    pub changes: u64,
}

impl MembershipCopy {
    /// Of two copies, the one with the greater number is the later one: the end of a membership is its last change, and a second
    /// membership begins after the end of the first.
    pub fn version(&self) -> i128 {
        let changes = if self.role.is_some() { self.changes.min(ENDED - 1) } else { ENDED };
        self.since.as_nanosecond().saturating_mul(CHANGES).saturating_add(i128::from(changes))
    }
}

/// The number of versions of one membership.
const CHANGES: i128 = 1_000_000;
/// The last one.
const ENDED: u64 = 999_999;

/// One of the places for owned teams, reserved at the owner's home for a team in another region while that region creates the team or
/// passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The team.
    pub team: WorkspaceId,
    /// The team's region.
    pub region: Region,
    /// When it was made.
    pub at: Timestamp,
}

impl Reservation {
    /// Whether the request that made it has ended: then the team's region knows whether the user owns the team.
    pub fn is_settled(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > UNDER_WAY
    }
}

/// Longer than a transaction of the request can be sent, as for claims ([`PENDING`](crate::directory::PENDING)).
const UNDER_WAY: SignedDuration = crate::directory::PENDING;

/// A member who makes a change, as seen when it was permitted. The change is made only if this is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActingMember {
    /// The team.
    pub team: WorkspaceId,
    /// The team's region.
    pub region: Region,
    /// The user.
    pub user: UserId,
    /// The role.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(user: &str, handle: &str, second: i64) -> [WorkspaceId; 2] {
        let (user, handle) = (user.parse().unwrap(), Handle::parse(handle).unwrap());
        new_ids(user, &handle, Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn later_copy_of_a_membership_has_the_greater_version() {
        let copy = |since: i64, changes: u64, role: Option<Role>| MembershipCopy {
            team: "ws_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            user: "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            handle: Handle::parse("the-lab").unwrap(),
            region: Region::Eu,
            plan: Plan::Pro,
            role,
            since: Timestamp::from_second(since).unwrap(),
            changes,
        };
        let history = [
            copy(1, 0, Some(Role::Viewer)),
            copy(1, 1, Some(Role::Admin)),
            copy(1, 1, None),
            copy(2, 0, Some(Role::Viewer)),
            copy(2, u64::MAX, Some(Role::Viewer)),
            copy(2, 0, None),
        ];
        assert!(history.is_sorted_by(|one, next| one.version() < next.version()));
    }

    #[test]
    fn repeated_request_finds_the_id_of_the_first() {
        let user = "user_01m858qy4a1ar9by88nhafn40x";
        let first = ids(user, "the-lab", 100 * HOUR + 17);
        assert_eq!(first, ids(user, "the-lab", 101 * HOUR - 1));
        let later = ids(user, "the-lab", 101 * HOUR);
        assert!(later[0] != first[0] && later[1] == first[0]);
        assert_eq!(first[0].made_at(), Timestamp::from_second(100 * HOUR).unwrap());
        let others = [
            ids("user_01m858qy4a1ar9by88nhafn40y", "the-lab", 100 * HOUR),
            ids(user, "the-lab-2", 100 * HOUR),
        ];
        assert!(others.iter().all(|other| !first.contains(&other[0])));
    }
}
