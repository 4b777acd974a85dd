//! What the home of a user keeps of teams in other regions.  Table `workspaces`: PK `MEMBERSHIPS#<user>`  SK `ws~AWAY#<team>` (the latest
//! copy of a membership, also of one that has ended: an earlier copy may still be on its way); PK `OWNED#<user>`  SK
//! `RESERVED#<team>` (a place for an owned team that is reserved).
//! Reads: the reservations of a user (query), a reservation with the owned teams (batch get), all strongly consistent.
//! Writes: a copy replaces an earlier one only, in one transaction with the set of owned teams. While a place is reserved, a copy that
//! says that the user does not own the team leaves it: the team may be about to become the user's.

use async_trait::async_trait;
use domain::{
    id::{UserId, WorkspaceId},
    ports::{CopyKept, Outcome, PlaceReserved, Rounds, TeamsElsewhere},
    role::Role,
    team::{MembershipCopy, Reservation},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, number, text, to_item},
    teams::{Owned, owned_key},
    transaction::{Condition, Transaction},
    workspaces::copy_key,
};

/// The most reservations that are read: more than there are places.
const MOST_RESERVED: usize = 100;

fn reservation_key(user: UserId, team: WorkspaceId) -> Key {
    Key::new(ItemKind::OwnedTeams, user, format!("RESERVED#{team}"))
}

fn copy_item(copy: &MembershipCopy) -> Outcome<Item> {
    let mut item = to_item(&copy_key(copy.user, copy.team), copy)?;
    item.insert("version".to_owned(), number(copy.version()));
    Ok(item)
}

#[async_trait]
impl TeamsElsewhere for Store {
    async fn keep_copy(&self, copy: &MembershipCopy) -> Outcome<CopyKept> {
        let MembershipCopy { user, team, .. } = *copy;
        let (item, reserved) = (copy_item(copy)?, reservation_key(user, team));
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let found = self.get_all(&[owned_key(user), reserved.clone()]).await?;
            let [owned, reservation] = <[Option<Item>; 2]>::try_from(found).unwrap_or_default();
            let owned: Owned = owned.map(from_item).transpose()?.unwrap_or_default();
            let version = [(":version", number(copy.version()))];
            let later = Condition::of("attribute_not_exists(pk) OR version < :version", version);
            let mut transaction = self
                .transaction()
                .put("copy", &copy_key(user, team), item.clone(), later)
                .existing_user(user);
            if copy.role == Some(Role::Owner) {
                transaction = transaction.own(user, team).delete("reserved", &reserved, Condition::none());
            } else if reservation.is_none() && owned.teams.contains(&team) {
                transaction =
                    transaction.disown(user, team).check("reserved", &reserved, Condition::absent());
            }
            match transaction.commit().await? {
                None | Some("copy") => return Ok(CopyKept::Yes),
                Some("user") => return Ok(CopyKept::UserGone),
                // A place was reserved meanwhile.
                Some(_) => {}
            }
        }
    }

    async fn copies(&self, user: UserId, limit: usize) -> Outcome<Vec<MembershipCopy>> {
        let range = ("ws~AWAY#".to_owned(), "ws~AWAY$".to_owned());
        let page = self.range_ascending(ItemKind::Memberships, user, range, limit).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn reserve(&self, user: UserId, reservation: &Reservation) -> Outcome<PlaceReserved> {
        let key = reservation_key(user, reservation.team);
        let transaction = self
            .transaction()
            .own_another("limit", user, reservation.team)
            .put("reserved", &key, to_item(&key, reservation)?, Condition::none())
            .existing_user(user);
        Ok(match transaction.commit().await? {
            None => PlaceReserved::Yes,
            Some("user") => PlaceReserved::UserGone,
            Some(_) => PlaceReserved::LimitReached,
        })
    }

    async fn reservations(&self, user: UserId) -> Outcome<Vec<Reservation>> {
        let range = ("RESERVED#".to_owned(), "RESERVED$".to_owned());
        let page = self.range_ascending(ItemKind::OwnedTeams, user, range, MOST_RESERVED).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn settle(&self, user: UserId, reservation: &Reservation, owns: bool) -> Outcome<()> {
        let key = reservation_key(user, reservation.team);
        let at = to_item(&key, reservation)?.remove("at").unwrap_or_else(|| text(""));
        let seen = Condition::of("#at = :at", [(":at", at)]).naming("#at", "at");
        let transaction = self.transaction().delete("reserved", &key, seen);
        let transaction = if owns { transaction } else { transaction.disown(user, reservation.team) };
        // Another request settled it, or reserved the place again.
        let _ = transaction.commit().await?;
        Ok(())
    }
}

impl Transaction<'_> {
    /// Adds a team to those that a user owns, however many there are: the team's region says so.
    fn own(self, user: UserId, team: WorkspaceId) -> Self {
        self.change("owned", &owned_key(user), crate::teams::add_owned(team), Condition::none())
    }
}
