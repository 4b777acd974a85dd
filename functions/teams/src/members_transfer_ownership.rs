//! `POST /api/members/transfer-ownership`: makes a member the owner of a team, and the owner an admin. Needs a recent sign-in,
//! because only the new owner can give the team back.
//!
//! Admins are let in so that a former owner who repeats the request with its `Idempotency-Key` gets the earlier response; the
//! transfer itself is the owner's.

use std::sync::Arc;

use domain::{
    activity::{Action, ActivityEvent},
    domain_events::DomainEvent,
    id::{RequestedId, UserId},
    permissions::{Denied, Member, may_transfer_team},
    ports::{Failure, Rounds, Teams, Transferred, Workspaces},
    role::Role,
    team::{MOST_OWNED, TeamMember},
};
use kit::{
    Access, Body, Code, Endpoint, Ports, Problem, RequestContext, Spec,
    grants::{extras, teams, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::member_change::{self, MemberChanged, MemberError, member_of, still_acts};

/// Transfers the ownership of a team.
pub struct TransferTeam;

/// Dependencies.
pub struct Deps {
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
}

/// The new owner.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TransferBody {
    /// The user id of the member who becomes the owner.
    target_user_id: RequestedId<UserId>,
}

kit::errors! {
    pub enum Error from MemberError, Denied, Failure {
        /// The member is the owner already.
        Own => Problem::new(Code::Conflict, "You own this team already. Choose another member."),
        /// The member owns the most teams.
        LimitReached => Problem::new(
            Code::TeamLimitReached,
            format!(
                "A user can own at most {MOST_OWNED} teams. Choose another member, or ask this member to transfer or delete a \
                 team first."
            ),
        ),
    }
}

impl Endpoint for TransferTeam {
    const SPEC: Spec = spec("members-transfer-ownership", Post, "/api/members/transfer-ownership")
        .summary("Transfer the ownership of a team to a member")
        .access(Access::member(Role::Admin).step_up())
        .once()
        .problems(&[Code::NotFound, Code::Conflict, Code::TeamLimitReached])
        .uses(&[teams::MEMBER, teams::TRANSFER, workspaces::MEMBERSHIP, extras::EVENT, extras::MESSAGE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<TransferBody>;
    type Output = MemberChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { teams: ports.teams(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Body(form): Self::Input,
    ) -> Result<MemberChanged, Error> {
        if call.made_before::<UserId>().is_some() {
            return Ok(MemberChanged::done());
        }
        let mut caller = call.caller.clone();
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let proof = may_transfer_team(&caller)?;
            let user = form.target_user_id.known().ok_or(MemberError::Missing)?;
            let member = member_of(&*deps.teams, &caller.workspace, user, call.region).await?;
            if user == caller.user {
                return Err(Error::Own);
            }
            let notice = DomainEvent::TeamTransferred { team: caller.workspace.id, user };
            let extras = call.extras(Some(event(call, &caller, &member)), Some(notice), user);
            match deps.teams.transfer(&proof, &member, extras).await? {
                Transferred::Yes => return Ok(MemberChanged::done()),
                Transferred::LimitReached => return Err(Error::LimitReached),
                Transferred::Gone => return Err(MemberError::Missing.into()),
                Transferred::Stale => {
                    caller = still_acts(&*deps.workspaces, &caller, call.now).await?;
                }
            }
        }
    }
}

fn event(call: &RequestContext<Member>, by: &Member, member: &TeamMember) -> ActivityEvent {
    let mut event = member_change::event(call, by, Action::Updated, member);
    event.metadata.insert("owner".to_owned(), true.into());
    event
}
