//! Teams: members, and the seats that members and pending invitations take.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    handle::Handle,
    id::{UserId, WorkspaceId},
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
}

/// A member who makes a change, as seen when it was permitted. The change is made only if this is still so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActingMember {
    /// The team.
    pub team: WorkspaceId,
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
