//! Teams: their members and invitations.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    id::{InvitationId, UserId, WorkspaceId},
    invitation::Invitation,
    permissions::{ActsOnMembers, TransfersTeam},
    region::Region,
    role::Role,
    team::{MembershipCopy, Reservation, TeamMember},
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

/// The teams of a user.
#[derive(Default)]
pub struct TeamsOfUser {
    /// Those of the user's home, in the order of their handles.
    pub here: Vec<TeamOfUser>,
    /// Those of other regions, as those regions told last. Some of the memberships may have ended.
    pub elsewhere: Vec<MembershipCopy>,
}

/// The result of keeping a copy of a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyKept {
    /// It is kept, or a later one is there.
    Yes,
    /// The account of the user was deleted.
    UserGone,
}

/// The result of reserving a place for an owned team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline)]
pub enum PlaceReserved {
    /// The place is reserved.
    Yes,
    /// The user owns the most teams already.
    LimitReached,
    /// The account of the user was deleted.
    UserGone,
}

/// Teams and their members. Every read is strongly consistent.
///
/// A member whose home is the team's region has the membership in their own partition, too, and the teams that they own; both change
/// in the transaction. Of other members, the home is told afterwards, and reserves the place for an owned team beforehand.
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
    /// The teams of a user, without the personal workspace. At most `limit`.
    async fn of(&self, user: UserId, limit: usize) -> Outcome<TeamsOfUser>;
    /// Those of these teams of this region that a user belongs to.
    async fn among(&self, user: UserId, teams: &[WorkspaceId]) -> Outcome<Vec<TeamOfUser>>;
    /// The ids of the teams that a user owns in any region.
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
    /// Ends the membership of a member who leaves, or whose account is deleted, and frees the seat. [`Saved::Stale`] if it is the
    /// owner by now, or no member.
    async fn leave(&self, team: &Workspace, member: &TeamMember, extras: TransactionExtras)
    -> Outcome<Saved>;
    /// Ends the membership of a user from another region whose account was deleted there, under the same condition.
    async fn end_foreign(
        &self,
        team: &Workspace,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Makes a member the owner, and the owner an admin.
    async fn transfer(
        &self,
        proof: &TransfersTeam,
        from: &TeamMember,
        to: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Transferred>;
}

/// What the home of a user keeps of teams in other regions. Every read is strongly consistent.
#[async_trait]
pub trait TeamsElsewhere: Send + Sync {
    /// Keeps a copy of a membership in another region, unless a later one is there.
    async fn keep_copy(&self, copy: &MembershipCopy) -> Outcome<CopyKept>;
    /// The copies of memberships of a user, also of those that have ended. At most `limit`.
    async fn copies(&self, user: UserId, limit: usize) -> Outcome<Vec<MembershipCopy>>;
    /// Reserves a place for a team in another region that the user is about to own. Repeating it changes nothing.
    async fn reserve(&self, user: UserId, reservation: &Reservation) -> Outcome<PlaceReserved>;
    /// The reservations of a user.
    async fn reservations(&self, user: UserId) -> Outcome<Vec<Reservation>>;
    /// Ends a reservation. Its place is free again unless the user owns the team.
    async fn settle(&self, user: UserId, reservation: &Reservation, owns: bool) -> Outcome<()>;
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
    /// Invites an address that is not invited yet, if one of `seats` is free (`None` is any number), and if the one who invites did not
    /// change since they were read.
    async fn create(
        &self,
        proof: &ActsOnMembers,
        invitation: &Invitation,
        seats: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
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
    /// Makes the invited user a member of a team of this region, in the seat of the invitation, if its sender still has the role.
    async fn accept(
        &self,
        invitation: &Invitation,
        sender: &TeamMember,
        here: Region,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Accepted>;
}
