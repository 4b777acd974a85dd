//! `POST /api/invites/{id}/resend`: sends an invitation again, also an expired one. The new token replaces the last one, and the 14
//! days start again.

use std::sync::Arc;

use domain::{
    activity::Action,
    domain_events::DomainEvent,
    id::{InvitationId, WorkspaceId},
    invitation::Invitation,
    permissions::{self, Denied, Member},
    ports::{Failure, Invitations, RateWindows, Rounds, Saved, TokenKeys, TransactionExtras, Workspaces},
    role::Role,
    throttle::Wait,
};
use kit::{
    Access, Code, Endpoint, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, invitations, rate_windows, token_keys, workspaces},
    spec,
    spec::Method::Post,
};

use crate::{
    invitation::{self, InvitationPath, SentInvitation},
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
    pub enum Error from MemberError, Denied, Failure {
        /// The invitation does not exist.
        Missing => Problem::not_found(),
        /// The team, the address or the region gets no more mails for now.
        TooMany(wait: Wait) => wait,
    }
}

impl Endpoint for ResendInvitation {
    const SPEC: Spec = spec("invites-resend", Post, "/api/invites/{id}/resend")
        .summary("Send an invitation again")
        .access(Access::member(Role::Admin))
        .once()
        .problems(&[Code::NotFound, Code::RateLimited])
        .uses(&[
            invitations::FIND,
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
        let key = deps.tokens.derivation_key(now).await?;
        let allowance = invitation::take_mail(&*deps.windows, team, found.address, now);
        allowance.await?.map_err(Error::TooMany)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let next = found.sent_again(now, call.region, &key);
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
}

fn extras(call: &RequestContext<Member>, invitation: &Invitation) -> TransactionExtras {
    let mut event = invitation::event(call, call.caller.actor(), Action::Shared, invitation);
    event.metadata.insert("resent".to_owned(), true.into());
    let notice = DomainEvent::MemberInvited { team: invitation.team, invitation: invitation.id };
    call.extras(Some(event), Some(notice), invitation.id)
}
