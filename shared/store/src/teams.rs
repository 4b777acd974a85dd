//! Team.  Table `workspaces`: workspace, profile, handle and members as of [`crate::workspaces`]; PK `OWNED#<user>`  SK `OWNED`
//! (the teams that the user owns in any region, as a set).
//! Reads: the teams of a user (query of the memberships, then a batch get), the members of a team (query), one member (batch get), all
//! strongly consistent.
//! Writes: one transaction changes a member on both sides, the team's number of taken seats, and, for an owner, the set. It checks
//! that the acting member still has the role. Of a member from another region, only the team's side is here.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    id::{UserId, WorkspaceId},
    permissions::{ActsOnMembers, TransfersTeam},
    ports::{
        Failure, Outcome, Page, Saved, TeamOfUser, TeamOpened, Teams, TeamsOfUser, TransactionExtras,
        Transferred,
    },
    region::Region,
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
        is_copy, key_of, member_item, member_key, membership_item, membership_key, memberships_range,
        profile_key, role_of,
    },
};

/// The label of the check that the acting member still has the role.
pub const ACTOR: &str = "actor";
/// The label of the change of a team's record.
pub const TEAM: &str = "team";

/// The teams that a user owns. DynamoDB has no empty sets.
#[derive(Default, Deserialize)]
pub struct Owned {
    #[serde(default)]
    pub teams: Vec<WorkspaceId>,
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
pub fn has_role(role: Role) -> Condition {
    Condition::of("#role = :role", [(":role", text(role.as_str()))]).naming("#role", "role")
}

/// The team's record is there, and its owner is the one who acts, if the owner does.
pub fn team_of(by: &ActingMember) -> Condition {
    if by.role == Role::Owner { is_owned_by(by.user) } else { Condition::present() }
}

/// Adds a team to a set of owned teams.
pub fn add_owned(team: WorkspaceId) -> Expression {
    Expression::new("ADD teams :team", [(":team", set_of(team))])
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
        let mut transaction = transaction.put_member(team.id, team.region, owner)?.check(
            "erased",
            &erasures::key_of(team.id),
            Condition::absent(),
        );
        if owner.region == team.region {
            transaction = transaction.own_another("limit", owner.user, team.id).existing_user(owner.user);
        }
        Ok(match transaction.extras(extras)?.commit().await? {
            None => TeamOpened::Yes,
            Some("limit") => TeamOpened::LimitReached,
            Some("user") => TeamOpened::OwnerGone,
            // Another workspace has the handle, or this user's team with the handle is there or was deleted.
            Some(_) => TeamOpened::HandleTaken,
        })
    }

    async fn of(&self, user: UserId, limit: usize) -> Outcome<TeamsOfUser> {
        let found = self.items_up(ItemKind::Memberships, user, memberships_range(), limit).await?;
        let (copies, own): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|item| sort_key(item).is_some_and(is_copy));
        let ids = own.iter().filter_map(|item| sort_key(item)?.parse().ok());
        let mut here = self.among(user, &ids.collect::<Vec<_>>()).await?;
        here.sort_by(|one, other| one.team.handle.cmp(&other.team.handle));
        Ok(TeamsOfUser { here, elsewhere: copies.into_iter().map(from_item).collect::<Outcome<_>>()? })
    }

    async fn among(&self, user: UserId, teams: &[WorkspaceId]) -> Outcome<Vec<TeamOfUser>> {
        let keys = teams.iter().flat_map(|id| [key_of(*id), profile_key(*id), member_key(*id, user)]);
        let mut items = self.get_all(&keys.collect::<Vec<_>>()).await?.into_iter();
        let mut teams = Vec::new();
        while let (Some(team), Some(profile), Some(member)) = (items.next(), items.next(), items.next()) {
            // The team was deleted, or the user is no member any more.
            let (Some(team), Some(member)) = (team, member) else { continue };
            let team: Workspace = from_item(team)?;
            if team.kind == WorkspaceKind::Team {
                let profile = profile.map(from_item).transpose()?;
                teams.push(TeamOfUser { team, profile, role: role_of(member)? });
            }
        }
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
        let transaction = transaction.change_role(by, member, role);
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
        let transaction = transaction.delete_member((by.team, by.region), member, has_role(member.role));
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn leave(
        &self,
        team: &Workspace,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let user = [(":owner", text(member.user))];
        let no_owner = Condition::of("#owner <> :owner", user).naming("#owner", "owner");
        let transaction = self.transaction().free_seat(team.id, no_owner);
        let transaction = transaction.delete_member((team.id, team.region), member, Condition::present());
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn end_foreign(
        &self,
        team: &Workspace,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        if member.region == team.region {
            return Err(Failure::Broken("a member from this region".to_owned()));
        }
        self.leave(team, member, extras).await
    }

    async fn transfer(
        &self,
        proof: &TransfersTeam,
        from: &TeamMember,
        to: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Transferred> {
        let by = proof.by();
        let pass_on =
            Expression::new("SET #owner = :new", [(":new", text(to.user))]).naming("#owner", "owner");
        let mut transaction = self
            .transaction()
            .change(TEAM, &key_of(by.team), pass_on, is_owned_by(from.user))
            .change_role(by, to, Role::Owner)
            .change_role(by, from, Role::Admin);
        if to.region == by.region {
            transaction = transaction.own_another("limit", to.user, by.team).existing_user(to.user);
        }
        if from.region == by.region {
            transaction = transaction.disown(from.user, by.team);
        }
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

    /// Adds a member to a team of this region, on both sides if the member's home is here, too. Label: `member`.
    pub fn put_member(self, team: WorkspaceId, here: Region, member: &TeamMember) -> Outcome<Self> {
        let item = member_item(team, member)?;
        let added = self.put("member", &member_key(team, member.user), item, Condition::absent());
        if member.region != here {
            return Ok(added);
        }
        let own = membership_item(member.user, team, member.role)?;
        Ok(added.put("membership", &membership_key(member.user, team), own, Condition::none()))
    }

    /// Deletes a member, on both sides if the member's home is here, too. Label: `member`.
    fn delete_member(
        self,
        (team, here): (WorkspaceId, Region),
        member: &TeamMember,
        condition: Condition,
    ) -> Self {
        let deleted = self.delete("member", &member_key(team, member.user), condition);
        if member.region != here {
            return deleted;
        }
        deleted.delete("membership", &membership_key(member.user, team), Condition::none())
    }

    /// Changes the role of a member who still has the role that was read, on both sides if the member's home is here, too. Label:
    /// `member`.
    fn change_role(self, by: &ActingMember, member: &TeamMember, to: Role) -> Self {
        let role = (":new", text(to.as_str()));
        let count = [role.clone(), (":changes", number(member.changes.saturating_add(1)))];
        let count = Expression::new("SET #role = :new, changes = :changes", count).naming("#role", "role");
        let as_read = has_role(member.role).and(match member.changes {
            0 => Condition::of("attribute_not_exists(changes)", []),
            changes => Condition::of("changes = :seen", [(":seen", number(changes))]),
        });
        let changed = self.change("member", &member_key(by.team, member.user), count, as_read);
        if member.region != by.region {
            return changed;
        }
        let set = Expression::new("SET #role = :new", [role]).naming("#role", "role");
        changed.change("membership", &membership_key(member.user, by.team), set, Condition::none())
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
    pub fn own_another(self, label: &'static str, user: UserId, team: WorkspaceId) -> Self {
        let values = [(":most", number(MOST_OWNED)), (":this", text(team))];
        let fewer = "attribute_not_exists(teams) OR size(teams) < :most OR contains(teams, :this)";
        self.change(label, &owned_key(user), add_owned(team), Condition::of(fewer, values))
    }
}
