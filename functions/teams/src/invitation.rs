//! What the endpoints of invitations share: their inputs and answers, the invitation that a token opens, and the limits on mails
//! and seats.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    email::EmailAddress,
    id::{InvitationId, RequestedId, WorkspaceId},
    invitation::{Invitation, InvitationToken},
    permissions::may_give,
    ports::{Failure, Invitations, RateWindows, Teams},
    team::TeamMember,
    throttle::{Wait, end_of_day},
    user::EmailHash,
};
use kit::{Code, Output, Problem, RequestContext, mail_allowance};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most invitations of a team that a request reads.
pub const MOST_READ: usize = 1_000;
/// The most mails a day that the invitations of a team cause: an admin can have us mail strangers.
const PER_TEAM: u32 = 50;
/// The most mails a day that the invitations of a team send to one address.
const PER_TEAM_AND_ADDRESS: u32 = 10;
/// The most mails a day that the invitations of all teams send to one address, against mail bombing: a person can own several teams.
/// It is much higher than the limit of a team, so that strangers do not easily use up what another team needs.
const PER_ADDRESS: u32 = 40;

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
        /// The token is malformed, altered or expired, the invitation was sent again, used, declined or cancelled, or its sender may
        /// not invite any more.
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

/// The pending invitation that a token opens, and its sender, who must still be permitted to invite for its role: the invitations
/// of a member who was removed or got a lower role add nobody to the team.
pub async fn opened_with_sender(
    invitations: &dyn Invitations,
    teams: &dyn Teams,
    token: &InvitationToken,
    now: Timestamp,
) -> Result<(Invitation, TeamMember), TokenError> {
    let invitation = opened(invitations, token, now).await?;
    let sender = teams.member(invitation.team, invitation.invited_by).await?;
    let sender = sender.filter(|sender| may_give(sender.role, invitation.role).is_ok());
    let sender = sender.ok_or(TokenError::Invalid)?;
    Ok((invitation, sender))
}

/// Members and pending invitations take all seats.
pub fn no_seat(seats: u64) -> Problem {
    Problem::new(
        Code::SeatLimitReached,
        format!(
            "Members and pending invitations take all seats of the team's plan ({seats}). Upgrade the plan, remove a member or \
             cancel an invitation."
        ),
    )
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

kit::errors! {
    pub enum MailError from Failure {
        /// The team has sent the most invitations of a day to this address.
        TeamAndAddress(wait: Wait) => too_many(
            wait,
            &format!("A team can send at most {PER_TEAM_AND_ADDRESS} invitations a day to the same address."),
        ),
        /// The team has sent the most invitations of a day.
        Team(wait: Wait) => too_many(wait, &format!("A team can send at most {PER_TEAM} invitations a day.")),
        /// The address has received the most invitations of a day.
        Address(wait: Wait) => too_many(
            wait,
            &format!("An address can receive at most {PER_ADDRESS} invitations a day from all teams."),
        ),
        /// The region has sent the most mails of an hour that strangers receive.
        Region(wait: Wait) => too_many(wait, "This region has sent too many emails in the last hour."),
    }
}

/// A limit is reached.
fn too_many(wait: Wait, cause: &str) -> Problem {
    let sentence = format!("{cause} Try again in {} seconds.", wait.seconds);
    Problem { retry_after: Some(wait.seconds), ..Problem::new(Code::RateLimited, sentence) }
}

/// Counts a mail to `address`, unless a limit is reached.
pub async fn take_mail(
    windows: &dyn RateWindows,
    team: WorkspaceId,
    address: EmailHash,
    now: Timestamp,
) -> Result<(), MailError> {
    let ends = end_of_day(now);
    let wait = Wait::between(now, ends);
    // The narrowest limit first: mails that it refuses use up none of the wider ones.
    for (name, most, refusal) in [
        (format!("invitations/{team}/{address}"), PER_TEAM_AND_ADDRESS, MailError::TeamAndAddress(wait)),
        (format!("invitations/{team}"), PER_TEAM, MailError::Team(wait)),
        (format!("invitations-to/{address}"), PER_ADDRESS, MailError::Address(wait)),
    ] {
        if windows.take(&name, ends, 1, most).await?.granted == 0 {
            return Err(refusal);
        }
    }
    mail_allowance::take(windows, now).await?.map_err(MailError::Region)
}
