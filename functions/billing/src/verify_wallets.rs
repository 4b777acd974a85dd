//! `verify-wallets`: recomputes each wallet that changed since the day before from its postings, and fails if it differs, which sets off
//! an alarm. It goes on where it ended last, so that it reads each posting once.

use std::sync::Arc;

use domain::{
    ports::{Failure, Outcome, WalletVerification, WalletWork, Wallets},
    throttle::end_of_day,
    wallet::{Mismatch, Recomputation, Wallet, WalletDue, WalletTask},
};
use futures::{StreamExt as _, stream};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{wallet_work, wallets},
    spec::Every,
    worker,
    worker::Tick,
};

use crate::due_work::{self, AT_A_TIME, WalletWorkReport};

/// Recomputes wallets.
pub struct VerifyWallets;

/// The ports that it uses.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    work: Arc<dyn WalletWork>,
}

/// How many postings are read at a time.
const CHUNK: usize = 1_000;
/// How many postings of a wallet a run reads. The next run does the rest.
const MOST_POSTINGS: u64 = 20_000;

impl Worker for VerifyWallets {
    const SPEC: WorkerSpec = worker(
        "verify-wallets",
        Trigger::Schedule(Every::Hours(1)),
        "Recomputes wallets from their postings",
        &[
            wallet_work::DUE,
            wallet_work::SETTLE,
            wallet_work::VERIFIED,
            wallet_work::SAVE_VERIFIED,
            wallets::FIND,
            wallets::POSTINGS_AFTER,
            wallets::BOOK_DUE,
        ],
    );
    type Deps = Deps;
    type Event = Tick;
    type Result = WalletWorkReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), work: ports.wallet_work() }
    }

    async fn handle(deps: &Deps, job: &RunContext, _: Tick) -> Result<WalletWorkReport, Failure> {
        let due = due_work::all(&*deps.work, WalletTask::Verify, job.now).await?;
        let results = stream::iter(due).map(|due| verify(deps, job, due)).buffer_unordered(AT_A_TIME);
        WalletWorkReport::of(results).await
    }
}

/// Recomputes a wallet. Returns whether that is done.
async fn verify(deps: &Deps, job: &RunContext, due: WalletDue) -> Outcome<bool> {
    let id = due.workspace;
    let Some(wallet) = deps.wallets.find(id).await? else {
        deps.work.settle(&due).await?;
        return Ok(false);
    };
    if wallet.due.of(due.task) != Some(due.at) {
        // Another run did it.
        return Ok(false);
    }
    let before = deps.work.verified(id).await?.map(|before| before.sums);
    // After a restore, a wallet may have fewer postings than were recomputed.
    let before = before.filter(|sums| sums.number() <= wallet.postings);
    let sums = recompute(deps, &wallet, before.unwrap_or_default()).await?;
    let is_done = sums.number() == wallet.postings;
    if is_done {
        sums.end(&wallet).map_err(|mismatch| differs(&wallet, mismatch))?;
    }
    deps.work.save_verified(&WalletVerification { workspace: id, sums: sums.clone(), at: job.now }).await?;
    if is_done {
        // Due again when the wallet changes, or if it changed meanwhile.
        let next = |wallet: &Wallet| (wallet.postings > sums.number()).then(|| end_of_day(job.now));
        due_work::finish((&*deps.wallets, &*deps.work), &due, job.now, next).await?;
    }
    Ok(is_done)
}

/// Adds the next postings of a wallet to the sums.
async fn recompute(deps: &Deps, wallet: &Wallet, mut sums: Recomputation) -> Outcome<Recomputation> {
    let last = wallet.postings.min(sums.number().saturating_add(MOST_POSTINGS));
    while sums.number() < last {
        let page = deps.wallets.postings_after(wallet.workspace, sums.number(), CHUNK).await?;
        let first = sums.number();
        for posting in page.items.iter().take_while(|posting| posting.number <= last) {
            sums.add(posting).map_err(|mismatch| differs(wallet, mismatch))?;
        }
        if sums.number() == first {
            let number = first.saturating_add(1);
            return Err(differs(wallet, Mismatch { number, what: "number" }));
        }
    }
    Ok(sums)
}

/// Only the id of the workspace and what differs: a log must not have amounts.
fn differs(wallet: &Wallet, Mismatch { number, what }: Mismatch) -> Failure {
    let id = wallet.workspace;
    Failure::Broken(format!("the wallet of {id} differs from its postings at {number}: {what}"))
}
