//! Due work on wallets, for its workers.

use domain::{
    Timestamp,
    permissions::worker_may_post_what_is_due,
    ports::{Failure, Outcome, Rounds, Saved, TransactionExtras, WalletWork, Wallets},
    wallet::{Booking, WALLET_DUE_PARTS, Wallet, WalletDue, WalletTask},
};
use futures::{Stream, StreamExt as _};
use serde::Serialize;

/// How many wallets of a partition a run reads. The next run does the rest.
const MOST_OF_A_PART: usize = 500;
/// How many wallets a run works on at a time.
pub const AT_A_TIME: usize = 8;

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub struct WalletWorkReport {
    /// Wallets that changed.
    changed: usize,
    /// Wallets for which nothing was left to do.
    unchanged: usize,
}

/// The due work of a task, the longest due first in each partition.
pub async fn all(work: &dyn WalletWork, task: WalletTask, now: Timestamp) -> Outcome<Vec<WalletDue>> {
    let parts = (0..WALLET_DUE_PARTS).map(|part| work.due(task, part, now, None, MOST_OF_A_PART));
    let pages = futures::future::try_join_all(parts).await?;
    Ok(pages.into_iter().flat_map(|page| page.items).collect())
}

/// Posts what expired of a wallet, and sets when its task is due `next`. Whether the wallet changed; it does not if another run did the
/// work, or if the wallet is gone, whose note is deleted.
pub async fn finish(
    (wallets, work): (&dyn Wallets, &dyn WalletWork),
    due: &WalletDue,
    now: Timestamp,
    next: impl Fn(&Wallet) -> Option<Timestamp>,
) -> Outcome<bool> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(wallet) = wallets.find(due.workspace).await? else {
            work.settle(due).await?;
            return Ok(false);
        };
        if wallet.due.of(due.task) != Some(due.at) {
            return Ok(false);
        }
        let mut booking = Booking::begin(wallet, None, now);
        let next = next(booking.wallet());
        booking.schedule(due.task, next);
        let Some(change) = booking.finish() else { return Ok(false) };
        let proof = worker_may_post_what_is_due();
        if wallets.book(&proof, &change, TransactionExtras::default()).await? == Saved::Yes {
            return Ok(true);
        }
    }
}

impl WalletWorkReport {
    /// Counts the results: whether each wallet changed. One that fails stays due, and the others are done all the same.
    pub async fn of(results: impl Stream<Item = Outcome<bool>>) -> Result<Self, Failure> {
        let (mut report, mut failed) = (Self::default(), None);
        let mut results = std::pin::pin!(results);
        while let Some(result) = results.next().await {
            match result {
                Ok(true) => report.changed = report.changed.saturating_add(1),
                Ok(false) => report.unchanged = report.unchanged.saturating_add(1),
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(report), Err)
    }
}
