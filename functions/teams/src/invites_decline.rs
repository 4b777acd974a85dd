//! `POST /api/invites/decline`: declines an invitation. The token ends, and the seat is free. Works before onboarding, and without the
//! invited address: the mail alone is sufficient. The caller's home sends the request to the region of the team.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor},
    id::InvitationId,
    ports::{Failure, Invitations, Rounds, Saved},
    region::Region,
};
use kit::{
    Access, Body, CallerAssertion, Code, Endpoint, Guest, Output, PersonOrGuest, Ports, RequestContext, Spec,
    Stop,
    grants::{extras, invitations},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::invitation::{self, PresentedToken, TokenError};

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
        Elsewhere(to: (Region, Guest)) => Stop::asserting(to.0, CallerAssertion::of_guest(to.1)),
    }
}

impl Endpoint for DeclineInvitation {
    const SPEC: Spec = spec("invites-decline", Post, "/api/invites/decline")
        .summary("Decline an invitation to a team")
        .access(Access::person())
        .once()
        .problems(&[Code::TokenInvalid])
        .uses(&[invitations::FIND, invitations::END, extras::EVENT]);
    type Caller = PersonOrGuest;
    type Deps = Deps;
    type Input = Body<PresentedToken>;
    type Output = DeclinedInvitation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { invitations: ports.invitations() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<PersonOrGuest>,
        Body(presented): Self::Input,
    ) -> Result<DeclinedInvitation, Error> {
        let done = DeclinedInvitation { declined: true };
        if call.made_before::<InvitationId>().is_some() {
            return Ok(done);
        }
        let token = presented.token.known().ok_or(TokenError::Invalid)?;
        if token.region != call.region {
            return Err(elsewhere(call, token.region));
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

/// Sends the request of a local caller to the region of the team. A request from another region is not sent any further.
fn elsewhere(call: &RequestContext<PersonOrGuest>, to: Region) -> Error {
    let PersonOrGuest::Person(person) = &call.caller else { return TokenError::Invalid.into() };
    let (user, home) = (person.session.user, call.region);
    Error::Elsewhere((to, Guest { user, home, handle: None, stepped_up: false, addresses: Vec::new() }))
}
