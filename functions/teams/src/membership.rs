//! A team as one of its members has it.

use domain::{
    id::{UserId, WorkspaceId},
    ports::{Outcome, TeamOfUser, Workspaces},
};

/// The team with the user's role in it; `None` if the team was deleted or the user is no member.
pub async fn team_of(
    workspaces: &dyn Workspaces,
    team: WorkspaceId,
    user: UserId,
) -> Outcome<Option<TeamOfUser>> {
    let (found, profile) = futures::try_join!(workspaces.membership(team, user), workspaces.profile(team))?;
    Ok(found.map(|(team, role)| TeamOfUser { team, profile, role }))
}
