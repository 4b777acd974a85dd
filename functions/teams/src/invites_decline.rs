//! `POST /api/invites/decline`: declines an invitation. The token ends, and the seat is free. Works before onboarding, and without the
//! invited address: the mail alone is sufficient.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor},
    id::InvitationId,
    ports::{Failure, Invitations, Rounds, Saved},
};
use kit::{
    Access, Body, Code, Endpoint, Output, Person, Ports, RequestContext, Spec,
    grants::{extras, invitations},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    invitation::{self, PresentedToken, TokenError},
    other_region::other_region,
};

/// Declines an invitation.
pub struct DeclineInvitation;

/// Dependencies.
pub struct Deps {
    invitations: Arc<dyn Invitations>,
}

/// The invitation was declined.
#[derive(Serialize, JsonSchema)]
pub struct DeclinedInvitation {
    /// Always `true`.
    declined: bool,
}
impl Output for DeclinedInvitation {}

kit::errors! {
    pub enum Error from TokenError, Failure {
        /// The team belongs to another region.
        OtherRegion => other_region(),
    }
}

impl Endpoint for DeclineInvitation {
    const SPEC: Spec = spec("invites-decline", Post, "/api/invites/decline")
        .summary("Decline an invitation to a team")
        .access(Access::person())
        .once()
        .problems(&[Code::Conflict, Code::TokenInvalid])
        .uses(&[invitations::FIND, invitations::END, extras::EVENT]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<PresentedToken>;
    type Output = DeclinedInvitation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { invitations: ports.invitations() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(presented): Self::Input,
    ) -> Result<DeclinedInvitation, Error> {
        let done = DeclinedInvitation { declined: true };
        if call.made_before::<InvitationId>().is_some() {
            return Ok(done);
        }
        let token = presented.token.known().ok_or(TokenError::Invalid)?;
        if token.region != call.region {
            return Err(Error::OtherRegion);
        }
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let invitation = invitation::opened(&*deps.invitations, &token, call.now).await?;
            // The caller is a stranger to the team, whose history does not tell who they are.
            let actor = Actor { user: invitation.invited_by, key: None };
            let mut event = invitation::event(call, actor, Action::Cancelled, &invitation);
            event.metadata.insert("declined".to_owned(), true.into());
            let extras = call.extras(Some(event), None, invitation.id);
            if deps.invitations.end(&invitation, extras).await? == Saved::Yes {
                return Ok(done);
            }
        }
    }
}
