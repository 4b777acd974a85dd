//! `GET /api/invites/info?token=`: shows what an invitation is to, before its receiver signs in or signs up. The token alone gives
//! access, so the address is masked.

use std::sync::Arc;

use domain::{
    Timestamp,
    invitation::Invitation,
    ports::{Failure, Invitations, Teams, Workspaces},
    profile::{DisplayName, IconColor, IconLetters},
    region::Region,
    role::Role,
    team::TeamMember,
    throttle::NetworkLimit,
    user::personal_workspace,
    workspace::{ProfileRecord, Workspace},
};
use kit::{
    Anyone, Code, Endpoint, Output, Params, Ports, RequestContext, Spec, Stop,
    grants::{invitations, teams, workspaces},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::invitation::{self, PresentedToken, TokenError};

/// Shows an invitation.
pub struct ReadInvitation;

/// Dependencies.
pub struct Deps {
    invitations: Arc<dyn Invitations>,
    teams: Arc<dyn Teams>,
    workspaces: Arc<dyn Workspaces>,
}

/// A pending invitation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    team: InvitingTeam,
    /// The role in the team.
    role: Role,
    invited_by: Inviter,
    /// The invited address, masked.
    email: String,
    /// When the invitation expires.
    #[schemars(schema_with = "kit::input::date_time")]
    expires_at: Timestamp,
}
impl Output for InvitationView {}

/// The team of an invitation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitingTeam {
    username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<DisplayName>,
    /// The path of the picture, relative to the API. Absent without a picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_color: Option<IconColor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon_letter: Option<IconLetters>,
}

/// The member who sent an invitation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inviter {
    username: String,
    /// Absent if the member's home is another region.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_name: Option<DisplayName>,
}

kit::errors! {
    pub enum Error from TokenError, Failure {
        /// The team belongs to another region.
        Elsewhere(region: Region) => Stop::elsewhere(region),
    }
}

impl Endpoint for ReadInvitation {
    const SPEC: Spec = spec("invites-info", Get, "/api/invites/info")
        .summary("Get an invitation by its emailed token")
        .may_forward()
        .limits_network(NetworkLimit::InvitationToken)
        .problems(&[Code::TokenInvalid])
        .uses(&[invitations::FIND, teams::MEMBER, workspaces::FIND, workspaces::PROFILE]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = Params<PresentedToken>;
    type Output = InvitationView;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { invitations: ports.invitations(), teams: ports.teams(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        Params(presented): Self::Input,
    ) -> Result<InvitationView, Error> {
        let token = presented.token.known().ok_or(TokenError::Invalid)?;
        if token.region != call.region {
            return Err(Error::Elsewhere(token.region));
        }
        let opened =
            invitation::opened_with_sender(&*deps.invitations, &*deps.teams, &token, call.now).await?;
        let (invitation, sender) = opened;
        let (team, profile, senders_profile) = futures::try_join!(
            deps.workspaces.find(invitation.team),
            deps.workspaces.profile(invitation.team),
            deps.workspaces.profile(personal_workspace(sender.user)),
        )?;
        let team = InvitingTeam::new(&team.ok_or(TokenError::Invalid)?, profile);
        Ok(InvitationView::new(&invitation, team, Inviter::new(&sender, senders_profile)))
    }
}

impl InvitationView {
    fn new(invitation: &Invitation, team: InvitingTeam, invited_by: Inviter) -> Self {
        let (role, email, expires_at) = (invitation.role, invitation.email.masked(), invitation.expires_at());
        Self { team, role, invited_by, email, expires_at }
    }
}

impl InvitingTeam {
    fn new(team: &Workspace, record: Option<ProfileRecord>) -> Self {
        let profile = record.map(|record| record.profile);
        let image_url = profile.as_ref().and_then(|profile| profile.image_url(&team.handle));
        let (icon_color, icon_letter, full_name) = match profile {
            Some(profile) => (profile.icon_color, profile.icon_letter, Some(profile.display_name)),
            None => (None, None, None),
        };
        Self { username: team.handle.to_string(), full_name, image_url, icon_color, icon_letter }
    }
}

impl Inviter {
    /// The profile of a member from another region is not here.
    fn new(sender: &TeamMember, record: Option<ProfileRecord>) -> Self {
        let full_name = record.map(|record| record.profile.display_name);
        Self { username: sender.handle.to_string(), full_name }
    }
}
