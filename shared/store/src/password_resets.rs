//! Password reset: what was asked for with an address, and which mailed token set a user's password last.  Table `identity`:
//! PK `RESETS#<address hash>`  SK `RESETS`, gone an hour after the last; PK `LASTRESET#<user>`  SK `LASTRESET`, gone half an
//! hour after its use.
//! Reads: what was asked for (get), the last token with its user and the workspace (one batch get), all strongly consistent.

use async_trait::async_trait;
use domain::{
    id::UserId,
    password_reset::{Asked, LastReset},
    ports::{Alongside, Failure, NewPassword, Outcome, PasswordResets, Resettable, Saved},
    user::{EmailHash, personal_workspace},
};
use tables::Items;

use crate::{
    Store, accounts,
    item::{Key, from_item, text, to_expiring_item},
    sessions, throttles,
    transaction::Condition,
    workspaces,
};

fn asked_key(address: EmailHash) -> Key {
    Key::new(Items::ResetsAsked, address, "RESETS")
}

fn last_key(user: UserId) -> Key {
    Key::new(Items::LastResets, user, "LASTRESET")
}

/// No other token was used since `before` was read. It may be gone meanwhile: then it ended nothing any more.
fn unchanged(before: Option<LastReset>) -> Condition {
    match before {
        None => Condition::absent(),
        Some(last) => Condition::of("attribute_not_exists(pk) OR id = :id", [(":id", text(last.id))]),
    }
}

#[async_trait]
impl PasswordResets for Store {
    async fn asked(&self, address: EmailHash) -> Outcome<Option<Asked>> {
        self.get(asked_key(address)).await?.map(from_item).transpose()
    }

    async fn ask(&self, asked: &Asked, alongside: Alongside) -> Outcome<Saved> {
        let key = asked_key(asked.address);
        let item = to_expiring_item(&key, asked, asked.expires_at())?;
        let unchanged = Condition::version(asked.version.saturating_sub(1));
        let refused =
            self.transaction().put("stale", &key, item, unchanged).alongside(alongside)?.commit().await?;
        Ok(refused.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn find(&self, user: UserId) -> Outcome<Option<Resettable>> {
        let keys = [accounts::user_key(user), last_key(user), workspaces::key_of(personal_workspace(user))];
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        let (user, last, workspace) = (next(), next(), next());
        let Some(user) = user else { return Ok(None) };
        let last = last.map(from_item).transpose()?;
        Ok(Some(Resettable { user: from_item(user)?, onboarded: workspace.is_some(), last }))
    }

    async fn set(&self, new: &NewPassword, alongside: Alongside) -> Outcome<Saved> {
        let (password_key, password) = accounts::password_item(new.user, &new.password)?;
        let key = last_key(new.user);
        let last = to_expiring_item(&key, &new.by, new.by.expires_at())?;
        let mut transaction = self
            .transaction()
            .put("stale", &key, last, unchanged(new.before))
            .put("password", &password_key, password, Condition::present())
            .delete("throttle", &throttles::key_of(&new.throttle), Condition::none());
        for session in &new.sessions {
            let key = sessions::key_of(new.user, *session);
            transaction = transaction.delete("session", &key, Condition::none());
        }
        match transaction.alongside(alongside)?.commit().await? {
            None => Ok(Saved::Yes),
            Some("stale" | "password") => Ok(Saved::Stale),
            Some(label) => Err(Failure::Broken(format!("a new {label} exists already"))),
        }
    }
}
