//! Invitation to a team.  Table `workspaces`: PK `INVITE#<workspace>`  SK `INVITE#<id>`; PK `INVITE#<workspace>`  SK
//! `ADDRESS#<address hash>` (uniqueness).
//! Reads: a team's (query, oldest first), one (get), the one of an address (get), all strongly consistent.
//! Writes: one transaction puts or deletes both items, and changes the team's number of taken seats.

use async_trait::async_trait;
use domain::{
    id::{InvitationId, WorkspaceId},
    invitation::Invitation,
    permissions::ActsOnMembers,
    ports::{Accepted, Invitations, Outcome, Saved, TransactionExtras},
    region::Region,
    team::TeamMember,
    user::EmailHash,
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, number, to_item},
    teams::{TEAM, has_role, team_of},
    transaction::{Condition, Transaction},
    workspaces,
};

#[derive(Serialize, Deserialize)]
struct InvitationOf {
    invitation: InvitationId,
}

fn key_of(team: WorkspaceId, id: InvitationId) -> Key {
    Key::new(ItemKind::Invitations, team, format!("INVITE#{id}"))
}

fn address_key(team: WorkspaceId, address: EmailHash) -> Key {
    Key::new(ItemKind::Invitations, team, format!("ADDRESS#{address}"))
}

/// A seat is free.
fn has_seat(seats: Option<u64>) -> Condition {
    match seats {
        Some(seats) => Condition::of("seatsTaken < :seats", [(":seats", number(seats))]),
        None => Condition::none(),
    }
}

#[async_trait]
impl Invitations for Store {
    async fn of(&self, team: WorkspaceId, limit: usize) -> Outcome<Vec<Invitation>> {
        let range = ("INVITE#".to_owned(), "INVITE$".to_owned());
        let items = self.items_up(ItemKind::Invitations, team, range, limit).await?;
        items.into_iter().map(from_item).collect()
    }

    async fn find(&self, team: WorkspaceId, id: InvitationId) -> Outcome<Option<Invitation>> {
        self.get(key_of(team, id)).await?.map(from_item).transpose()
    }

    async fn by_address(&self, team: WorkspaceId, address: EmailHash) -> Outcome<Option<InvitationId>> {
        let found: Option<InvitationOf> =
            self.get(address_key(team, address)).await?.map(from_item).transpose()?;
        Ok(found.map(|found| found.invitation))
    }

    async fn create(
        &self,
        proof: &ActsOnMembers,
        invitation: &Invitation,
        seats: Option<u64>,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let by = proof.by();
        let (key, address) = (key_of(by.team, invitation.id), address_key(by.team, invitation.address));
        let index = to_item(&address, &InvitationOf { invitation: invitation.id })?;
        let one = [(":one".to_owned(), number(1))];
        let take = "ADD seatsTaken :one";
        let transaction = self
            .transaction()
            .put("address", &address, index, Condition::absent())
            .update(TEAM, &workspaces::key_of(by.team), take, one, team_of(by).and(has_seat(seats)))
            .acting_beside_team(by)
            .put("invitation", &key, to_item(&key, invitation)?, Condition::absent());
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn replace(
        &self,
        proof: &ActsOnMembers,
        next: &Invitation,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let (by, key) = (proof.by(), key_of(next.team, next.id));
        let seen = Condition::version(next.version.saturating_sub(1));
        let transaction = self.transaction().acting(by).put("invitation", &key, to_item(&key, next)?, seen);
        Ok(transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn cancel(
        &self,
        proof: &ActsOnMembers,
        invitation: &Invitation,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let by = proof.by();
        let transaction = self.transaction().acting_beside_team(by).free_seat(by.team, team_of(by));
        let transaction = transaction.delete_invitation(invitation).extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn end(&self, invitation: &Invitation, extras: TransactionExtras) -> Outcome<Saved> {
        let transaction = self.transaction().free_seat(invitation.team, Condition::present());
        let transaction = transaction.delete_invitation(invitation).extras(extras)?;
        Ok(match transaction.commit().await? {
            // The deletion of the team erases its invitations.
            None | Some(TEAM) => Saved::Yes,
            Some(_) => Saved::Stale,
        })
    }

    async fn accept(
        &self,
        invitation: &Invitation,
        sender: &TeamMember,
        here: Region,
        member: &TeamMember,
        extras: TransactionExtras,
    ) -> Outcome<Accepted> {
        let team = invitation.team;
        let one = [(":one".to_owned(), number(1))];
        let mut transaction = self
            .transaction()
            .delete_invitation(invitation)
            .update(TEAM, &workspaces::key_of(team), "ADD joins :one", one, Condition::present())
            .check("sender", &workspaces::member_key(team, sender.user), has_role(sender.role))
            .put_member(team, here, member)?;
        if member.region == here {
            transaction = transaction.existing_user(member.user);
        }
        Ok(match transaction.extras(extras)?.commit().await? {
            None => Accepted::Yes,
            Some("member") => Accepted::AlreadyMember,
            Some(_) => Accepted::Stale,
        })
    }
}

impl Transaction<'_> {
    /// Deletes an invitation that did not change since it was read. Label: `invitation`.
    fn delete_invitation(self, invitation: &Invitation) -> Self {
        let (team, seen) = (invitation.team, Condition::version(invitation.version));
        self.delete("invitation", &key_of(team, invitation.id), seen).delete(
            "address",
            &address_key(team, invitation.address),
            Condition::none(),
        )
    }
}
