//! Teams: their members and invitations.

use async_trait::async_trait;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    id::{InvitationId, UserId, WorkspaceId},
    invitation::Invitation,
    permissions::{ActsOnMembers, TransfersTeam},
    role::Role,
    team::TeamMember,
    user::EmailHash,
    workspace::{Profile, ProfileRecord, Workspace},
};

/// The result of creating a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TeamOpened {
    /// The team is there.
    Yes,
    /// Another workspace has the handle.
    HandleTaken,
    /// The user owns the most teams already.
    LimitReached,
    /// The account of the user was deleted.
    OwnerGone,
}

/// The result of transferring a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transferred {
    /// The team has another owner.
    Yes,
    /// One of the two changed since they were read.
    Stale,
    /// The new owner owns the most teams already.
    LimitReached,
    /// The account of the new owner was deleted.
    Gone,
}

/// A team of a user.
pub struct TeamOfUser {
    /// The team.
    pub team: Workspace,
    /// Its profile.
    pub profile: Option<ProfileRecord>,
    /// The user's role in it.
    pub role: Role,
}

/// Teams and their members. Every read is strongly consistent.
#[async_trait]
pub trait Teams: Send + Sync {
    /// Creates a team with its owner, unless the owner owns [`MOST_OWNED`](crate::team::MOST_OWNED) teams.
    async fn open(
        &self,
        team: &Workspace,
        profile: &Profile,
        owner: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<TeamOpened>;
    /// The teams of a user in the order of their handles, without the workspaces of other people. At most `limit`.
    async fn of(&self, user: UserId, limit: usize) -> Outcome<Vec<TeamOfUser>>;
    /// The ids of the teams that a user owns.
    async fn owned(&self, user: UserId) -> Outcome<Vec<WorkspaceId>>;
    /// The members of a team after `after`, in the order of their ids.
    async fn members(
        &self,
        team: WorkspaceId,
        after: Option<UserId>,
        limit: usize,
    ) -> Outcome<Page<TeamMember>>;
    /// One member.
    async fn member(&self, team: WorkspaceId, user: UserId) -> Outcome<Option<TeamMember>>;
    /// Changes the role of a member, if neither the member nor the one who acts changed since they were read.
    async fn set_role(
        &self,
        proof: &ActsOnMembers,
        member: &TeamMember,
        role: Role,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Removes a member and frees the seat, under the same conditions.
    async fn remove(
        &self,
        proof: &ActsOnMembers,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Ends the membership of a member who leaves, and frees the seat. [`Saved::Stale`] if it is the owner by now, or no member.
    async fn leave(&self, team: WorkspaceId, user: UserId, extras: TransactionExtras) -> Outcome<Saved>;
    /// Makes a member the owner, and the owner an admin.
    async fn transfer(
        &self,
        proof: &TransfersTeam,
        to: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Transferred>;
}

/// The result of inviting an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// The invitation is there.
    Yes,
    /// The address is invited already.
    Already(InvitationId),
    /// Members and pending invitations take all seats.
    NoSeat,
    /// The one who invites, or the team, changed since they were read.
    Stale,
}

/// The result of accepting an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// The user is a member.
    Yes,
    /// The user was a member before.
    AlreadyMember,
    /// The invitation ended or changed since it was read.
    Stale,
}

/// Invitations. Every read is strongly consistent.
#[async_trait]
pub trait Invitations: Send + Sync {
    /// The invitations of a team, expired ones too, oldest first. At most `limit`.
    async fn of(&self, team: WorkspaceId, limit: usize) -> Outcome<Vec<Invitation>>;
    /// One invitation.
    async fn find(&self, team: WorkspaceId, id: InvitationId) -> Outcome<Option<Invitation>>;
    /// The invitation of an address.
    async fn by_address(&self, team: WorkspaceId, address: EmailHash) -> Outcome<Option<InvitationId>>;
    /// Invites an address, if one of `seats` is free. `None` is any number.
    async fn create(
        &self,
        proof: &ActsOnMembers,
        invitation: &Invitation,
        seats: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Invited>;
    /// Replaces an invitation by the next version, sent again.
    async fn replace(
        &self,
        proof: &ActsOnMembers,
        next: &Invitation,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Cancels an invitation and frees its seat.
    async fn cancel(
        &self,
        proof: &ActsOnMembers,
        invitation: &Invitation,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Ends an invitation without an acting member: it was declined, or it expired. Frees its seat.
    async fn end(&self, invitation: &Invitation, extras: TransactionExtras) -> Outcome<Saved>;
    /// Makes the invited user a member, in the seat of the invitation.
    async fn accept(
        &self,
        invitation: &Invitation,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Accepted>;
}
