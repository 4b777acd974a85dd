//! ApiKey.  Table `workspaces`: PK `KEYS#<workspace>`  SK `KEY#<key>`; PK `KEYHASH#<sha256>`  SK `KEYHASH` (lookup).
//! Reads: list a workspace's keys (query, newest first), one key (get), who holds a key (get by its hash, strongly
//! consistent: one unit, no KMS call).

use async_trait::async_trait;
use domain::{
    api_key::{ApiKey, KeyHolder},
    id::{KeyId, WorkspaceId},
    policy::ManagesKeys,
    ports::{Alongside, ApiKeys, Failure, Outcome, Page},
    secret::Digest256,
};
use tables::Items;

use crate::{
    Store,
    item::{Key, from_item, to_item},
    transaction::Condition,
    workspaces,
};

/// Where a key's record is.
pub(crate) fn key_of(workspace: WorkspaceId, key: KeyId) -> Key {
    Key::new(Items::Keys, workspace, format!("KEY#{key}"))
}

pub(crate) fn hash_key(hash: Digest256) -> Key {
    Key::new(Items::KeyHolders, hash.to_hex(), "KEYHASH")
}

#[async_trait]
impl ApiKeys for Store {
    async fn holder(&self, hash: Digest256) -> Outcome<Option<KeyHolder>> {
        self.get(hash_key(hash)).await?.map(from_item).transpose()
    }

    async fn list(
        &self,
        workspace: WorkspaceId,
        after: Option<KeyId>,
        limit: usize,
    ) -> Outcome<Page<ApiKey>> {
        // `KEY$` sorts right after every `KEY#…`.
        let newest = after.map_or("KEY$".to_owned(), |key| format!("KEY#{}", key.before()));
        let range = ("KEY#".to_owned(), newest);
        let page = self.range(Items::Keys, workspace, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }

    async fn find(&self, workspace: WorkspaceId, key: KeyId) -> Outcome<Option<ApiKey>> {
        self.get(key_of(workspace, key)).await?.map(from_item).transpose()
    }

    async fn create(
        &self,
        proof: &ManagesKeys,
        key: &ApiKey,
        holder: &KeyHolder,
        alongside: Alongside,
    ) -> Outcome<()> {
        let (record, lookup) = (key_of(proof.workspace(), key.id), hash_key(key.hash));
        let refused = self
            .transaction()
            // No key comes to be of a workspace that is being deleted.
            .check("workspace", &workspaces::key_of(proof.workspace()), Condition::present())
            .put("key", &record, to_item(&record, key)?, Condition::absent())
            .put("hash", &lookup, to_item(&lookup, holder)?, Condition::absent())
            .alongside(alongside)?
            .commit()
            .await?;
        match refused {
            None => Ok(()),
            Some("workspace") => Err(Failure::Raced),
            Some(label) => Err(Failure::Broken(format!("a random {label} exists already"))),
        }
    }

    async fn revoke(&self, proof: &ManagesKeys, key: &ApiKey, alongside: Alongside) -> Outcome<bool> {
        let transaction = self
            .transaction()
            .delete("key", &key_of(proof.workspace(), key.id), Condition::present())
            .delete("hash", &hash_key(key.hash), Condition::present());
        Ok(transaction.alongside(alongside)?.commit().await?.is_none())
    }
}
