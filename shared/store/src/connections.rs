//! Connection of a user with a provider's identity.  Table `identity`: PK `CONNECTIONS#<user>`  SK `<provider>`; PK
//! `DISCONNECTED#<user>`  SK `<provider>`, after the user disconnected it.
//! Reads: a user's connections with the user's password (query, then get), both strongly consistent.

use async_trait::async_trait;
use domain::{
    id::UserId,
    ports::{
        Accounts, Connected, ConnectedAccount, ConnectedBy, Connections, Opened, OtherWay, Outcome, Saved,
        TransactionExtras,
    },
    provider::{Connection, IdentityHash, Provider},
};
use tables::ItemKind;

use crate::{
    accounts,
    client::Store,
    identities::{self, IdentityOf},
    item::{Item, Key, from_item, text, to_item},
    sessions,
    transaction::{Condition, Transaction},
};

/// More than there are providers.
const MOST: usize = 10;

fn connection_key(user: UserId, provider: Provider) -> Key {
    Key::new(ItemKind::Connections, user, provider.as_str())
}

fn disconnection_key(user: UserId, provider: Provider) -> Key {
    Key::new(ItemKind::Disconnections, user, provider.as_str())
}

fn connection_item(connection: &Connection) -> Outcome<(Key, Item)> {
    let key = connection_key(connection.user, connection.provider);
    Ok((key.clone(), to_item(&key, connection)?))
}

/// The connection is with this identity.
fn is_with(identity: IdentityHash) -> Condition {
    Condition::of("#identity = :identity", [(":identity", text(identity))]).naming("#identity", "identity")
}

/// There is no connection with another identity.
fn is_with_no_other(identity: IdentityHash) -> Condition {
    Condition::of("attribute_not_exists(pk) OR #identity = :identity", [(":identity", text(identity))])
        .naming("#identity", "identity")
}

#[async_trait]
impl Connections for Store {
    async fn by_identity(&self, identity: IdentityHash) -> Outcome<Option<UserId>> {
        let found: Option<IdentityOf> =
            self.get(identities::key_of(identity)).await?.map(from_item).transpose()?;
        Ok(found.map(|found| found.user))
    }

    async fn list(&self, user: UserId) -> Outcome<Vec<Connection>> {
        let all = ("!".to_owned(), "~".to_owned());
        let page = self.range_ascending(ItemKind::Connections, user, all, MOST).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn sign_in_methods(&self, user: UserId) -> Outcome<(Vec<Connection>, bool)> {
        let (connections, password) = tokio::try_join!(Connections::list(self, user), self.password(user))?;
        Ok((connections, password.is_some()))
    }

    async fn open_connected(&self, account: &ConnectedAccount, extras: TransactionExtras) -> Outcome<Opened> {
        let ConnectedAccount { user, address, connection, session } = account;
        let (user_key, user_item) = accounts::user_item(user)?;
        let (address_key, address_item) = accounts::address_item(*address, user.id)?;
        let (session_key, session_item) = sessions::session_item(session)?;
        let refused = self
            .transaction()
            .put("address", &address_key, address_item, Condition::absent())
            .put("user", &user_key, user_item, Condition::absent())
            .put("session", &session_key, session_item, Condition::absent())
            .connect(connection)?
            .extras(extras)?
            .commit()
            .await?;
        Ok(match refused {
            None => Opened::Yes,
            Some("address") => Opened::AddressTaken,
            Some(_) => Opened::Stale,
        })
    }

    async fn connect(
        &self,
        connection: &Connection,
        by: ConnectedBy,
        extras: TransactionExtras,
    ) -> Outcome<Connected> {
        let transaction = self
            .transaction()
            .check("account", &accounts::user_key(connection.user), Condition::present())
            .connect(connection)?;
        let key = disconnection_key(connection.user, connection.provider);
        let transaction = match by {
            ConnectedBy::User => transaction.delete("disconnected", &key, Condition::none()),
            ConnectedBy::Address => transaction.check("disconnected", &key, Condition::absent()),
        };
        let refused = transaction.extras(extras)?.commit().await?;
        Ok(match refused {
            None => Connected::Yes,
            Some("connection") => Connected::HasAnother,
            Some("disconnected") => Connected::WasDisconnected,
            Some(_) => Connected::Stale,
        })
    }

    async fn disconnect(
        &self,
        connection: &Connection,
        remains: OtherWay,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let key = connection_key(connection.user, connection.provider);
        let other = match remains {
            OtherWay::Password => accounts::password_key(connection.user),
            OtherWay::Connection(provider) => connection_key(connection.user, provider),
        };
        let own = identities::belongs_to(connection.user);
        let transaction = self
            .transaction()
            .delete("connection", &key, is_with(connection.identity))
            .delete("identity", &identities::key_of(connection.identity), own)
            .check("remains", &other, Condition::present());
        let key = disconnection_key(connection.user, connection.provider);
        let transaction = transaction.put("disconnected", &key, key.attributes(), Condition::none());
        let refused = transaction.extras(extras)?.commit().await?;
        Ok(refused.map_or(Saved::Yes, |_| Saved::Stale))
    }
}

/// Whether a key is a connection's.
pub fn is_connection(key: &Key) -> bool {
    key.pk.starts_with(ItemKind::Connections.prefix())
}

impl Transaction<'_> {
    /// Writes a connection and the entry of its identity. Labels: `connection`, `identity`.
    fn connect(self, connection: &Connection) -> Outcome<Self> {
        let (key, item) = connection_item(connection)?;
        let (identity_key, identity_item) = identities::item(connection)?;
        let free = accounts::belongs_to(connection.user);
        Ok(self.put("connection", &key, item, is_with_no_other(connection.identity)).put(
            "identity",
            &identity_key,
            identity_item,
            free,
        ))
    }
}
