//! Pending sign-up of an address.  Table `identity`: PK `SIGNUP#<address hash>`  SK `SIGNUP`;
//! gone after a day.
//! Reads: one by the address's hash (get, strongly consistent).

use async_trait::async_trait;
use domain::{
    ports::{NewAccount, Opened, Outcome, Saved, SignUps, TransactionExtras},
    sign_up::SignUp,
    user::EmailHash,
};
use tables::ItemKind;

use crate::{
    accounts,
    client::Store,
    item::{Key, from_item, to_expiring_item},
    sessions,
    transaction::Condition,
};

fn key_of(address: EmailHash) -> Key {
    Key::new(ItemKind::SignUps, address, "SIGNUP")
}

#[async_trait]
impl SignUps for Store {
    async fn find(&self, address: EmailHash) -> Outcome<Option<SignUp>> {
        self.get(key_of(address)).await?.map(from_item).transpose()
    }

    async fn save(&self, sign_up: &SignUp, extras: TransactionExtras) -> Outcome<Saved> {
        let key = key_of(sign_up.email_hash);
        let item = to_expiring_item(&key, sign_up, sign_up.expires_at())?;
        let unchanged = Condition::version(sign_up.version.saturating_sub(1));
        let refused = self.transaction().put("stale", &key, item, unchanged).extras(extras)?.commit().await?;
        Ok(refused.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn discard(&self, sign_up: &SignUp) -> Outcome<()> {
        let unchanged = Condition::version(sign_up.version);
        self.transaction().delete("stale", &key_of(sign_up.email_hash), unchanged).commit().await?;
        Ok(())
    }

    async fn open_account(&self, account: &NewAccount, extras: TransactionExtras) -> Outcome<Opened> {
        let NewAccount { sign_up, user, password, session } = account;
        let (user_key, user_item) = accounts::user_item(user)?;
        let (address_key, address_item) = accounts::address_item(sign_up.email_hash, user.id)?;
        let (password_key, password_item) = accounts::password_item(user.id, password)?;
        let (session_key, session_item) = sessions::session_item(session)?;
        let refused = self
            .transaction()
            .put("address", &address_key, address_item, Condition::absent())
            .put("user", &user_key, user_item, Condition::absent())
            .put("password", &password_key, password_item, Condition::absent())
            .put("session", &session_key, session_item, Condition::absent())
            .delete("stale", &key_of(sign_up.email_hash), Condition::version(sign_up.version))
            .extras(extras)?
            .commit()
            .await?;
        Ok(match refused {
            None => Opened::Yes,
            Some("address") => Opened::AddressTaken,
            Some(_) => Opened::Stale,
        })
    }
}
