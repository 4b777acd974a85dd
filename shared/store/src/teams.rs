//! Team.  Table `workspaces`: workspace, profile, handle and members as of [`crate::workspaces`]; PK `OWNED#<user>`  SK `OWNED`
//! (the teams that the user owns, as a set).
//! Reads: the teams of a user (query of the memberships, then a batch get), the members of a team (query), one member (batch get), all
//! strongly consistent.
//! Writes: one transaction changes a member on both sides, the team's number of taken seats, and, for an owner, the set. It checks
//! that the acting member still has the role.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    id::{UserId, WorkspaceId},
    permissions::{ActsOnMembers, TransfersTeam},
    ports::{Outcome, Page, Saved, TeamOfUser, TeamOpened, Teams, TransactionExtras, Transferred},
    role::Role,
    team::{ActingMember, MOST_OWNED, TeamMember},
    workspace::{Profile, Workspace, WorkspaceKind},
};
use serde::Deserialize;
use tables::ItemKind;

use crate::{
    accounts,
    client::Store,
    condition::Expression,
    erasures,
    item::{Key, from_item, number, text},
    lists::sort_key,
    transaction::{Condition, Transaction},
    workspaces::{
        key_of, member_item, member_key, membership_item, membership_key, memberships_range, profile_key,
        role_of,
    },
};

/// The label of the check that the acting member still has the role.
pub const ACTOR: &str = "actor";
/// The label of the change of a team's record.
pub const TEAM: &str = "team";

/// The teams that a user owns. DynamoDB has no empty sets.
#[derive(Default, Deserialize)]
struct Owned {
    #[serde(default)]
    teams: Vec<WorkspaceId>,
}

/// The key of the set of teams that a user owns.
pub fn owned_key(user: UserId) -> Key {
    Key::new(ItemKind::OwnedTeams, user, "OWNED")
}

/// The owner of the workspace is this user.
fn is_owned_by(user: UserId) -> Condition {
    Condition::of("#owner = :owner", [(":owner", text(user))]).naming("#owner", "owner")
}

/// The role of the member is this one.
fn has_role(role: Role) -> Condition {
    Condition::of("#role = :role", [(":role", text(role.as_str()))]).naming("#role", "role")
}

/// The team's record is there, and its owner is the one who acts, if the owner does.
pub fn team_of(by: &ActingMember) -> Condition {
    if by.role == Role::Owner { is_owned_by(by.user) } else { Condition::present() }
}

fn set_of(team: WorkspaceId) -> AttributeValue {
    AttributeValue::Ss(vec![team.to_string()])
}

#[async_trait]
impl Teams for Store {
    async fn open(
        &self,
        team: &Workspace,
        profile: &Profile,
        owner: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<TeamOpened> {
        let transaction = self.transaction().open_workspace(team, profile)?;
        let transaction = transaction
            .put_member(team.id, owner)?
            .own_another("limit", owner.user, team.id)
            .existing_user(owner.user)
            .check("erased", &erasures::key_of(team.id), Condition::absent());
        Ok(match transaction.extras(extras)?.commit().await? {
            None => TeamOpened::Yes,
            Some("limit") => TeamOpened::LimitReached,
            Some("user") => TeamOpened::OwnerGone,
            // Another workspace has the handle, or this user's team with the handle is there or was deleted.
            Some(_) => TeamOpened::HandleTaken,
        })
    }

    async fn of(&self, user: UserId, limit: usize) -> Outcome<Vec<TeamOfUser>> {
        let found = self.items_up(ItemKind::Memberships, user, memberships_range(), limit).await?;
        let ids = found.iter().filter_map(|item| sort_key(item)?.parse().ok());
        let ids: Vec<WorkspaceId> = ids.collect();
        let keys = ids.iter().flat_map(|id| [key_of(*id), profile_key(*id), member_key(*id, user)]);
        let mut items = self.get_all(&keys.collect::<Vec<_>>()).await?.into_iter();
        let mut teams = Vec::new();
        while let (Some(team), Some(profile), Some(member)) = (items.next(), items.next(), items.next()) {
            // A team of another region, or one that was deleted.
            let (Some(team), Some(member)) = (team, member) else { continue };
            let team: Workspace = from_item(team)?;
            if team.kind == WorkspaceKind::Team {
                let profile = profile.map(from_item).transpose()?;
                teams.push(TeamOfUser { team, profile, role: role_of(member)? });
            }
        }
        teams.sort_by(|one, other| one.team.handle.cmp(&other.team.handle));
        Ok(teams)
    }

    async fn owned(&self, user: UserId) -> Outcome<Vec<WorkspaceId>> {
        let found: Option<Owned> = self.get(owned_key(user)).await?.map(from_item).transpose()?;
        Ok(found.unwrap_or_default().teams)
    }

    async fn members(
        &self,
        team: WorkspaceId,
        after: Option<UserId>,
        limit: usize,
    ) -> Outcome<Page<TeamMember>> {
        // A space sorts before all that could follow an id.
        let from = after.map_or("MEMBER#".to_owned(), |after| format!("MEMBER#{after} "));
        let page = self.range_ascending(ItemKind::Members, team, (from, "MEMBER$".to_owned()), limit).await?;
        let items = page.items.into_iter().map(from_item).collect::<Outcome<_>>()?;
        Ok(Page { items, more: page.more })
    }

    async fn member(&self, team: WorkspaceId, user: UserId) -> Outcome<Option<TeamMember>> {
        // A batch get, as the session's check: it needs no further grant.
        let found = self.get_all(&[member_key(team, user)]).await?.into_iter().flatten().next();
        found.map(from_item).transpose()
    }

    async fn set_role(
        &self,
        proof: &ActsOnMembers,
        member: &TeamMember,
        role: Role,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let by = proof.by();
        let transaction = self.transaction().acting(by);
        let transaction = transaction.change_role(by.team, member.user, (member.role, role));
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn remove(
        &self,
        proof: &ActsOnMembers,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let by = proof.by();
        let transaction = self.transaction().acting_beside_team(by).free_seat(by.team, team_of(by));
        let transaction = transaction.delete_member(by.team, member.user, has_role(member.role));
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn leave(&self, team: WorkspaceId, user: UserId, extras: TransactionExtras) -> Outcome<Saved> {
        let no_owner = Condition::of("#owner <> :owner", [(":owner", text(user))]).naming("#owner", "owner");
        let transaction = self.transaction().free_seat(team, no_owner);
        let transaction = transaction.delete_member(team, user, Condition::present());
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn transfer(
        &self,
        proof: &TransfersTeam,
        to: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Transferred> {
        let by = proof.by();
        let pass_on =
            Expression::new("SET #owner = :new", [(":new", text(to.user))]).naming("#owner", "owner");
        let transaction = self
            .transaction()
            .change(TEAM, &key_of(by.team), pass_on, is_owned_by(by.user))
            .change_role(by.team, to.user, (to.role, Role::Owner))
            .change_role(by.team, by.user, (Role::Owner, Role::Admin))
            .own_another("limit", to.user, by.team)
            .existing_user(to.user)
            .disown(by.user, by.team);
        Ok(match transaction.extras(extras)?.commit().await? {
            None => Transferred::Yes,
            Some("limit") => Transferred::LimitReached,
            Some("user") => Transferred::Gone,
            Some(_) => Transferred::Stale,
        })
    }
}

impl Store {
    /// Ends the membership of a user whose account is deleted, and frees the seat. The user's own side is deleted with the account.
    pub async fn end_membership(&self, team: WorkspaceId, user: UserId) -> Outcome<()> {
        let transaction =
            self.transaction().free_seat(team, Condition::of("attribute_exists(seatsTaken)", []));
        let member = member_key(team, user);
        match transaction.delete("member", &member, Condition::present()).commit().await? {
            // It ended before.
            None | Some("member") => Ok(()),
            // The team was deleted.
            Some(_) => self.delete_all(&[member]).await,
        }
    }
}

impl Transaction<'_> {
    /// Requires that the acting member still has the role. For a transaction that does not change the team's record.
    pub fn acting(self, by: &ActingMember) -> Self {
        match by.role {
            Role::Owner => self.check(ACTOR, &key_of(by.team), is_owned_by(by.user)),
            role => self.check(ACTOR, &member_key(by.team, by.user), has_role(role)),
        }
    }

    /// The same for a transaction that changes the team's record, on condition of [`team_of`] the member.
    pub fn acting_beside_team(self, by: &ActingMember) -> Self {
        if by.role == Role::Owner { self } else { self.acting(by) }
    }

    /// Adds a member, on both sides. Label: `member`.
    pub fn put_member(self, team: WorkspaceId, member: &TeamMember) -> Outcome<Self> {
        let item = member_item(team, member)?;
        let copy = membership_item(member.user, team, member.role)?;
        Ok(self.put("member", &member_key(team, member.user), item, Condition::absent()).put(
            "membership",
            &membership_key(member.user, team),
            copy,
            Condition::none(),
        ))
    }

    /// Deletes a member, on both sides. Label: `member`.
    fn delete_member(self, team: WorkspaceId, user: UserId, condition: Condition) -> Self {
        self.delete("member", &member_key(team, user), condition).delete(
            "membership",
            &membership_key(user, team),
            Condition::none(),
        )
    }

    /// Changes the role of a member who has the first role, on both sides. Label: `member`.
    fn change_role(self, team: WorkspaceId, user: UserId, (from, to): (Role, Role)) -> Self {
        let set =
            || Expression::new("SET #role = :new", [(":new", text(to.as_str()))]).naming("#role", "role");
        self.change("member", &member_key(team, user), set(), has_role(from)).change(
            "membership",
            &membership_key(user, team),
            set(),
            Condition::none(),
        )
    }

    /// Frees a seat, on a condition on the team's record. Label: [`TEAM`].
    pub fn free_seat(self, team: WorkspaceId, condition: Condition) -> Self {
        let one = [(":one".to_owned(), number(1))];
        self.update(TEAM, &key_of(team), "SET seatsTaken = seatsTaken - :one", one, condition)
    }

    /// Requires that the account of a user is not deleted. Label: `user`.
    pub fn existing_user(self, user: UserId) -> Self {
        self.check("user", &accounts::user_key(user), Condition::present())
    }

    /// Requires that a user whose account is deleted owns no team, and deletes the record of it. Label: `person`.
    pub fn owning_none(self, user: UserId) -> Self {
        self.delete("person", &owned_key(user), Condition::of("attribute_not_exists(teams)", []))
    }

    /// Removes a team from those that a user owns.
    pub fn disown(self, user: UserId, team: WorkspaceId) -> Self {
        let give_up = Expression::new("DELETE teams :team", [(":team", set_of(team))]);
        self.change("owned", &owned_key(user), give_up, Condition::none())
    }

    /// Adds a team to those that a user owns, if there are fewer than the most.
    fn own_another(self, label: &'static str, user: UserId, team: WorkspaceId) -> Self {
        let add = Expression::new("ADD teams :team", [(":team", set_of(team))]);
        let most = [(":most", number(MOST_OWNED))];
        let fewer = Condition::of("attribute_not_exists(teams) OR size(teams) < :most", most);
        self.change(label, &owned_key(user), add, fewer)
    }
}
