//! Followed account.  Table `workspaces`: PK `FOLLOWS#<user>`  SK `ACCOUNT#<account hash>`, and `COUNT` (the number of accounts
//! that the user follows); PK `FOLLOWED#<account hash>`  SK `COUNT` (the number of the region's users who follow the account).
//! Reads: whether a user follows an account (get), the accounts of a user (query), the number of an account (get), all strongly
//! consistent.
//! Writes: one transaction puts or deletes the relation, and changes both numbers.

use async_trait::async_trait;
use domain::{
    Timestamp,
    follow::{Follow, FollowedHash, FollowerCount, MOST},
    id::UserId,
    ports::{Failure, Followed, Follows, Outcome, TransactionExtras},
    secret::Digest256,
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, number, to_item},
    lists::sort_key,
    transaction::{Condition, Transaction},
};

/// The beginning of the sort keys of relations.
const ACCOUNT: &str = "ACCOUNT#";

/// What the item of a relation holds.
#[derive(Serialize, Deserialize)]
struct FollowItem {
    followed_at: Timestamp,
}

fn relation_key(user: UserId, account: FollowedHash) -> Key {
    Key::new(ItemKind::Follows, user, format!("{ACCOUNT}{account}"))
}

fn own_count_key(user: UserId) -> Key {
    Key::new(ItemKind::Follows, user, "COUNT")
}

fn count_key(account: FollowedHash) -> Key {
    Key::new(ItemKind::FollowerCounts, account, "COUNT")
}

/// The account that a sort key names, if it is a relation's.
fn account_in(sort_key: &str) -> Option<FollowedHash> {
    sort_key.strip_prefix(ACCOUNT).and_then(Digest256::from_base64).map(FollowedHash)
}

/// The user follows fewer than the most accounts.
fn has_room() -> Condition {
    let room = "attribute_not_exists(followed) OR followed < :most";
    Condition::of(room, [(":most", number(MOST))])
}

fn follow_of(item: Item) -> Outcome<Follow> {
    let account = sort_key(&item).and_then(account_in);
    let account = account.ok_or_else(|| Failure::Broken("a relation's key that holds no hash".to_owned()))?;
    let FollowItem { followed_at } = from_item(item)?;
    Ok(Follow { account, followed_at })
}

#[async_trait]
impl Follows for Store {
    async fn is_followed(&self, user: UserId, account: FollowedHash) -> Outcome<bool> {
        Ok(self.get(relation_key(user, account)).await?.is_some())
    }

    async fn follow(
        &self,
        user: UserId,
        account: FollowedHash,
        now: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Followed> {
        let key = relation_key(user, account);
        let item = to_item(&key, &FollowItem { followed_at: now })?;
        // The relation comes first: following again succeeds at the limit, too.
        let transaction = self
            .transaction()
            .put("relation", &key, item, Condition::absent())
            .count_followed(user, 1, has_room())
            .count_follower(account, 1);
        Ok(match transaction.extras(extras)?.commit().await? {
            None | Some("relation") => Followed::Yes,
            Some(_) => Followed::LimitReached,
        })
    }

    async fn unfollow(&self, user: UserId, account: FollowedHash, extras: TransactionExtras) -> Outcome<()> {
        let transaction = self
            .transaction()
            .delete("relation", &relation_key(user, account), Condition::present())
            .count_followed(user, -1, Condition::none())
            .count_follower(account, -1);
        // A refusal means that the user does not follow the account.
        transaction.extras(extras)?.commit().await?;
        Ok(())
    }

    async fn list(&self, user: UserId, limit: usize) -> Outcome<Vec<Follow>> {
        // `ACCOUNT$` sorts right after every `ACCOUNT#…`.
        let range = (ACCOUNT.to_owned(), "ACCOUNT$".to_owned());
        let items = self.items_up(ItemKind::Follows, user, range, limit).await?;
        items.into_iter().map(follow_of).collect()
    }

    async fn followers(&self, account: FollowedHash) -> Outcome<FollowerCount> {
        self.get(count_key(account)).await?.map_or(Ok(FollowerCount::default()), from_item)
    }
}

impl Store {
    /// Deletes the relations among these keys of a deleted user, each with the number that it counts in. Their numbers are published
    /// with the next change.
    pub(crate) async fn erase_relations(&self, keys: &[Key]) -> Outcome<()> {
        for key in keys {
            let Some(account) = account_in(&key.sk) else { continue };
            let relation = self.transaction().delete("relation", key, Condition::present());
            relation.count_follower(account, -1).commit().await?;
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Changes how many accounts a user follows. Label: `limit`.
    fn count_followed(self, user: UserId, more: i64, condition: Condition) -> Self {
        let more = [(":more".to_owned(), number(more))];
        self.update("limit", &own_count_key(user), "ADD followed :more", more, condition)
    }

    /// Changes how many users of the region follow an account. Label: `followers`.
    fn count_follower(self, account: FollowedHash, more: i64) -> Self {
        let values = [(":more".to_owned(), number(more)), (":one".to_owned(), number(1))];
        let add = "ADD followers :more, version :one";
        self.update("followers", &count_key(account), add, values, Condition::none())
    }
}
