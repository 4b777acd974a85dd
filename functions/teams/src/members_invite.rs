//! `POST /api/members`: invites an address to a team. The address receives a mail with a token that is valid for 14 days. A pending
//! invitation takes a seat.
//!
//! The answer tells nothing about accounts: only whether the address is a local member's, or invited already, which members can see.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::Action,
    directory::Name,
    domain_events::DomainEvent,
    email::EmailAddress,
    id::{InvitationId, OfInvitation},
    invitation::{GivenRole, Invitation, VALID},
    permissions::{self, Denied, Member},
    ports::{
        AddressHashes, Directory, Failure, Invitations, Outcome, RateWindows, Rounds, Saved, Teams,
        TokenKeys, TransactionExtras, Workspaces,
    },
    role::Role,
    secret::Digest256,
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Body, Code, Endpoint, Ports, Problem, RequestContext, Spec,
    grants::{address_hashes, directory, extras, invitations, rate_windows, teams, token_keys, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    invitation::{self, MOST_READ, MailError, SentInvitation, no_seat},
    member_change::{MemberError, still_acts},
};

/// The most expired invitations that a request ends.
const MOST_ENDED: u64 = 100;

/// Invites an address.
pub struct InviteMember;

/// Dependencies.
pub struct Deps {
    directory: Arc<dyn Directory>,
    addresses: Arc<dyn AddressHashes>,
    invitations: Arc<dyn Invitations>,
    teams: Arc<dyn Teams>,
    tokens: Arc<dyn TokenKeys>,
    windows: Arc<dyn RateWindows>,
    workspaces: Arc<dyn Workspaces>,
}

/// The address and its role.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMemberBody {
    /// The address to invite.
    email: EmailAddress,
    /// The role in the team.
    role: GivenRole,
}

kit::errors! {
    pub enum Error from MemberError, Denied, MailError, Failure {
        /// The workspace is a personal one.
        NoTeam => Problem::new(Code::Conflict, "Only teams have members. Create a team first."),
        /// The address is a local member's.
        AlreadyMember => Problem::new(Code::AlreadyMember, "This address belongs to a member of the team."),
        /// The address has a pending invitation.
        AlreadyInvited => Problem::new(
            Code::AlreadyInvited,
            "This address is invited already. Send the invitation again or cancel it.",
        ),
        /// Members and pending invitations take all seats.
        NoSeat(seats: u64) => no_seat(seats),
    }
}

impl Endpoint for InviteMember {
    const SPEC: Spec = spec("members-invite", Post, "/api/members")
        .summary("Invite an email address to a team")
        .access(Access::member(Role::Admin))
        .answers(201)
        .once()
        .problems(&[
            Code::Conflict,
            Code::AlreadyMember,
            Code::AlreadyInvited,
            Code::SeatLimitReached,
            Code::RateLimited,
        ])
        .uses(&[
            directory::FIND_ADDRESS,
            address_hashes::HASH,
            teams::MEMBER,
            token_keys::DERIVATION_KEY,
            rate_windows::TAKE,
            workspaces::MEMBERSHIP,
            invitations::OF,
            invitations::FIND,
            invitations::BY_ADDRESS,
            invitations::CREATE,
            invitations::END,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Body<InviteMemberBody>;
    type Output = SentInvitation;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            directory: ports.directory(),
            addresses: ports.address_hashes(),
            invitations: ports.invitations(),
            teams: ports.teams(),
            tokens: ports.token_keys(),
            windows: ports.rate_windows(),
            workspaces: ports.workspaces(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Body(form): Self::Input,
    ) -> Result<SentInvitation, Error> {
        let (mut member, now) = (call.caller.clone(), call.now);
        if member.workspace.kind != WorkspaceKind::Team {
            return Err(Error::NoTeam);
        }
        let mut proof = permissions::may_act_on(&member, &[form.role.into()])?;
        if let Some(id) = call.made_before::<InvitationId>() {
            return Ok(deps.sent_before(&member.workspace, id, form.email).await?);
        }
        let invitation = deps.invitation(call, form).await?;
        deps.refuse_member(&invitation).await?;
        deps.make_room(&member.workspace, &invitation, now).await?;
        invitation::take_mail(&*deps.windows, invitation.team, invitation.address, now).await?;
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let seats = member.workspace.entitlements(now).seats;
            let extras = extras(call, &invitation);
            if deps.invitations.create(&proof, &invitation, seats, extras).await? == Saved::Yes {
                return Ok(SentInvitation::new(&invitation));
            }
            member = still_acts(&*deps.workspaces, &member, now).await?;
            proof = permissions::may_act_on(&member, &[invitation.role])?;
            deps.make_room(&member.workspace, &invitation, now).await?;
        }
    }
}

impl Deps {
    /// The answer to a repeated request. The invitation may have ended since.
    async fn sent_before(
        &self,
        team: &Workspace,
        id: InvitationId,
        email: EmailAddress,
    ) -> Outcome<SentInvitation> {
        let found = self.invitations.find(team.id, id).await?;
        let ended = || {
            let expires_at = id.made_at().saturating_add(VALID).unwrap_or(Timestamp::MAX);
            SentInvitation::of(id, email, expires_at)
        };
        Ok(found.as_ref().map_or_else(ended, SentInvitation::new))
    }

    /// The invitation, as it is sent first.
    async fn invitation(&self, call: &RequestContext<Member>, form: InviteMemberBody) -> Outcome<Invitation> {
        let InviteMemberBody { email, role } = form;
        let (address, key) =
            futures::try_join!(self.addresses.hash(&email), self.tokens.derivation_key(call.now))?;
        let unsent = Invitation {
            id: call.id::<OfInvitation>(),
            team: call.caller.workspace.id,
            email,
            address,
            role: role.into(),
            invited_by: call.caller.user,
            created_at: call.now,
            sent_at: call.now,
            // Sending replaces it.
            secret: Digest256::of(""),
            version: 0,
        };
        Ok(unsent.sent_again(call.now, call.region, &key))
    }

    /// Refuses the address of a member. The directory knows the holder of an address in every region.
    async fn refuse_member(&self, invitation: &Invitation) -> Result<(), Error> {
        let holder = self.directory.find(&Name::Address(invitation.address)).await?;
        let Some(user) = holder.and_then(|holder| holder.id.parse().ok()) else { return Ok(()) };
        match self.teams.member(invitation.team, user).await? {
            Some(_) => Err(Error::AlreadyMember),
            None => Ok(()),
        }
    }

    /// Ends expired invitations that stand in the way: an earlier one of the address, and as many as take seats that are needed.
    async fn make_room(
        &self,
        team: &Workspace,
        invitation: &Invitation,
        now: Timestamp,
    ) -> Result<(), Error> {
        let ended = u64::from(self.end_earlier(invitation, now).await?);
        let Some(seats) = team.entitlements(now).seats else { return Ok(()) };
        let missing = team.seats_taken.saturating_add(1).saturating_sub(seats).saturating_sub(ended);
        if missing > 0 && self.end_expired(team, missing, now).await? < missing {
            return Err(Error::NoSeat(seats));
        }
        Ok(())
    }

    /// Ends the earlier invitation of the address, if it expired. Returns whether there was one.
    async fn end_earlier(&self, invitation: &Invitation, now: Timestamp) -> Result<bool, Error> {
        let (team, address) = (invitation.team, invitation.address);
        let Some(id) = self.invitations.by_address(team, address).await? else { return Ok(false) };
        let Some(earlier) = self.invitations.find(team, id).await? else { return Ok(false) };
        if earlier.is_pending(now) {
            return Err(Error::AlreadyInvited);
        }
        self.invitations.end(&earlier, TransactionExtras::default()).await?;
        Ok(true)
    }

    /// Ends up to `most` expired invitations, and returns how many. One that changed meanwhile counts too: the transaction that
    /// takes the seat decides.
    async fn end_expired(&self, team: &Workspace, most: u64, now: Timestamp) -> Outcome<u64> {
        let all = self.invitations.of(team.id, MOST_READ).await?;
        let most = usize::try_from(most.min(MOST_ENDED)).unwrap_or_default();
        let expired = all.into_iter().filter(|invitation| !invitation.is_pending(now)).take(most);
        let expired: Vec<Invitation> = expired.collect();
        for invitation in &expired {
            self.invitations.end(invitation, TransactionExtras::default()).await?;
        }
        Ok(u64::try_from(expired.len()).unwrap_or_default())
    }
}

fn extras(call: &RequestContext<Member>, invitation: &Invitation) -> TransactionExtras {
    let mut event = invitation::event(call, call.caller.actor(), Action::Shared, invitation);
    event.metadata.insert("role".to_owned(), invitation.role.as_str().into());
    let notice = DomainEvent::MemberInvited { team: invitation.team, invitation: invitation.id };
    call.extras(Some(event), Some(notice), invitation.id)
}
