//! `POST /api/members/leave`: the caller leaves a team. Any member but the owner can, also while the team has no plan. What the
//! member made stays with the team.

use std::sync::Arc;

use domain::{
    activity::Action,
    permissions::Member,
    ports::{Failure, Rounds, Saved, Teams},
    role::Role,
    workspace::WorkspaceKind,
};
use kit::{
    Access, Code, Endpoint, Ports, Problem, RequestContext, Spec,
    grants::{extras, teams},
    spec,
    spec::Method::Post,
};

use crate::{
    foreign_members,
    member_change::{self, MemberChanged, MemberError, member_of},
};

/// Leaves a team.
pub struct LeaveTeam;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
}

kit::errors! {
    pub enum Error from MemberError, Failure {
        /// The caller owns the team.
        Owner => Problem::new(Code::OwnerCannotLeave, "Transfer the ownership or delete the team first."),
        /// The workspace is a personal account.
        NoTeam => Problem::new(Code::Conflict, "Only teams can be left. Name the team with `owner`."),
    }
}

impl Endpoint for LeaveTeam {
    const SPEC: Spec = spec("members-leave", Post, "/api/members/leave")
        .summary("Leave a team")
        .access(Access::member(Role::Viewer))
        .open_to_inactive()
        .problems(&[Code::OwnerCannotLeave, Code::Conflict])
        .uses(&[teams::MEMBER, teams::LEAVE, extras::EVENT, extras::MESSAGE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = ();
    type Output = MemberChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        (): Self::Input,
    ) -> Result<MemberChanged, Error> {
        let (team, user) = (&call.caller.workspace, call.caller.user);
        if team.kind == WorkspaceKind::Personal {
            return Err(Error::NoTeam);
        }
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let member = member_of(&*deps.teams, team, user).await?;
            if member.role == Role::Owner {
                return Err(Error::Owner);
            }
            let mut event = member_change::event(call, &call.caller, Action::Unshared, &member);
            event.metadata.insert("left".to_owned(), true.into());
            let extras = call.extras(Some(event), None, user);
            let extras = extras.with(foreign_members::message(call, team, &member));
            if deps.teams.leave(team, &member, extras).await? == Saved::Yes {
                return Ok(MemberChanged::done());
            }
        }
    }
}
