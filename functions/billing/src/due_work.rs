//! Due work on wallets, for its workers.

use domain::{
    Timestamp,
    ports::{Failure, Outcome, WalletWork},
    wallet::{WALLET_DUE_PARTS, WalletDue, WalletTask},
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
