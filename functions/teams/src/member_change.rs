//! What the endpoints that change members share: the member that a request names, the caller as the team's records say now, and
//! the line in the history.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, ResourceType},
    id::{RequestedId, UserId},
    permissions::{Denied, Member},
    ports::{Failure, Teams, Workspaces},
    team::TeamMember,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{Output, Problem, RequestContext};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The member that a request names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MemberPath {
    /// The member's user id.
    user_id: RequestedId<UserId>,
}

impl MemberPath {
    /// The user.
    pub fn user(&self) -> Result<UserId, MemberError> {
        self.user_id.known().ok_or(MemberError::Missing)
    }
}

/// The change was made.
#[derive(Serialize, JsonSchema)]
pub struct MemberChanged {
    /// Always `true`.
    success: bool,
}
impl Output for MemberChanged {}

impl MemberChanged {
    /// The response.
    pub const fn done() -> Self {
        Self { success: true }
    }
}

kit::errors! {
    pub enum MemberError from Denied, Failure {
        /// There is no such member, or the caller is no member any more.
        Missing => Problem::not_found(),
        /// The team lost its plan meanwhile.
        Inactive => Problem::team_inactive(),
    }
}

/// A member of a team. A personal account has none but its owner.
pub async fn member_of(teams: &dyn Teams, team: &Workspace, user: UserId) -> Result<TeamMember, MemberError> {
    if team.kind == WorkspaceKind::Personal {
        return Err(MemberError::Missing);
    }
    teams.member(team.id, user).await?.ok_or(MemberError::Missing)
}

/// The caller as the team's records say now, for a change that found them different from what it was permitted by. A caller
/// without access is refused as at the beginning of a request.
pub async fn still_acts(
    workspaces: &dyn Workspaces,
    caller: &Member,
    now: Timestamp,
) -> Result<Member, MemberError> {
    let found = workspaces.membership(caller.workspace.id, caller.user).await?;
    let (workspace, role) = found.ok_or(MemberError::Missing)?;
    if !workspace.is_open_to(role, now) {
        return Err(MemberError::Inactive);
    }
    Ok(Member { workspace, role, user: caller.user, stepped_up: caller.stepped_up })
}

/// The activity event of a change of a member.
pub fn event(
    call: &RequestContext<Member>,
    by: &Member,
    action: Action,
    member: &TeamMember,
) -> ActivityEvent {
    let event = call.event(by.workspace.id, by.actor(), action, ResourceType::Team);
    event.about(member.user, &member.handle)
}
