//! Email addresses of an account.  Table `identity`: PK `ADDRESSES#<user>`  SK `VERIFIED`, absent while the sign-up's address
//! is the only one; SK `PENDING`: added addresses that are not verified, gone a day after the last.
//! Reads: both with the user (batch get, strongly consistent).

use async_trait::async_trait;
use domain::{
    id::UserId,
    password_reset::LastReset,
    ports::{AddressSaved, Failure, Outcome, Saved, TransactionExtras, UserAddresses},
    user_addresses::{
        AddressRemoval, PendingAddresses, PrimaryChange, StoredAddresses, Verification, VerifiedAddresses,
    },
};
use tables::ItemKind;

use crate::{
    accounts,
    client::Store,
    item::{Item, Key, from_item, text, to_expiring_item, to_item},
    password_resets,
    transaction::{Condition, Transaction},
};

fn pending_key(user: UserId) -> Key {
    Key::new(ItemKind::UserAddresses, user, "PENDING")
}

fn before(version: u64) -> Condition {
    Condition::version(version.saturating_sub(1))
}

fn saved(refused: Option<&'static str>) -> Saved {
    refused.map_or(Saved::Yes, |_| Saved::Stale)
}

impl Transaction<'_> {
    fn put_verified(self, verified: &VerifiedAddresses) -> Outcome<Self> {
        let key = accounts::verified_key(verified.user);
        Ok(self.put("verified", &key, to_item(&key, verified)?, before(verified.version)))
    }

    fn put_pending(self, pending: &PendingAddresses) -> Outcome<Self> {
        let key = pending_key(pending.user);
        let item = to_expiring_item(&key, pending, pending.expires_at())?;
        Ok(self.put("pending", &key, item, before(pending.version)))
    }

    fn require_user(self, user: UserId) -> Self {
        self.check("user", &accounts::user_key(user), Condition::present())
    }

    fn invalidate_tokens(self, user: UserId, tokens: &LastReset) -> Outcome<Self> {
        let (key, item) = password_resets::last_item(user, tokens)?;
        Ok(self.put("tokens", &key, item, Condition::none()))
    }
}

#[async_trait]
impl UserAddresses for Store {
    async fn find(&self, user: UserId) -> Outcome<Option<StoredAddresses>> {
        let keys = [accounts::user_key(user), accounts::verified_key(user), pending_key(user)];
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        let (user, verified, pending): (Option<Item>, _, _) = (next(), next(), next());
        let Some(user) = user else { return Ok(None) };
        let (verified, pending) = (verified.map(from_item).transpose()?, pending.map(from_item).transpose()?);
        Ok(Some(StoredAddresses { user: from_item(user)?, verified, pending }))
    }

    async fn save_pending(
        &self,
        pending: &PendingAddresses,
        verified: u64,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let transaction = self
            .transaction()
            .require_user(pending.user)
            .check("verified", &accounts::verified_key(pending.user), Condition::version(verified))
            .put_pending(pending)?;
        Ok(saved(transaction.extras(extras)?.commit().await?))
    }

    async fn verify(&self, verification: &Verification, extras: TransactionExtras) -> Outcome<AddressSaved> {
        let Verification { address, verified, pending, .. } = verification;
        let (key, item) = accounts::address_item(address.hash, verified.user)?;
        let refused = self
            .transaction()
            .require_user(verified.user)
            .put_pending(pending)?
            .put_verified(verified)?
            .put("address", &key, item, Condition::absent())
            .extras(extras)?
            .commit()
            .await?;
        Ok(match refused {
            None => AddressSaved::Yes,
            Some("address") => AddressSaved::Taken,
            Some(_) => AddressSaved::Stale,
        })
    }

    async fn set_primary(
        &self,
        change: &PrimaryChange,
        tokens: &LastReset,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let (key, item) = accounts::user_item(&change.after)?;
        let transaction = self
            .transaction()
            .put("user", &key, item, accounts::address_is(&change.before))
            .put_verified(&change.verified)?
            .put_pending(&change.pending)?
            .invalidate_tokens(change.after.id, tokens)?;
        Ok(saved(transaction.extras(extras)?.commit().await?))
    }

    async fn remove(
        &self,
        removal: &AddressRemoval,
        tokens: &LastReset,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let AddressRemoval { freed, verified, pending } = removal;
        let user = pending.user;
        let mut transaction = self.transaction().require_user(user).put_pending(pending)?;
        if let (Some(address), Some(verified)) = (freed, verified) {
            let own = Condition::of("#user = :user", [(":user", text(user))]).naming("#user", "user");
            transaction = transaction
                .put_verified(verified)?
                .delete("address", &accounts::address_key(*address), own)
                .invalidate_tokens(user, tokens)?;
        }
        match transaction.extras(extras)?.commit().await? {
            Some("address") => {
                Err(Failure::Broken(format!("a verified address of {user} is not the user's")))
            }
            refused => Ok(saved(refused)),
        }
    }
}
