//! `POST /api/invites/accept`: joins a team with the token of an invitation. The account must have verified the invited address: the
//! mail may have been forwarded to anybody. The token works once.
//!
//! The caller's home sends the request to the region of the team, with the hashes of the addresses that the caller has verified.

use std::sync::Arc;

use domain::{
    activity::{Action, Actor, ResourceType},
    id::WorkspaceId,
    invitation::Invitation,
    ports::{
        Accepted, AddressHashes, Failure, Invitations, Rounds, TeamOfUser, Teams, TransactionExtras,
        UserAddresses, Workspaces,
    },
    region::Region,
    role::Role,
    team::TeamMember,
    user::personal_workspace,
    workspace::Workspace,
};
use kit::{
    Access, Body, CallerAssertion, Code, Endpoint, Guest, Output, PersonOrGuest, Ports, Problem,
    RegionClient, RequestContext, Spec, Stop,
    grants::{address_hashes, extras, invitations, teams, user_addresses, workspaces},
    spec,
    spec::Method::Post,
};
use regions::team_summary::TeamSummary;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    foreign_members::{self, onboarded, tell_at_once},
    invitation::{self, PresentedToken, TokenError},
    membership::team_of,
};

/// Accepts an invitation.
pub struct AcceptInvitation;

/// Dependencies.
pub struct Deps {
    addresses: Arc<dyn UserAddresses>,
    hashes: Arc<dyn AddressHashes>,
    invitations: Arc<dyn Invitations>,
    regions: RegionClient,
    teams: Arc<dyn Teams>,
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
        Elsewhere(to: (Region, Guest)) => Stop::asserting(to.0, CallerAssertion::of_guest(to.1)),
        /// The team has no paid plan.
        Inactive => Problem::team_inactive(),
        /// The invited address is not a verified one of the caller.
        OtherAddress => Problem::new(
            Code::InvitationAddressMismatch,
            "This invitation was sent to another address. Add and verify that address, or sign in with the account that has it.",
        ),
        /// The caller joined with another address.
        AlreadyMember => Problem::new(Code::AlreadyMember, "You are a member of this team already."),
        /// The user is gone.
        UserGone => Problem::unauthorized("This session has ended. Sign in again."),
    }
}

impl Endpoint for AcceptInvitation {
    const SPEC: Spec = spec("invites-accept", Post, "/api/invites/accept")
        .summary("Accept an invitation to a team")
        .access(Access::person())
        .once()
        .problems(&[
            Code::OnboardingRequired,
            Code::TeamInactive,
            Code::TokenInvalid,
            Code::InvitationAddressMismatch,
            Code::AlreadyMember,
        ])
        .uses(&[
            address_hashes::HASH,
            user_addresses::FIND,
            invitations::FIND,
            invitations::ACCEPT,
            teams::MEMBER,
            workspaces::FIND,
            workspaces::PROFILE,
            workspaces::MEMBERSHIP,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = PersonOrGuest;
    type Deps = Deps;
    type Input = Body<PresentedToken>;
    type Output = JoinedTeam;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            addresses: ports.user_addresses(),
            hashes: ports.address_hashes(),
            invitations: ports.invitations(),
            regions: ports.region_client(),
            teams: ports.teams(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<PersonOrGuest>,
        Body(presented): Self::Input,
    ) -> Result<JoinedTeam, Error> {
        let user = onboarded(&call.caller).ok_or(Error::NotOnboarded)?;
        let token = presented.token.known().ok_or(TokenError::Invalid)?;
        if let Some(team) = call.made_before::<WorkspaceId>() {
            // The membership may have ended since.
            let team = team_of(&*deps.workspaces, team, user).await?.ok_or(TokenError::Invalid)?;
            return Ok(JoinedTeam { team: TeamSummary::new(&team, call.now) });
        }
        let guest = deps.guest(call, token.region).await?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let opened =
                invitation::opened_with_sender(&*deps.invitations, &*deps.teams, &token, call.now).await?;
            let (invitation, sender) = opened;
            let joined = deps.team(&invitation).await?;
            if !joined.team.is_open_to(Role::Viewer, call.now) {
                return Err(Error::Inactive);
            }
            if !guest.addresses.contains(&invitation.address) {
                return Err(Error::OtherAddress);
            }
            // The sender is a member.
            if sender.user == user {
                return Err(Error::AlreadyMember);
            }
            let member = member(call, &invitation, &guest)?;
            let extras = extras(call, &joined.team, &member);
            match deps.invitations.accept(&invitation, &sender, call.region, &member, extras).await? {
                Accepted::Yes => {
                    tell_at_once(&deps.regions, &joined.team, &member, call.now).await;
                    return Ok(JoinedTeam { team: TeamSummary::new(&joined, call.now) });
                }
                Accepted::AlreadyMember => return Err(Error::AlreadyMember),
                Accepted::Stale => {}
            }
        }
    }
}

impl Deps {
    /// The caller, with the hashes of the verified addresses. The request of a local caller is sent to the region of the team if
    /// that is another one. A request from another region is not sent any further.
    async fn guest(&self, call: &RequestContext<PersonOrGuest>, to: Region) -> Result<Guest, Error> {
        let person = match &call.caller {
            PersonOrGuest::Guest(guest) if to == call.region => return Ok(guest.clone()),
            PersonOrGuest::Guest(_) => return Err(TokenError::Invalid.into()),
            PersonOrGuest::Person(person) => person,
        };
        let user = person.session.user;
        let (own, stored) =
            futures::try_join!(self.workspaces.find(personal_workspace(user)), self.addresses.find(user))?;
        let (own, stored) = own.zip(stored).ok_or(Error::UserGone)?;
        let addresses = match stored.verified {
            Some(verified) => verified.addresses.iter().map(|address| address.hash).collect(),
            None => vec![self.hashes.hash(&stored.user.primary_email).await?],
        };
        let (home, handle) = (call.region, Some(own.handle));
        let guest = Guest { user, home, handle, stepped_up: false, addresses };
        if to == home { Ok(guest) } else { Err(Error::Elsewhere((to, guest))) }
    }

    /// The team as the caller will have it.
    async fn team(&self, invitation: &Invitation) -> Result<TeamOfUser, Error> {
        let (team, profile) = futures::try_join!(
            self.workspaces.find(invitation.team),
            self.workspaces.profile(invitation.team)
        )?;
        Ok(TeamOfUser { team: team.ok_or(TokenError::Invalid)?, profile, role: invitation.role })
    }
}

fn member(
    call: &RequestContext<PersonOrGuest>,
    invitation: &Invitation,
    guest: &Guest,
) -> Result<TeamMember, Error> {
    Ok(TeamMember {
        user: guest.user,
        role: invitation.role,
        handle: guest.handle.clone().ok_or(Error::NotOnboarded)?,
        region: guest.home,
        joined_at: call.now,
        invited_by: Some(invitation.invited_by),
        changes: 0,
    })
}

fn extras(call: &RequestContext<PersonOrGuest>, team: &Workspace, member: &TeamMember) -> TransactionExtras {
    let actor = Actor { user: member.user, key: None };
    let event = call.event(team.id, actor, Action::Completed, ResourceType::Team);
    let mut event = event.about(member.user, &member.handle);
    event.metadata.insert("role".to_owned(), member.role.as_str().into());
    call.extras(Some(event), None, team.id).with(foreign_members::message(call, team, member))
}
