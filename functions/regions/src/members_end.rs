//! `POST /internal/regions/members/end`: ends the membership of a user of the region that asks, whose account is deleted there.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    id::{UserId, WorkspaceId},
    ports::{Failure, Rounds, Saved, Teams, Workspaces},
    role::Role,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec,
    grants::{extras, teams, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Ends a membership.
pub struct EndMembership;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
}

/// The membership.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct EndedMembership {
    /// The user.
    pub user: UserId,
    /// The team.
    pub team: WorkspaceId,
}

/// The user is no member any more, unless the user owns the team.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MembershipEnd {
    /// Whether the user is no member.
    pub ended: bool,
}
impl Output for MembershipEnd {}

impl Endpoint for EndMembership {
    const SPEC: Spec = spec("region-members-end", Post, "/internal/regions/members/end")
        .summary("End the membership of a user whose account is deleted in another region")
        .access(Access::region())
        .uses(&[workspaces::FIND, teams::MEMBER, teams::END_FOREIGN, extras::EVENT]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<EndedMembership>;
    type Output = MembershipEnd;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<OtherRegion>,
        Body(EndedMembership { user, team }): Self::Input,
    ) -> Result<MembershipEnd, Failure> {
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let (found, member) =
                futures::try_join!(deps.workspaces.find(team), deps.teams.member(team, user))?;
            let member = member.filter(|member| member.region != call.region);
            let Some((found, member)) = found.zip(member) else { return Ok(MembershipEnd { ended: true }) };
            if member.role == Role::Owner {
                return Ok(MembershipEnd { ended: false });
            }
            let actor = Actor { user, key: None };
            // Without the username, which ends with the account.
            let event = call.event(team, actor, Action::Unshared, ResourceType::Team).about(user, "");
            let extras = call.extras(Some(event), None, user);
            if deps.teams.end_foreign(&found, &member, extras).await? == Saved::Yes {
                return Ok(MembershipEnd { ended: true });
            }
        }
    }
}
