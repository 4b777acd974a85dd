//! Numbers of followers, which no account owns: counts them again in the copies, and publishes them again once the copies serve.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use domain::{
    follow::{FollowedHash, FollowerCount},
    ports::Directory,
    region::Region,
    secret::Digest256,
};
use kit::ItemKind;
use serde::Deserialize;
use store::{
    DirectoryStore,
    tables::{PARTITION_KEY, SORT_KEY, Table},
};

use crate::{
    error::RestoreError,
    judge::is_of_erased,
    ledger::ErasureLedger,
    table_group::{StoredItem, TableGroup, count_key, text},
};

/// The relations of followers that are not erased, by the hash of the account.
#[derive(Debug, Default)]
pub struct Relations(HashMap<String, i64>);

/// The number of an account.
#[derive(Deserialize)]
struct StoredCount {
    pk: String,
    sk: String,
    #[serde(default)]
    followers: i64,
    #[serde(default)]
    version: u64,
}

impl Relations {
    /// Counts the relations in the copies.
    pub async fn count(copies: &TableGroup, ledger: &ErasureLedger) -> Result<Self, RestoreError> {
        let (kind, mut relations, mut after) = (ItemKind::Follows, HashMap::new(), None);
        loop {
            let (items, next) = copies.page(kind.table(), after).await?;
            for item in items {
                if ItemKind::of(kind.table(), text(&item, PARTITION_KEY)) != Some(kind) {
                    continue;
                }
                let Some(account) = text(&item, SORT_KEY).strip_prefix("ACCOUNT#") else { continue };
                if !is_of_erased(ledger, kind, &item)? {
                    *relations.entry(account.to_owned()).or_default() += 1;
                }
            }
            if next.is_none() {
                return Ok(Self(relations));
            }
            after = next;
        }
    }

    /// The item of a number as it has to be, if it is not that of the relations.
    pub fn corrected(&self, item: &StoredItem) -> Result<Option<StoredItem>, RestoreError> {
        let StoredCount { pk, followers, version, .. } = stored(item.clone())?;
        let account = pk.strip_prefix(ItemKind::FollowerCounts.prefix()).unwrap_or_default();
        let counted = self.0.get(account).copied().unwrap_or_default();
        if counted == followers {
            return Ok(None);
        }
        let mut corrected = item.clone();
        let number = |number: String| AttributeValue::N(number);
        corrected.insert("followers".to_owned(), number(counted.to_string()));
        corrected.insert("version".to_owned(), number(version.saturating_add(1).to_string()));
        Ok(Some(corrected))
    }
}

/// Publishes the numbers of a region whose tables were restored to an earlier time, and returns how many differ from the published
/// ones. A number gets a later version than the published one, which would stay otherwise. With `only_looks`, counts what would be
/// done.
///
/// # Errors
///
/// When a call fails or an item is invalid. The command can be repeated.
pub async fn settle_followers(
    tables: &TableGroup,
    (authority, directory): (&Client, &str),
    region: Region,
    only_looks: bool,
) -> Result<u64, RestoreError> {
    let writer = authority.clone();
    let store = DirectoryStore::new(authority.clone(), move || writer, directory.to_owned());
    let mut published_again = 0;
    let scan = authority.scan().table_name(directory).consistent_read(true);
    let mut items = scan.into_paginator().items().send();
    while let Some(item) = items.next().await {
        let item = item.map_err(RestoreError::call)?;
        let kind = ItemKind::of(Table::Directory, text(&item, PARTITION_KEY));
        if kind != Some(ItemKind::FollowerTotals) {
            continue;
        }
        let published = stored(item)?;
        let account = published.pk.strip_prefix(ItemKind::FollowerTotals.prefix()).unwrap_or_default();
        if published.sk != region.as_str() {
            continue;
        }
        let hash = Digest256::from_base64(account).map(FollowedHash).ok_or(RestoreError::InvalidName)?;
        let own = ItemKind::FollowerCounts.partition(account);
        let current = tables.follower_count(&own).await?;
        if current == (FollowerCount { followers: published.followers, version: published.version }) {
            continue;
        }
        published_again += 1;
        if only_looks {
            continue;
        }
        if current.version <= published.version {
            tables.raise_version(&own, published.version.saturating_add(1)).await?;
        }
        let current = tables.follower_count(&own).await?;
        store.publish_followers(hash, region, current).await.map_err(RestoreError::call)?;
    }
    Ok(published_again)
}

fn stored(item: StoredItem) -> Result<StoredCount, RestoreError> {
    serde_dynamo::from_item(item).map_err(RestoreError::call)
}

impl TableGroup {
    /// The number in a partition; without an item, none follow.
    async fn follower_count(&self, partition: &str) -> Result<FollowerCount, RestoreError> {
        let key = count_key(partition);
        let found = self.same_key(ItemKind::FollowerCounts.table(), &key).await?;
        let StoredCount { followers, version, .. } = match found {
            Some(item) => stored(item)?,
            None => return Ok(FollowerCount::default()),
        };
        Ok(FollowerCount { followers, version })
    }
}
