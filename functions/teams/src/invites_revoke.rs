//! `DELETE /api/invites/{id}`: cancels an invitation, also an expired one. Its token ends at once, and its seat is free. Cancelling it
//! twice returns 404.

use std::sync::Arc;

use domain::{
    activity::Action,
    id::InvitationId,
    permissions::{self, Denied, Member},
    ports::{Failure, Invitations, Rounds, Saved, Workspaces},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec,
    grants::{extras, invitations, workspaces},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    invitation::{self, InvitationPath},
    member_change::{MemberError, still_acts},
};

/// Cancels an invitation.
pub struct CancelInvitation;

/// Dependencies.
pub struct Deps {
    invitations: Arc<dyn Invitations>,
    workspaces: Arc<dyn Workspaces>,
}

/// The invitation was cancelled.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelledInvitation {
    /// Always `true`.
    deleted: bool,
    invite_id: InvitationId,
}
impl Output for CancelledInvitation {}

kit::errors! {
    pub enum Error from MemberError, Denied, Failure {
        /// The invitation does not exist.
        Missing => Problem::not_found(),
    }
}

impl Endpoint for CancelInvitation {
    const SPEC: Spec = spec("invites-revoke", Delete, "/api/invites/{id}")
        .summary("Cancel an invitation")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound])
        .uses(&[invitations::FIND, invitations::CANCEL, workspaces::MEMBERSHIP, extras::EVENT]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<InvitationPath>;
    type Output = CancelledInvitation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { invitations: ports.invitations(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(path): Self::Input,
    ) -> Result<CancelledInvitation, Error> {
        let mut member = call.caller.clone();
        let (team, actor) = (member.workspace.id, member.actor());
        let id = path.id.known().ok_or(Error::Missing)?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let found = deps.invitations.find(team, id).await?.ok_or(Error::Missing)?;
            let proof = permissions::may_act_on(&member, &[found.role])?;
            let event = invitation::event(call, actor, Action::Cancelled, &found);
            let extras = call.extras(Some(event), None, id);
            if deps.invitations.cancel(&proof, &found, extras).await? == Saved::Yes {
                return Ok(CancelledInvitation { deleted: true, invite_id: id });
            }
            member = still_acts(&*deps.workspaces, &member, call.now).await?;
        }
    }
}
