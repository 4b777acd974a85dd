//! Work on wallets, by the time at which it is due, and how far each wallet was recomputed.  Table `billing`: PK
//! `WALLETSDUE#<task>#<part>`  SK `<13 digits of milliseconds>#<workspace>`; the part derives from the workspace's id; PK
//! `VERIFIED#<workspace>`  SK `VERIFIED`.
//! Reads: the due work of one part (query, the longest due first), how far a wallet was recomputed (get), both strongly consistent.
//! Writes: a put and a delete in the transaction that changes the wallet, whose record says what is due.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::WorkspaceId,
    permissions::ChangesWallets,
    ports::{Outcome, Page, Saved, TransactionExtras, WalletVerification, WalletWork},
    wallet::{WALLET_DUE_PARTS, Wallet, WalletChange, WalletDue, WalletTask},
    workspace::Workspace,
};
use tables::ItemKind;

use crate::{
    client::Store,
    failure::failure,
    item::{Key, from_item, to_item},
    retry::spread,
    transaction::{Condition, Transaction},
    workspaces,
};

fn key_of(due: &WalletDue) -> Key {
    let id = due.workspace.to_string();
    // Most of an id is random, so that its characters' sum is anything.
    let part = id.bytes().fold(0, u8::wrapping_add) % WALLET_DUE_PARTS;
    let sk = format!("{:013}#{id}", due.at.as_millisecond());
    Key::new(ItemKind::WalletsDue, partition(due.task, part), sk)
}

fn partition(task: WalletTask, part: u8) -> String {
    format!("{}#{part}", task.as_str())
}

fn verified_key(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Verifications, workspace, "VERIFIED")
}

#[async_trait]
impl WalletWork for Store {
    async fn due(
        &self,
        task: WalletTask,
        part: u8,
        now: Timestamp,
        after: Option<WalletDue>,
        limit: usize,
    ) -> Outcome<Page<WalletDue>> {
        // A space sorts before all that could follow a key, and `$` right after every `#…`.
        let from = after.map_or("0".to_owned(), |due| format!("{} ", key_of(&due).sk));
        let range = (from, format!("{:013}$", now.as_millisecond()));
        let page = self.range_ascending(ItemKind::WalletsDue, partition(task, part), range, limit).await?;
        Ok(Page { items: page.items.into_iter().map(from_item).collect::<Outcome<_>>()?, more: page.more })
    }

    async fn settle(&self, due: &WalletDue) -> Outcome<()> {
        self.delete(&key_of(due)).await
    }

    async fn grant(
        &self,
        _proof: &ChangesWallets,
        change: &WalletChange,
        workspace: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let same_plan = workspaces::has_terms_of(workspace)?;
        let transaction = self.transaction().book_in_workspace(change)?;
        let transaction = transaction.check("plan", &workspaces::key_of(workspace.id), same_plan);
        let saved = transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale);
        if saved == Saved::Stale {
            spread().await;
        }
        Ok(saved)
    }

    async fn verified(&self, workspace: WorkspaceId) -> Outcome<Option<WalletVerification>> {
        self.get(verified_key(workspace)).await?.map(from_item).transpose()
    }

    async fn save_verified(&self, verification: &WalletVerification) -> Outcome<()> {
        let key = verified_key(verification.workspace);
        let item = to_item(&key, verification)?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        request.send().await.map_err(failure)?;
        Ok(())
    }
}

impl Transaction<'_> {
    /// Moves what is due of a wallet to its new times.
    pub fn reschedule(mut self, WalletChange { wallet, due_before, .. }: &WalletChange) -> Outcome<Self> {
        let workspace = wallet.workspace;
        for (task, before, after) in due_before.difference(&wallet.due) {
            if let Some(at) = before {
                self = self.delete("due", &key_of(&WalletDue { workspace, task, at }), Condition::none());
            }
            if let Some(at) = after {
                let due = WalletDue { workspace, task, at };
                let key = key_of(&due);
                self = self.put("due", &key, to_item(&key, &due)?, Condition::none());
            }
        }
        Ok(self)
    }
}

impl Store {
    /// Deletes the scheduled work of the wallets among the records with these keys. Only a wallet leads to it, so it goes first.
    pub(crate) async fn erase_wallet_work(&self, keys: &[Key]) -> Outcome<()> {
        let wallets: Vec<Key> = keys.iter().filter(|key| key.sk == "WALLET").cloned().collect();
        for item in self.get_all(&wallets).await?.into_iter().flatten() {
            let wallet: Wallet = from_item(item)?;
            let due =
                |task| wallet.due.of(task).map(|at| WalletDue { workspace: wallet.workspace, task, at });
            let notes: Vec<Key> =
                WalletTask::ALL.into_iter().filter_map(due).map(|due| key_of(&due)).collect();
            self.delete_all(&notes).await?;
        }
        Ok(())
    }
}
