//! `POST /api/invites/{id}/resend`: sends an invitation again, also an expired one if a seat is free. The new token replaces the last
//! one, and the 14 days start again. The caller becomes the invitation's sender.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::Action,
    domain_events::DomainEvent,
    id::{InvitationId, WorkspaceId},
    invitation::Invitation,
    permissions::{self, Denied, Member},
    ports::{Failure, Invitations, RateWindows, Rounds, Saved, TokenKeys, TransactionExtras, Workspaces},
    role::Role,
    workspace::Workspace,
};
use kit::{
    Access, Code, Endpoint, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, invitations, rate_windows, token_keys, workspaces},
    spec,
    spec::Method::Post,
};

use crate::{
    invitation::{self, InvitationPath, MOST_READ, MailError, SentInvitation, no_seat},
    member_change::{MemberError, still_acts},
};

/// Sends an invitation again.
pub struct ResendInvitation;

/// Dependencies.
pub struct Deps {
    invitations: Arc<dyn Invitations>,
    tokens: Arc<dyn TokenKeys>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

kit::errors! {
    pub enum Error from MemberError, Denied, MailError, Failure {
        /// The invitation does not exist.
        Missing => Problem::not_found(),
        /// The invitation expired, and members and pending invitations take all seats.
        NoSeat(seats: u64) => no_seat(seats),
    }
}

impl Endpoint for ResendInvitation {
    const SPEC: Spec = spec("invites-resend", Post, "/api/invites/{id}/resend")
        .summary("Send an invitation again")
        .access(Access::member(Role::Admin))
        .once()
        .problems(&[Code::NotFound, Code::SeatLimitReached, Code::RateLimited])
        .uses(&[
            invitations::FIND,
            invitations::OF,
            invitations::REPLACE,
            rate_windows::TAKE,
            token_keys::DERIVATION_KEY,
            workspaces::MEMBERSHIP,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<InvitationPath>;
    type Output = SentInvitation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            invitations: ports.invitations(),
            tokens: ports.token_keys(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(path): Self::Input,
    ) -> Result<SentInvitation, Error> {
        let (team, now) = (call.caller.workspace.id, call.now);
        let id = path.id.known().ok_or(Error::Missing)?;
        let mut found = deps.find(team, id).await?;
        let mut proof = permissions::may_act_on(&call.caller, &[found.role])?;
        if call.made_before::<InvitationId>().is_some() {
            return Ok(SentInvitation::new(&found));
        }
        deps.refuse_without_seat(&call.caller.workspace, &found, now).await?;
        let key = deps.tokens.derivation_key(now).await?;
        invitation::take_mail(&*deps.windows, team, found.address, now).await?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let next =
                Invitation { invited_by: call.caller.user, ..found.sent_again(now, call.region, &key) };
            if deps.invitations.replace(&proof, &next, extras(call, &next)).await? == Saved::Yes {
                return Ok(SentInvitation::new(&next));
            }
            let member = still_acts(&*deps.workspaces, &call.caller, now).await?;
            found = deps.find(team, id).await?;
            proof = permissions::may_act_on(&member, &[found.role])?;
        }
    }
}

impl Deps {
    async fn find(&self, team: WorkspaceId, id: InvitationId) -> Result<Invitation, Error> {
        self.invitations.find(team, id).await?.ok_or(Error::Missing)
    }

    /// Refuses an expired invitation if others took its seat, or the team has fewer seats by now. A pending one keeps its seat.
    async fn refuse_without_seat(
        &self,
        team: &Workspace,
        invitation: &Invitation,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Some(seats) = team.entitlements(now).seats else { return Ok(()) };
        if invitation.is_pending(now) || team.seats_taken <= seats {
            return Ok(());
        }
        let all = self.invitations.of(team.id, MOST_READ).await?;
        let gives_way = |other: &&Invitation| other.id != invitation.id && !other.is_pending(now);
        let others = u64::try_from(all.iter().filter(gives_way).count()).unwrap_or(u64::MAX);
        if team.seats_taken.saturating_sub(others) > seats { Err(Error::NoSeat(seats)) } else { Ok(()) }
    }
}

fn extras(call: &RequestContext<Member>, invitation: &Invitation) -> TransactionExtras {
    let mut event = invitation::event(call, call.caller.actor(), Action::Shared, invitation);
    event.metadata.insert("resent".to_owned(), true.into());
    let notice = DomainEvent::MemberInvited { team: invitation.team, invitation: invitation.id };
    call.extras(Some(event), Some(notice), invitation.id)
}
