//! `expire-credits`: posts credit that expired. It decides nothing: expired credit can't be spent, whether or not this has run.

use std::sync::Arc;

use domain::{
    ports::{Failure, WalletWork, Wallets},
    wallet::{Wallet, WalletTask},
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
        let ports = (&*deps.wallets, &*deps.work);
        let results = stream::iter(due)
            .map(async |due| due_work::finish(ports, &due, job.now, Wallet::next_expiry).await)
            .buffer_unordered(AT_A_TIME);
        WalletWorkReport::of(results).await
    }
}
