//! What the endpoints of invitations share: their inputs and answers, and the limits on mails.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    email::EmailAddress,
    id::{InvitationId, RequestedId, WorkspaceId},
    invitation::{Invitation, InvitationToken},
    ports::{Failure, Invitations, Outcome, RateWindows},
    throttle::Wait,
    user::EmailHash,
};
use kit::{Code, Output, Problem, RequestContext, mail_allowance};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most mails a day that the invitations of a team cause: an admin can have us mail strangers.
const PER_TEAM: u32 = 50;
/// The most mails a day that the invitations of all teams send to one address.
const PER_ADDRESS: u32 = 20;
/// The length of a window, in seconds.
const DAY: i64 = 86_400;

/// The invitation that a request names.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationPath {
    /// The id of the invitation.
    pub id: RequestedId<InvitationId>,
}

/// The token of an invitation. Malformed text opens nothing, as a token that ended: the answer is the same.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresentedToken {
    /// The token from the email.
    pub token: RequestedId<InvitationToken>,
}

/// An invitation that was sent.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SentInvitation {
    /// Always `true`.
    invited: bool,
    /// The invited address.
    email: EmailAddress,
    invite_id: InvitationId,
    /// When the invitation expires.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
}
impl Output for SentInvitation {}

impl SentInvitation {
    /// The answer about an invitation.
    pub fn new(invitation: &Invitation) -> Self {
        Self::of(invitation.id, invitation.email.clone(), invitation.expires_at())
    }

    /// The same about one that ended since.
    pub fn of(invite_id: InvitationId, email: EmailAddress, expires_at: Timestamp) -> Self {
        Self { invited: true, email, invite_id, expires_at }
    }
}

kit::errors! {
    pub enum TokenError from Failure {
        /// The token is malformed, altered or expired, or the invitation was sent again, used, declined or cancelled.
        Invalid => Problem::new(Code::TokenInvalid, "This invitation is not valid any more. Ask for a new one."),
    }
}

/// The pending invitation that a token opens.
pub async fn opened(
    invitations: &dyn Invitations,
    token: &InvitationToken,
    now: Timestamp,
) -> Result<Invitation, TokenError> {
    let found = invitations.find(token.team, token.invitation).await?;
    let opens = |invitation: &Invitation| token.opens(invitation) && invitation.is_pending(now);
    found.filter(opens).ok_or(TokenError::Invalid)
}

/// The event of a change of an invitation. It does not contain the address: every member sees events.
pub fn event<C>(
    call: &RequestContext<C>,
    actor: Actor,
    action: Action,
    invitation: &Invitation,
) -> ActivityEvent {
    call.event(invitation.team, actor, action, ResourceType::Team).about(invitation.id, "")
}

/// Counts a mail to `address`. The second result is the wait, if a limit is reached: of the team, of the address, or of the
/// region for all mails that strangers receive.
pub async fn take_mail(
    windows: &dyn RateWindows,
    team: WorkspaceId,
    address: EmailHash,
    now: Timestamp,
) -> Outcome<Result<(), Wait>> {
    let ends = day_end(now);
    for (name, most) in
        [(format!("invitations/{team}"), PER_TEAM), (format!("invitations-to/{address}"), PER_ADDRESS)]
    {
        if windows.take(&name, ends, 1, most).await?.granted == 0 {
            return Ok(Err(Wait::between(now, ends)));
        }
    }
    mail_allowance::take(windows, now).await
}

/// When the day of `now` ends.
fn day_end(now: Timestamp) -> Timestamp {
    let ends = now.as_second().div_euclid(DAY).saturating_add(1).saturating_mul(DAY);
    Timestamp::from_second(ends).unwrap_or(Timestamp::MAX)
}
