//! Work on wallets by the time at which it is due.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    id::WorkspaceId,
    permissions::ChangesWallets,
    wallet::{Recomputation, WalletChange, WalletDue, WalletTask},
    workspace::Workspace,
};

/// How far a wallet was recomputed from its postings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WalletVerification {
    /// The wallet's workspace.
    pub workspace: WorkspaceId,
    /// The sums of the postings until then.
    pub sums: Recomputation,
    /// When they were recomputed.
    pub at: Timestamp,
}

/// Work on wallets by the time at which it is due, for workers. Every read is strongly consistent.
#[async_trait]
pub trait WalletWork: Send + Sync {
    /// Due work of a task, of one of the [`WALLET_DUE_PARTS`](crate::wallet::WALLET_DUE_PARTS), after `after`, the longest due first.
    async fn due(
        &self,
        task: WalletTask,
        part: u8,
        now: Timestamp,
        after: Option<WalletDue>,
        limit: usize,
    ) -> Outcome<Page<WalletDue>>;
    /// Deletes the note of work on a wallet that is gone.
    async fn settle(&self, due: &WalletDue) -> Outcome<()>;
    /// Stores a change that depends on the plan, if the plan has the terms of `workspace` still. [`Saved::Stale`]: it has not, or as
    /// for [`Wallets::book`](super::Wallets::book).
    async fn grant(
        &self,
        proof: &ChangesWallets,
        change: &WalletChange,
        workspace: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// How far a wallet was recomputed.
    async fn verified(&self, workspace: WorkspaceId) -> Outcome<Option<WalletVerification>>;
    /// Stores how far a wallet was recomputed.
    async fn save_verified(&self, verification: &WalletVerification) -> Outcome<()>;
}
