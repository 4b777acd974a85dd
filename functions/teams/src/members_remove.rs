//! `DELETE /api/members/{userId}`: removes a member from a team at once. What the member made stays with the team. Removing a
//! member twice returns 404.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    permissions::{Denied, Member, may_act_on},
    ports::{Failure, Rounds, Saved, Teams, Workspaces},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, teams, workspaces},
    spec,
    spec::Method::Delete,
};

use crate::{
    foreign_members,
    member_change::{self, MemberChanged, MemberError, MemberPath, member_of, still_acts},
};

/// Removes a member.
pub struct RemoveMember;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
}

kit::errors! {
    pub enum Error from MemberError, Denied, Failure {
        /// The member is the caller.
        Own => Problem::new(Code::Conflict, "You can't remove yourself. Leave the team instead."),
    }
}

impl Endpoint for RemoveMember {
    const SPEC: Spec = spec("members-remove", Delete, "/api/members/{userId}")
        .summary("Remove a member from a team")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::Conflict])
        .uses(&[teams::MEMBER, teams::REMOVE, workspaces::MEMBERSHIP, extras::EVENT, extras::MESSAGE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<MemberPath>;
    type Output = MemberChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(path): Self::Input,
    ) -> Result<MemberChanged, Error> {
        let user = path.user()?;
        let mut caller = call.caller.clone();
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let member = member_of(&*deps.teams, &caller.workspace, user).await?;
            if user == caller.user {
                return Err(Error::Own);
            }
            let proof = may_act_on(&caller, &[member.role])?;
            let event = member_change::event(call, &caller, Action::Unshared, &member);
            let home = (member.region != call.region).then_some(member.region);
            let notice = DomainEvent::MemberRemoved { team: caller.workspace.id, user, home };
            let extras = call.extras(Some(event), Some(notice), user);
            let extras = extras.with(foreign_members::message(call, &caller.workspace, &member));
            if deps.teams.remove(&proof, &member, extras).await? == Saved::Yes {
                return Ok(MemberChanged::done());
            }
            caller = still_acts(&*deps.workspaces, &caller, call.now).await?;
        }
    }
}
