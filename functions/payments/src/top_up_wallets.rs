//! `top-up-wallets`: buys credit for wallets whose balance is low, on the default payment method, as a person agreed.
//!
//! A payment is stored in the wallet before Stripe is called, and its number makes the idempotency key: so each attempt to make it, by
//! any run, is the same payment. What Stripe answers ends it. Without an answer, the next run asks again.

use std::sync::Arc;

use crate::{
    applied_payment::{self, failed},
    changes::Changes,
};
use billing::due_work::{self, AT_A_TIME, WalletWorkReport};
use domain::{
    activity::{Action, ActivityEvent, Actor, ResourceType},
    domain_events::DomainEvent,
    id::WorkspaceId,
    payment::{IntentStatus, PaymentPurpose, PaymentTag},
    permissions::worker_may_book_payments,
    ports::{
        Failure, Outcome, PaymentError, Rounds, Saved, StepKey, TransactionExtras, WalletWork, Wallets,
        Workspaces,
    },
    wallet::{AutoTopUp, Booking, TopUpAttempt, TopUpPause, WalletDue, WalletTask},
    workspace::Workspace,
};
use futures::StreamExt as _;
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{extras, payment_records, payments, wallet_work, wallets, workspaces},
    spec::Every,
    worker,
    worker::Tick,
};

/// Buys credit for wallets whose balance is low.
pub struct TopUpWallets;

/// The ports.
pub struct Deps {
    changes: Changes,
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
    work: Arc<dyn WalletWork>,
}

impl Worker for TopUpWallets {
    const SPEC: WorkerSpec = worker(
        "top-up-wallets",
        Trigger::Schedule(Every::Minutes(1)),
        "Buys credit for wallets whose balance is low",
        &[
            wallet_work::DUE,
            wallet_work::SETTLE,
            workspaces::FIND,
            wallets::FIND,
            wallets::BOOK_DUE,
            payment_records::ACCOUNT,
            payment_records::PAYMENT,
            payment_records::BOOK_STORED,
            payments::BILLING_DETAILS,
            payments::CHARGE,
            payments::PAYMENT,
            extras::EVENT,
            extras::MESSAGE,
        ],
    );
    type Deps = Deps;
    type Event = Tick;
    type Result = WalletWorkReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            changes: Changes::of(ports),
            wallets: ports.wallets(),
            workspaces: ports.workspaces(),
            work: ports.wallet_work(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, _: Tick) -> Result<WalletWorkReport, Failure> {
        let due = due_work::all(&*deps.work, WalletTask::TopUp, job.now).await?;
        let results = futures::stream::iter(due)
            .map(async |due| deps.top_up(&due, job).await)
            .buffer_unordered(AT_A_TIME);
        WalletWorkReport::of(results).await
    }
}

/// The next step for a wallet.
enum Next {
    /// The payment is stored in the wallet: Stripe is asked to make it.
    Charge(TopUpAttempt),
    /// Nothing more.
    Done(bool),
    /// The wallet changed meanwhile.
    Again,
}

impl Deps {
    /// Tops up a wallet, if it is due. Whether the wallet changed.
    async fn top_up(&self, due: &WalletDue, job: &RunContext) -> Outcome<bool> {
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let Some(workspace) = self.workspaces.find(due.workspace).await? else {
                self.work.settle(due).await?;
                return Ok(false);
            };
            match self.next(due, &workspace, job).await? {
                Next::Charge(attempt) => return self.charge(&workspace, &attempt, job).await,
                Next::Done(changed) => return Ok(changed),
                Next::Again => {}
            }
        }
    }

    /// Begins a payment, or finds the one that was begun.
    async fn next(&self, due: &WalletDue, workspace: &Workspace, job: &RunContext) -> Outcome<Next> {
        let wallet = self.wallets.find(due.workspace).await?;
        let Some(wallet) = wallet.filter(|wallet| wallet.due.of(WalletTask::TopUp) == Some(due.at)) else {
            return Ok(Next::Done(false));
        };
        let is_due = wallet.top_up_due(job.now).is_some_and(|at| at <= job.now);
        let begun = wallet.auto_top_up.as_ref().and_then(|settings| settings.attempt.clone());
        if let Some(attempt) = begun.filter(|_| is_due) {
            return Ok(Next::Charge(attempt));
        }
        let method = if is_due { self.default_method(workspace.id).await? } else { None };
        let mut booking = Booking::begin(wallet, None, job.now);
        let mut extras = TransactionExtras::default();
        let mut attempt = None;
        if let Some(settings) = booking.top_ups().filter(|_| is_due) {
            match method {
                Some(method) => attempt = Some(settings.begin(method, job.now)),
                None => {
                    settings.pause(TopUpPause::NoPaymentMethod);
                    extras = paused(workspace, TopUpPause::NoPaymentMethod, job);
                }
            }
        }
        Ok(match (self.book(booking, extras, job).await?, attempt) {
            (Saved::Yes, Some(attempt)) => Next::Charge(attempt),
            (Saved::Yes, None) => Next::Done(true),
            (Saved::Stale, _) => Next::Again,
        })
    }

    /// The payment method that is charged when nobody is asked.
    async fn default_method(
        &self,
        workspace: WorkspaceId,
    ) -> Outcome<Option<domain::payment::PaymentMethodId>> {
        let Some(account) = self.changes.records.account(workspace).await? else { return Ok(None) };
        match self.changes.payments.billing_details(&account.customer).await? {
            Ok(details) => Ok(details.default_method),
            Err(PaymentError::NotFound) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Makes the payment, and books it or stores why it was not made.
    async fn charge(&self, workspace: &Workspace, attempt: &TopUpAttempt, job: &RunContext) -> Outcome<bool> {
        let Some(account) = self.changes.records.account(workspace.id).await? else {
            return self.end(workspace, attempt, |it| it.pause(TopUpPause::NoPaymentMethod), job).await;
        };
        let tag = PaymentTag {
            purpose: PaymentPurpose::AutoTopUp,
            workspace: workspace.id,
            region: job.region,
            amount: attempt.amount,
        };
        let step = StepKey(format!("auto-top-up-{}-{}", workspace.id, attempt.number));
        let charged = self.changes.payments.charge(&account.customer, &attempt.method, &tag, &step).await?;
        let end = match charged {
            Ok(intent) => match intent.status {
                IntentStatus::Succeeded => {
                    applied_payment::apply(&self.changes.of_payments(), &intent.id, job).await?;
                    return Ok(true);
                }
                // The event that ends it comes by the webhook.
                IntentStatus::Processing | IntentStatus::RequiresCapture => AutoTopUp::unanswered,
                _ => |it: &mut AutoTopUp, _| it.pause(TopUpPause::AuthenticationRequired),
            },
            Err(PaymentError::Declined(_)) => AutoTopUp::declined,
            Err(PaymentError::AuthenticationRequired) => {
                |it: &mut AutoTopUp, _| it.pause(TopUpPause::AuthenticationRequired)
            }
            Err(PaymentError::Unavailable | PaymentError::NotConfigured) => AutoTopUp::unanswered,
            Err(PaymentError::NotFound | PaymentError::Invalid(_) | PaymentError::Refused(_)) => {
                |it: &mut AutoTopUp, _| it.pause(TopUpPause::NoPaymentMethod)
            }
        };
        let now = job.now;
        self.end(workspace, attempt, |it| end(it, now), job).await
    }

    /// Stores the end of an attempt, unless another run did. A pause is told to the owner.
    async fn end(
        &self,
        workspace: &Workspace,
        attempt: &TopUpAttempt,
        change: impl Fn(&mut AutoTopUp) + Send,
        job: &RunContext,
    ) -> Outcome<bool> {
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let Some(wallet) = self.wallets.find(workspace.id).await? else { return Ok(false) };
            let mut booking = Booking::begin(wallet, None, job.now);
            let settings = booking.top_ups().filter(|settings| settings.attempt.as_ref() == Some(attempt));
            let Some(settings) = settings else { return Ok(false) };
            change(settings);
            let extras =
                settings.paused.map_or_else(TransactionExtras::default, |why| paused(workspace, why, job));
            if self.book(booking, extras, job).await? == Saved::Yes {
                return Ok(true);
            }
        }
    }

    /// Stores a change, and when a top-up is due next.
    async fn book(
        &self,
        mut booking: Booking,
        extras: TransactionExtras,
        job: &RunContext,
    ) -> Outcome<Saved> {
        let next = booking.wallet().top_up_due(job.now);
        booking.schedule(WalletTask::TopUp, next);
        let Some(change) = booking.finish() else { return Ok(Saved::Yes) };
        self.wallets.book(&worker_may_book_payments(), &change, extras).await
    }
}

/// The line in the history, and the message to the owner.
fn paused(workspace: &Workspace, reason: TopUpPause, job: &RunContext) -> TransactionExtras {
    let actor = Actor { user: workspace.owner, key: None };
    let event = job.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event: ActivityEvent = event.about(workspace.id, &workspace.handle);
    let details = [("by", "stripe"), ("autoTopUp", "paused")];
    event.metadata.extend(details.map(|(name, value)| (name.to_owned(), value.into())));
    let message = job.message(DomainEvent::TopUpsPaused { workspace: workspace.id, reason });
    TransactionExtras { event: Some(event), messages: vec![message], receipt: None }
}
