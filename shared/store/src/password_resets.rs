//! Password reset: the requests for an address, and the token that set a user's password last.  Table `identity`:
//! PK `RESETS#<address hash>`  SK `RESETS`, gone an hour after the last; PK `LASTRESET#<user>`  SK `LASTRESET`, gone half an
//! hour after its use.
//! Reads: the requests (get), the last token with its user and the workspace (one batch get), all strongly consistent.

use async_trait::async_trait;
use domain::{
    id::UserId,
    password_reset::{Asked, LastReset},
    ports::{
        Failure, NewPassword, Outcome, PasswordResets, Replaces, Resettable, Saved, Sessions,
        TransactionExtras,
    },
    user::{EmailHash, personal_workspace},
    user_addresses::VerifiedAddresses,
};
use serde::Deserialize;
use tables::ItemKind;

use crate::{
    accounts,
    client::Store,
    item::{Item, Key, from_item, text, to_expiring_item},
    sessions, throttles,
    transaction::{Condition, MOST_WRITES},
    workspaces,
};

fn asked_key(address: EmailHash) -> Key {
    Key::new(ItemKind::ResetsAsked, address, "RESETS")
}

fn last_key(user: UserId) -> Key {
    Key::new(ItemKind::LastResets, user, "LASTRESET")
}

/// The item of the last token that set a user's password.
pub fn last_item(user: UserId, last: &LastReset) -> Outcome<(Key, Item)> {
    let key = last_key(user);
    Ok((key.clone(), to_expiring_item(&key, last, last.expires_at())?))
}

/// The names in a workspace's record.
#[derive(Deserialize)]
struct Named {
    handle: String,
    profile: Option<NamedProfile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NamedProfile {
    display_name: Option<String>,
}

fn names_of(workspace: Item) -> Outcome<Vec<String>> {
    let Named { handle, profile } = from_item(workspace)?;
    Ok(std::iter::once(handle).chain(profile.and_then(|profile| profile.display_name)).collect())
}

/// No other token was used since `before` was read. `before` may have expired since.
fn unchanged(before: Option<LastReset>) -> Condition {
    match before {
        None => Condition::absent(),
        Some(last) => Condition::of("attribute_not_exists(pk) OR id = :id", [(":id", text(last.id))]),
    }
}

/// The password, the token, and the condition on the user.
const WRITES: usize = 3;

#[async_trait]
impl PasswordResets for Store {
    async fn asked(&self, address: EmailHash) -> Outcome<Option<Asked>> {
        self.get(asked_key(address)).await?.map(from_item).transpose()
    }

    async fn asked_all(&self, addresses: &[EmailHash]) -> Outcome<Vec<Option<Asked>>> {
        let keys: Vec<Key> = addresses.iter().map(|address| asked_key(*address)).collect();
        let found = self.get_all(&keys).await?.into_iter();
        found.map(|item| item.map(from_item).transpose()).collect()
    }

    async fn ask(&self, asked: &Asked, extras: TransactionExtras) -> Outcome<Saved> {
        let key = asked_key(asked.address);
        let item = to_expiring_item(&key, asked, asked.expires_at())?;
        let unchanged = Condition::version(asked.version.saturating_sub(1));
        let refused = self.transaction().put("stale", &key, item, unchanged).extras(extras)?.commit().await?;
        Ok(refused.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn find(&self, user: UserId) -> Outcome<Option<Resettable>> {
        let keys = [
            accounts::user_key(user),
            last_key(user),
            workspaces::key_of(personal_workspace(user)),
            accounts::verified_key(user),
        ];
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        let (user, last, workspace, verified) = (next(), next(), next(), next());
        let Some(user) = user else { return Ok(None) };
        let verified: Option<VerifiedAddresses> = verified.map(from_item).transpose()?;
        let addresses = verified.into_iter().flat_map(|verified| verified.addresses);
        let addresses = addresses.map(|address| address.hash).collect();
        let last = last.map(from_item).transpose()?;
        let (onboarded, names) =
            (workspace.is_some(), workspace.map(names_of).transpose()?.unwrap_or_default());
        Ok(Some(Resettable { user: from_item(user)?, onboarded, names, last, addresses }))
    }

    async fn set(&self, new: &NewPassword, extras: TransactionExtras) -> Outcome<Saved> {
        let (password_key, password) = accounts::password_item(new.user, &new.password)?;
        let (key, last) = last_item(new.user, &new.by)?;
        let (token, password_before) = match &new.replaces {
            Replaces::AfterToken(before) => (unchanged(*before), Condition::none()),
            Replaces::Password(before) => (Condition::none(), accounts::password_is(new.user, before)?),
            Replaces::Nothing => (Condition::none(), Condition::absent()),
        };
        let mut transaction = self
            .transaction()
            .put("stale", &key, last, token)
            .put("password", &password_key, password, password_before)
            .check("user", &accounts::user_key(new.user), Condition::present());
        for throttle in &new.throttles {
            let (key, forgiven) = throttles::forgiven_item(throttle, new.by.at)?;
            transaction = transaction.put("throttle", &key, forgiven, Condition::none());
        }
        // The oldest sessions that don't fit into the transaction end before it: a crash in between leaves the old password, and
        // a retry ends the rest. The other order could leave old sessions beside a new password.
        let writes = WRITES.saturating_add(new.throttles.len()).saturating_add(extras.writes());
        let room = MOST_WRITES.saturating_sub(writes);
        let (with_it, before) = new.sessions.split_at(room.min(new.sessions.len()));
        self.end_several(new.user, before).await?;
        for session in with_it {
            let key = sessions::key_of(new.user, *session);
            transaction = transaction.delete("session", &key, Condition::none());
        }
        match transaction.extras(extras)?.commit().await? {
            None => Ok(Saved::Yes),
            Some("stale" | "password" | "user") => Ok(Saved::Stale),
            Some(label) => Err(Failure::Broken(format!("a new {label} exists already"))),
        }
    }
}
