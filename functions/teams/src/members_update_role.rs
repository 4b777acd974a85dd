//! `PATCH /api/members/{userId}`: changes the role of a member. Nobody acts on a role at or above their own, so the owner's role
//! changes by transfer only. Giving a member the same role again changes nothing.

use std::sync::Arc;

use domain::{
    activity::{Action, ActivityEvent},
    domain_events::DomainEvent,
    invitation::GivenRole,
    permissions::{Member, may_act_on},
    ports::{Rounds, Saved, Teams, Workspaces},
    role::Role,
    team::TeamMember,
};
use kit::{
    Access, Body, Code, Endpoint, Params, Ports, RequestContext, Spec,
    grants::{extras, teams, workspaces},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    foreign_members,
    member_change::{self, MemberChanged, MemberError, MemberPath, member_of, still_acts},
};

/// Changes the role of a member.
pub struct ChangeRole;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
}

/// The new role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    /// The new role.
    role: GivenRole,
}

impl Endpoint for ChangeRole {
    const SPEC: Spec = spec("members-update-role", Patch, "/api/members/{userId}")
        .summary("Change the role of a team member")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound])
        .uses(&[teams::MEMBER, teams::SET_ROLE, workspaces::MEMBERSHIP, extras::EVENT, extras::MESSAGE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = (Params<MemberPath>, Body<RoleBody>);
    type Output = MemberChanged;
    type Error = MemberError;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        (Params(path), Body(form)): Self::Input,
    ) -> Result<MemberChanged, MemberError> {
        let (user, role) = (path.user()?, Role::from(form.role));
        let mut caller = call.caller.clone();
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let member = member_of(&*deps.teams, &caller.workspace, user).await?;
            let proof = may_act_on(&caller, &[member.role, role])?;
            if member.role == role {
                return Ok(MemberChanged::done());
            }
            let event = event(call, &caller, &member, role);
            let notice = DomainEvent::MemberRoleChanged { team: caller.workspace.id, user };
            let extras = call.extras(Some(event), Some(notice), user);
            let extras = extras.with(foreign_members::message(call, &caller.workspace, &member));
            if deps.teams.set_role(&proof, &member, role, extras).await? == Saved::Yes {
                return Ok(MemberChanged::done());
            }
            caller = still_acts(&*deps.workspaces, &caller, call.now).await?;
        }
    }
}

fn event(call: &RequestContext<Member>, by: &Member, member: &TeamMember, role: Role) -> ActivityEvent {
    let mut event = member_change::event(call, by, Action::Updated, member);
    event.metadata.insert("from".to_owned(), member.role.as_str().into());
    event.metadata.insert("to".to_owned(), role.as_str().into());
    event
}
