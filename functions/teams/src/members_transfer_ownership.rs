//! `POST /api/members/transfer-ownership`: makes a member the owner of a team, and the owner an admin. Needs a recent sign-in,
//! because only the new owner can give the team back.
//!
//! A new owner from another region needs one of the places for owned teams at their home, which is reserved before the transfer.
//!
//! Admins are let in so that a former owner who repeats the request with its `Idempotency-Key` gets the earlier response; the
//! transfer itself is the owner's.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    id::{RequestedId, UserId},
    permissions::{Denied, Member, may_transfer_team},
    ports::{
        Failure, PlaceReserved, Rounds, Teams, TeamsElsewhere, TransactionExtras, Transferred, Workspaces,
    },
    role::Role,
    team::{MOST_OWNED, TeamMember},
    workspace::Workspace,
};
use kit::{
    Access, Body, Code, Endpoint, Ports, Problem, RegionClient, RequestContext, Spec,
    grants::{extras, teams, teams_elsewhere, workspaces},
    spec,
    spec::Method::Post,
};
use regions::{owned_places::free_settled, owned_teams::reserve_at_home};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    foreign_members,
    member_change::{self, MemberChanged, MemberError, member_of, still_acts},
};

/// Transfers the ownership of a team.
pub struct TransferTeam;

/// Dependencies.
pub struct Deps {
    elsewhere: Arc<dyn TeamsElsewhere>,
    regions: RegionClient,
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
        .uses(&[
            teams::MEMBER,
            teams::TRANSFER,
            teams_elsewhere::RESERVATIONS,
            teams_elsewhere::SETTLE,
            workspaces::MEMBERSHIP,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<TransferBody>;
    type Output = MemberChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            elsewhere: ports.teams_elsewhere(),
            regions: ports.region_client(),
            teams: ports.teams(),
            workspaces: ports.workspaces(),
        }
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
        let (mut rounds, mut freed) = (Rounds::new(), false);
        loop {
            rounds.begin()?;
            let proof = may_transfer_team(&caller)?;
            let user = form.target_user_id.known().ok_or(MemberError::Missing)?;
            let member = |user| member_of(&*deps.teams, &caller.workspace, user);
            let (from, to) = futures::try_join!(member(caller.user), member(user))?;
            if user == caller.user {
                return Err(Error::Own);
            }
            deps.reserve_at_home(&caller.workspace, &to).await?;
            let extras = extras(call, &caller, [&from, &to]);
            match deps.teams.transfer(&proof, &from, &to, extras).await? {
                Transferred::Yes => return Ok(MemberChanged::done()),
                // Places of requests that failed count until they are needed.
                Transferred::LimitReached if !freed => {
                    freed = free_settled(&*deps.elsewhere, &deps.regions, user, call.now).await?;
                    if !freed {
                        return Err(Error::LimitReached);
                    }
                }
                Transferred::LimitReached => return Err(Error::LimitReached),
                Transferred::Gone => return Err(MemberError::Missing.into()),
                Transferred::Stale => {
                    caller = still_acts(&*deps.workspaces, &caller, call.now).await?;
                }
            }
        }
    }
}

impl Deps {
    /// Reserves a place for the team at the home of a new owner from another region. The transaction takes that of a local one.
    async fn reserve_at_home(&self, team: &Workspace, to: &TeamMember) -> Result<(), Error> {
        if to.region == team.region {
            return Ok(());
        }
        match reserve_at_home(&self.regions, (to.user, to.region), (team.id, team.region)).await? {
            PlaceReserved::Yes => Ok(()),
            PlaceReserved::LimitReached => Err(Error::LimitReached),
            PlaceReserved::UserGone => Err(MemberError::Missing.into()),
        }
    }
}

/// The line in the history, the message for the mails, and those for the homes of the two.
fn extras(call: &RequestContext<Member>, by: &Member, [from, to]: [&TeamMember; 2]) -> TransactionExtras {
    let mut event = member_change::event(call, by, Action::Updated, to);
    event.metadata.insert("owner".to_owned(), true.into());
    let notice = DomainEvent::TeamTransferred { team: by.workspace.id, user: to.user };
    let messages = [from, to].map(|member| foreign_members::message(call, &by.workspace, member));
    call.extras(Some(event), Some(notice), to.user).with(messages.into_iter().flatten())
}
