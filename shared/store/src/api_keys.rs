//! ApiKey.  Table `workspaces`: PK `KEYS#<workspace>`  SK `KEY#<key>`; PK `KEYHASH#<sha256>`  SK `KEYHASH` (lookup).
//! Reads: list a workspace's keys (query, newest first), one key (get), the holder of a key (get by its hash, strongly
//! consistent: one unit, no KMS call).

use async_trait::async_trait;
use domain::{
    api_key::{ApiKey, KeyHolder},
    id::{KeyId, WorkspaceId},
    permissions::{MakesKeys, ManagesKeys},
    ports::{ApiKeys, Failure, Outcome, Page, TransactionExtras},
    secret::Digest256,
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, to_item},
    transaction::Condition,
    workspaces,
};

/// The key of an API key's record.
pub(crate) fn key_of(workspace: WorkspaceId, key: KeyId) -> Key {
    Key::new(ItemKind::Keys, workspace, format!("KEY#{key}"))
}

pub(crate) fn hash_key(hash: Digest256) -> Key {
    Key::new(ItemKind::KeyHolders, hash.to_hex(), "KEYHASH")
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
        let page = self.range(ItemKind::Keys, workspace, range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }

    async fn find(&self, workspace: WorkspaceId, key: KeyId) -> Outcome<Option<ApiKey>> {
        self.get(key_of(workspace, key)).await?.map(from_item).transpose()
    }

    async fn create(
        &self,
        proof: &MakesKeys,
        key: &ApiKey,
        holder: &KeyHolder,
        extras: TransactionExtras,
    ) -> Outcome<()> {
        let (record, lookup) = (key_of(proof.workspace(), key.id), hash_key(key.hash));
        let refused = self
            .transaction()
            // A workspace that is being deleted gets no keys.
            .check("workspace", &workspaces::key_of(proof.workspace()), Condition::present())
            .put("key", &record, to_item(&record, key)?, Condition::absent())
            .put("hash", &lookup, to_item(&lookup, holder)?, Condition::absent())
            .extras(extras)?
            .commit()
            .await?;
        match refused {
            None => Ok(()),
            Some("workspace") => Err(Failure::Raced),
            Some(label) => Err(Failure::Broken(format!("a random {label} exists already"))),
        }
    }

    async fn revoke(&self, proof: &ManagesKeys, key: &ApiKey, extras: TransactionExtras) -> Outcome<bool> {
        let transaction = self
            .transaction()
            .delete("key", &key_of(proof.workspace(), key.id), Condition::present())
            .delete("hash", &hash_key(key.hash), Condition::present());
        Ok(transaction.extras(extras)?.commit().await?.is_none())
    }
}
