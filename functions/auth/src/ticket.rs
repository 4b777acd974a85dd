//! The identity ticket of a browser: what a provider said about its person, sealed in a cookie for ten minutes.

use domain::{
    ports::{Failure, IdentityKeys},
    provider::{ConnectsTo, IdentityTicket},
};
use kit::{Code, CredentialError, Problem, RequestContext};

kit::errors! {
    pub enum TicketError from CredentialError, Failure {
        /// There is no ticket, it has expired, or it is for something else.
        Missing => Problem::new(
            Code::AuthorizationInvalid,
            "The sign-in with the provider has expired or was not completed in this browser. Start it again.",
        ),
        /// A page of another origin sent the request.
        AnotherOrigin => Problem::new(
            Code::CsrfTokenRequired,
            "Cross-origin request refused. Send this request from a page of the same origin.",
        ),
    }
}

/// The ticket that came with a request, if it is still valid and for this purpose: to connect the identity to an account, or to sign
/// in. The browser sends its cookie with requests of the same site only; pages of the same site and another origin are refused here.
pub async fn presented<C>(
    keys: &dyn IdentityKeys,
    call: &RequestContext<C>,
    connects: Option<ConnectsTo>,
) -> Result<IdentityTicket, TicketError> {
    if call.is_from_another_origin() {
        return Err(TicketError::AnotherOrigin);
    }
    let cookie = call.identity_cookie()?.ok_or(TicketError::Missing)?;
    let ticket = keys.open_ticket(&cookie).await?;
    let ticket = ticket.filter(|ticket| call.now < ticket.expires_at && ticket.connects == connects);
    ticket.ok_or(TicketError::Missing)
}
