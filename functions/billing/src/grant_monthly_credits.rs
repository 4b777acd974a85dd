//! `grant-monthly-credits`: adds the monthly credit of a plan to the wallet, once for each month of the plan, when the month begins or the
//! plan changes. The credit expires when the month ends. It is not added if the plan changes in that moment.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    id::WorkspaceId,
    permissions::worker_may_post_what_is_due,
    ports::{Failure, Outcome, Rounds, Saved, TransactionExtras, WalletWork, Wallets, Workspaces},
    wallet::{Cause, WalletTask},
};
use futures::{StreamExt as _, stream};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{wallet_work, wallets, workspaces},
    spec::Every,
    worker,
    worker::Event,
};

use crate::{
    due_work::{self, AT_A_TIME, WalletWorkReport},
    stored_wallet::StoredWallet,
};

/// Adds monthly credit.
pub struct GrantMonthlyCredits;

/// The ports that it uses.
pub struct Deps {
    wallets: Arc<dyn Wallets>,
    work: Arc<dyn WalletWork>,
    workspaces: Arc<dyn Workspaces>,
}

impl Worker for GrantMonthlyCredits {
    const SPEC: WorkerSpec = worker(
        "grant-monthly-credits",
        // The credit of the last month is gone when a month begins.
        Trigger::Schedule(Every::Minutes(5)),
        "Adds the monthly credit of plans",
        &[wallet_work::DUE, wallet_work::SETTLE, wallet_work::GRANT, workspaces::FIND, wallets::WITH_CAUSES],
    )
    .also(Trigger::Bus);
    type Deps = Deps;
    type Event = Event;
    type Result = WalletWorkReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { wallets: ports.wallets(), work: ports.wallet_work(), workspaces: ports.workspaces() }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Event) -> Result<WalletWorkReport, Failure> {
        if let Event::Message(message) = event {
            let changed = match message.detail.notice {
                DomainEvent::PlanChanged { workspace } => grant(deps, job, workspace).await,
                _ => Ok(Granted::Nothing),
            };
            return WalletWorkReport::of(stream::iter([changed.map(|granted| granted == Granted::Yes)]))
                .await;
        }
        let due = due_work::all(&*deps.work, WalletTask::Grant, job.now).await?;
        let results = stream::iter(due).map(async |due| {
            let granted = grant(deps, job, due.workspace).await?;
            if granted == Granted::NoWorkspace {
                deps.work.settle(&due).await?;
            }
            Ok(granted == Granted::Yes)
        });
        WalletWorkReport::of(results.buffer_unordered(AT_A_TIME)).await
    }
}

/// The result for a wallet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Granted {
    /// The wallet changed.
    Yes,
    /// It has all that it is to have.
    Nothing,
    /// There is no such workspace any more.
    NoWorkspace,
}

/// Adds the credit of the month to a wallet, and schedules the next month.
async fn grant(deps: &Deps, job: &RunContext, id: WorkspaceId) -> Outcome<Granted> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some(workspace) = deps.workspaces.find(id).await? else { return Ok(Granted::NoWorkspace) };
        let period = workspace.credit_period(job.now);
        let cause = period.map(|period| Cause::Monthly(period.starts));
        let (stored, booked) = deps.wallets.with_causes(id, cause.as_slice()).await?;
        let mut booking = StoredWallet::of(&workspace, stored).booking(job.now);
        let is_granted = booked.iter().any(Option::is_some);
        if let Some(period) = period.filter(|_| !is_granted) {
            booking.grant(&period).map_err(|refusal| {
                Failure::Broken(format!("the monthly credit of {id} is refused: {refusal:?}"))
            })?;
        }
        let next = period.map(|period| period.ends);
        // A run whose clock is behind must not bring back the month before.
        if !is_granted || booking.wallet().due.of(WalletTask::Grant) <= next {
            booking.schedule(WalletTask::Grant, next);
        }
        let Some(change) = booking.finish() else { return Ok(Granted::Nothing) };
        let (proof, extras) = (worker_may_post_what_is_due(), TransactionExtras::default());
        if deps.work.grant(&proof, &change, &workspace, extras).await? == Saved::Yes {
            return Ok(Granted::Yes);
        }
    }
}
