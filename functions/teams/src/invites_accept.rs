//! `POST /api/invites/accept`: joins a team with the token of an invitation. The account must have verified the invited address: the
//! mail may have been forwarded to anybody. The token works once.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    handle::Handle,
    id::{UserId, WorkspaceId},
    invitation::Invitation,
    ports::{Accepted, Accounts, Failure, Invitations, Rounds, TeamOfUser, TransactionExtras, Workspaces},
    role::Role,
    team::TeamMember,
    user::personal_workspace,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Person, Ports, Problem, RequestContext, Spec,
    grants::{accounts, extras, invitations, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Serialize;
use settings::team_summary::TeamSummary;

use crate::{
    invitation::{self, PresentedToken, TokenError},
    membership::team_of,
    other_region::other_region,
};

/// Accepts an invitation.
pub struct AcceptInvitation;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    invitations: Arc<dyn Invitations>,
    workspaces: Arc<dyn Workspaces>,
}

/// The team that the caller joined.
#[derive(Serialize, JsonSchema)]
pub struct JoinedTeam {
    team: TeamSummary,
}
impl Output for JoinedTeam {}

kit::errors! {
    pub enum Error from TokenError, Failure {
        /// The person has not finished onboarding.
        NotOnboarded => Problem::onboarding_required(),
        /// The team belongs to another region.
        OtherRegion => other_region(),
        /// The team has no paid plan.
        Inactive => Problem::team_inactive(),
        /// The invited address is not a verified one of the caller.
        OtherAddress => Problem::new(
            Code::InvitationAddressMismatch,
            "This invitation was sent to another address. Add and verify that address, or sign in with the account that has it.",
        ),
        /// The caller joined with another address.
        AlreadyMember => Problem::new(Code::AlreadyMember, "You are a member of this team already."),
    }
}

impl Endpoint for AcceptInvitation {
    const SPEC: Spec = spec("invites-accept", Post, "/api/invites/accept")
        .summary("Accept an invitation to a team")
        .access(Access::person())
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::Conflict,
            Code::TeamInactive,
            Code::TokenInvalid,
            Code::InvitationAddressMismatch,
            Code::AlreadyMember,
        ])
        .uses(&[
            accounts::BY_ADDRESS,
            invitations::FIND,
            invitations::ACCEPT,
            workspaces::FIND,
            workspaces::PROFILE,
            workspaces::MEMBERSHIP,
            extras::EVENT,
        ]);
    type Caller = Person;
    type Deps = Deps;
    type Input = Body<PresentedToken>;
    type Output = JoinedTeam;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts(), invitations: ports.invitations(), workspaces: ports.workspaces() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Person>,
        Body(presented): Self::Input,
    ) -> Result<JoinedTeam, Error> {
        let user = call.caller.session.user;
        if !call.caller.onboarded {
            return Err(Error::NotOnboarded);
        }
        let token = presented.token.known().ok_or(TokenError::Invalid)?;
        if token.region != call.region {
            return Err(Error::OtherRegion);
        }
        if let Some(team) = call.made_before::<WorkspaceId>() {
            // The membership may have ended since.
            let team = team_of(&*deps.workspaces, team, user).await?.ok_or(TokenError::Invalid)?;
            return Ok(JoinedTeam { team: TeamSummary::new(&team, call.now) });
        }
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let invitation = invitation::opened(&*deps.invitations, &token, call.now).await?;
            let Records { team, handle, holder } = deps.records(&invitation, user).await?;
            if !team.team.is_open_to(Role::Viewer, call.now) {
                return Err(Error::Inactive);
            }
            if holder != Some(user) {
                return Err(Error::OtherAddress);
            }
            let member = member(call, &invitation, handle);
            let extras = extras(call, &invitation, &member);
            match deps.invitations.accept(&invitation, &member, extras).await? {
                Accepted::Yes => return Ok(JoinedTeam { team: TeamSummary::new(&team, call.now) }),
                Accepted::AlreadyMember => return Err(Error::AlreadyMember),
                Accepted::Stale => {}
            }
        }
    }
}

/// What an invitation is accepted with.
struct Records {
    /// The team as the caller will have it.
    team: TeamOfUser,
    /// The caller's username.
    handle: Handle,
    /// The user who verified the invited address.
    holder: Option<UserId>,
}

impl Deps {
    async fn records(&self, invitation: &Invitation, user: UserId) -> Result<Records, Error> {
        let (holder, team, profile, own) = futures::try_join!(
            self.accounts.by_address(invitation.address),
            self.workspaces.find(invitation.team),
            self.workspaces.profile(invitation.team),
            self.workspaces.find(personal_workspace(user)),
        )?;
        let team = team.ok_or(TokenError::Invalid)?;
        let handle = own.ok_or(Error::NotOnboarded)?.handle;
        Ok(Records { team: TeamOfUser { team, profile, role: invitation.role }, handle, holder })
    }
}

fn member(call: &RequestContext<Person>, invitation: &Invitation, handle: Handle) -> TeamMember {
    TeamMember {
        user: call.caller.session.user,
        role: invitation.role,
        handle,
        region: call.region,
        joined_at: call.now,
        invited_by: Some(invitation.invited_by),
    }
}

fn extras(call: &RequestContext<Person>, invitation: &Invitation, member: &TeamMember) -> TransactionExtras {
    let actor = Actor { user: member.user, key: None };
    let event = call.event(invitation.team, actor, Action::Completed, ResourceType::Team);
    let mut event = event.about(member.user, &member.handle);
    event.metadata.insert("role".to_owned(), member.role.as_str().into());
    call.extras(Some(event), None, invitation.team)
}
