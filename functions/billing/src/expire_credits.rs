//! `expire-credits`: posts credit that expired. It decides nothing: expired credit can't be spent, whether or not this has run.

use std::sync::Arc;

use domain::{
    permissions::worker_may_post_what_is_due,
    ports::{Failure, Outcome, Rounds, Saved, TransactionExtras, WalletWork, Wallets},
    wallet::{Booking, WalletDue, WalletTask},
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

/// Posts credit that expired.
pub struct ExpireCredits;

/// The ports that it uses.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    work: Arc<dyn WalletWork>,
}

impl Worker for ExpireCredits {
    const SPEC: WorkerSpec = worker(
        "expire-credits",
        Trigger::Schedule(Every::Hours(1)),
        "Posts credit that expired",
        &[wallet_work::DUE, wallet_work::SETTLE, wallets::FIND, wallets::BOOK_DUE],
    );
    type Deps = Deps;
    type Event = Tick;
    type Result = WalletWorkReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), work: ports.wallet_work() }
    }

    async fn handle(deps: &Deps, job: &RunContext, _: Tick) -> Result<WalletWorkReport, Failure> {
        let due = due_work::all(&*deps.work, WalletTask::Expire, job.now).await?;
        let results = stream::iter(due).map(|due| expire(deps, job, due)).buffer_unordered(AT_A_TIME);
        WalletWorkReport::of(results).await
    }
}

/// Posts what expired of a wallet, and schedules what expires next.
async fn expire(deps: &Deps, job: &RunContext, due: WalletDue) -> Outcome<bool> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(wallet) = deps.wallets.find(due.workspace).await? else {
            deps.work.settle(&due).await?;
            return Ok(false);
        };
        if wallet.due.of(due.task) != Some(due.at) {
            // Another run did it.
            return Ok(false);
        }
        let mut booking = Booking::begin(wallet, None, job.now);
        let next = booking.wallet().next_expiry();
        booking.schedule(due.task, next);
        let Some(change) = booking.finish() else { return Ok(false) };
        let proof = worker_may_post_what_is_due();
        if deps.wallets.book(&proof, &change, TransactionExtras::default()).await? == Saved::Yes {
            return Ok(true);
        }
    }
}
