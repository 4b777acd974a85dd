//! Wallets and their postings.

use async_trait::async_trait;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    id::WorkspaceId,
    permissions::ChangesWallets,
    promotion::{PromoCode, Promotion},
    wallet::{Booked, Cause, Posting, Wallet, WalletChange},
};

/// The result of redeeming a promo code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The credit is there.
    Yes,
    /// The wallet changed since it was read, or the code was redeemed for it.
    Stale,
    /// The most people redeemed the code.
    UsedUp,
}

/// Promo codes of a region.
#[async_trait]
pub trait Promotions: Send + Sync {
    /// The promotion with this code.
    async fn find(&self, code: &PromoCode) -> Outcome<Option<Promotion>>;
    /// Stores a promotion. [`Saved::Stale`]: the code is in use.
    async fn create(&self, promotion: &Promotion) -> Outcome<Saved>;
}

/// Wallets and their postings. Every read is strongly consistent.
#[async_trait]
pub trait Wallets: Send + Sync {
    /// A workspace's wallet; `None` if it has none yet.
    async fn find(&self, workspace: WorkspaceId) -> Outcome<Option<Wallet>>;
    /// The wallet, and what it remembers of these causes, in one read.
    async fn with_causes(
        &self,
        workspace: WorkspaceId,
        causes: &[Cause],
    ) -> Outcome<(Option<Wallet>, Vec<Option<Booked>>)>;
    /// One posting.
    async fn posting(&self, workspace: WorkspaceId, number: u64) -> Outcome<Option<Posting>>;
    /// Up to `limit` postings, newest first, from `newest` on (`None`: the last one).
    async fn postings(
        &self,
        workspace: WorkspaceId,
        newest: Option<u64>,
        limit: usize,
    ) -> Outcome<Page<Posting>>;
    /// Up to `limit` postings after a number, oldest first.
    async fn postings_after(
        &self,
        workspace: WorkspaceId,
        after: u64,
        limit: usize,
    ) -> Outcome<Page<Posting>>;
    /// Stores a change that redeems a promo code.
    async fn redeem(
        &self,
        proof: &ChangesWallets,
        change: &WalletChange,
        promotion: &Promotion,
        extras: TransactionExtras,
    ) -> Outcome<Redeemed>;
    /// Stores a change. The first time, the workspace must exist. [`Saved::Stale`]: the wallet changed since it was read, or one of
    /// the causes is known already.
    async fn book(
        &self,
        proof: &ChangesWallets,
        change: &WalletChange,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
}
