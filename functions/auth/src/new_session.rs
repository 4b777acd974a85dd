//! Beginning of a session, however its user proved to be the user.
//!
//! A caller makes the session with [`new_session`], stores it with [`sessions.begin`](domain::ports::Sessions::begin) and the event of
//! [`new_device`] in the same transaction, and returns its tokens with [`hand_out`](crate::tokens::hand_out).

use domain::{
    domain_events::DomainEvent,
    id::{SessionId, UserId},
    ports::{Outcome, TokenKeys},
    session::{RefreshToken, Session},
    session_client::SessionClient,
    user_agent::Device,
};
use kit::RequestContext;

/// Makes a session of the client that sends the request, and its first refresh token.
pub async fn new_session<C>(
    tokens: &dyn TokenKeys,
    call: &RequestContext<C>,
    user: UserId,
    id: SessionId,
) -> Outcome<(Session, RefreshToken)> {
    let key = tokens.derivation_key(id.made_at()).await?;
    let first = RefreshToken::first(call.region, user, id, &key);
    let session = Session::begin(id, user, &first, call.now);
    Ok((client_of(call).enter(session, &key, call.entropy())?, first))
}

/// The event that has the user told of a session on an unknown device.
pub fn new_device(session: &Session, is_known: bool) -> Option<DomainEvent> {
    let Session { user, id, .. } = *session;
    (!is_known).then_some(DomainEvent::NewDeviceSignedIn { user, session: id })
}

/// The client that sends the request.
pub fn client_of<C>(call: &RequestContext<C>) -> SessionClient {
    SessionClient { device: Device::of_user_agent(call.user_agent()), address: call.network }
}
