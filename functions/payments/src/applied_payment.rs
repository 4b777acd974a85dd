//! Applies a payment as Stripe has it now to the wallet.
//!
//! Events come in any order, late, twice or never, so an event is only a hint. The payment is fetched after the record of it was
//! read, and stored if that record did not change meanwhile: so each stored state is newer than the one before it.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    domain_events::DomainEvent,
    id::WorkspaceId,
    payment::{Cents, Payment, PaymentIntent, PaymentIntentId, PaymentTag},
    permissions::worker_may_book_payments,
    ports::{
        Failure, Outcome, PaymentError, PaymentRecords, Payments, Rounds, Saved, TransactionExtras, Wallets,
        Workspaces,
    },
    referral::{FormerReferral, FriendHash},
    wallet::{Booking, StoredWallet, TopUpPause, Wallet},
    workspace::Workspace,
};
use kit::RunContext;
use serde::Serialize;

/// The result of applying a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applied {
    /// The wallet or the record changed.
    Changed,
    /// Everything was stored already.
    Unchanged,
    /// It is no payment of a workspace of this region.
    NotOurs,
}

/// The ports.
pub struct PaymentPorts<'a> {
    /// Stripe.
    pub payments: &'a dyn Payments,
    /// Customers and payments of the platform.
    pub records: &'a dyn PaymentRecords,
    /// The wallets.
    pub wallets: &'a dyn Wallets,
    /// The workspaces.
    pub workspaces: &'a dyn Workspaces,
}

/// The stored payment, and where it is booked.
struct Stored {
    workspace: Workspace,
    payment: Option<Payment>,
    wallet: StoredWallet,
}

/// The records that a payment changes.
enum Found {
    /// Those of the workspace.
    Stored(Box<Stored>),
    /// The referral of a friend whose account was deleted.
    Former(Box<FormerReferral>),
}

/// Applies the payment with this id.
pub async fn apply(ports: &PaymentPorts<'_>, id: &PaymentIntentId, job: &RunContext) -> Outcome<Applied> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let Some((first, tag)) = ours(ports, id, job).await? else { return Ok(Applied::NotOurs) };
        let Some(found) = ports.read(&first, tag.workspace, job.now).await? else {
            return Ok(Applied::NotOurs);
        };
        // Without a record, nothing newer can have been stored before the first fetch.
        let intent = match &found {
            Found::Stored(stored) if stored.payment.is_none() => first,
            Found::Stored(_) | Found::Former(_) => match ours(ports, id, job).await? {
                Some((again, _)) => again,
                None => return Ok(Applied::NotOurs),
            },
        };
        let saved = match found {
            Found::Stored(stored) => ports.book(*stored, &intent, tag, job).await?,
            Found::Former(former) => ports.count_former(&former, &intent, tag.workspace, job).await?,
        };
        match saved {
            Some(Saved::Yes) => return Ok(Applied::Changed),
            Some(Saved::Stale) => {}
            None => return Ok(Applied::Unchanged),
        }
    }
}

/// The payment, if it is one of this region.
async fn ours(
    ports: &PaymentPorts<'_>,
    id: &PaymentIntentId,
    job: &RunContext,
) -> Outcome<Option<(PaymentIntent, PaymentTag)>> {
    let intent = match ports.payments.payment(id).await? {
        Ok(intent) => intent,
        Err(PaymentError::NotFound) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let tag = intent.tag.filter(|tag| tag.region == job.region);
    Ok(tag.map(|tag| (intent, tag)))
}

/// A failure of Stripe, for the retry of the message.
pub fn failed(error: PaymentError) -> Failure {
    match error {
        PaymentError::Unavailable | PaymentError::NotConfigured => {
            Failure::Unavailable { service: "stripe", detail: format!("{error:?}") }
        }
        other => Failure::Broken(format!("Stripe refused a request of a worker: {other:?}")),
    }
}

impl PaymentPorts<'_> {
    /// The records. `None`: the payment is of another customer than the workspace's, or the workspace is gone and has left none.
    async fn read(&self, intent: &PaymentIntent, id: WorkspaceId, now: Timestamp) -> Outcome<Option<Found>> {
        let (workspace, account, payment, wallet) = futures::try_join!(
            self.workspaces.find(id),
            self.records.account(id),
            self.records.payment(id, &intent.id),
            self.wallets.find(id),
        )?;
        let Some(workspace) = workspace else { return self.read_former(intent, id, wallet, now).await };
        let customer = account.map(|account| account.customer);
        if customer.is_none() || customer != intent.customer {
            log_unassigned(intent, id);
            return Ok(None);
        }
        let wallet = StoredWallet::of(&workspace, wallet);
        Ok(Some(Found::Stored(Box::new(Stored { workspace, payment, wallet }))))
    }

    /// The record of a deleted workspace.
    async fn read_former(
        &self,
        intent: &PaymentIntent,
        id: WorkspaceId,
        wallet: Option<Wallet>,
        now: Timestamp,
    ) -> Outcome<Option<Found>> {
        if wallet.is_some_and(|wallet| wallet.referral.is_some()) {
            // The deletion is under way and keeps the referral: the message is delivered again.
            return Err(Failure::Raced);
        }
        let former = self.records.former_referral(FriendHash::of(id), now).await?;
        if former.is_none() {
            log_unassigned(intent, id);
        }
        Ok(former.map(|former| Found::Former(Box::new(former))))
    }

    /// Counts what counts of a payment now for the referral of a friend whose account was deleted. `None`: nothing changed.
    async fn count_former(
        &self,
        former: &FormerReferral,
        intent: &PaymentIntent,
        friend: WorkspaceId,
        job: &RunContext,
    ) -> Outcome<Option<Saved>> {
        let Ok(counts) = intent.counts() else { return Ok(None) };
        if counts > Cents::ZERO && !former.may_know(&intent.id) {
            // It was paid after the deletion.
            log_unassigned(intent, friend);
        }
        let Some(counted) = former.counted(&intent.id, counts) else { return Ok(None) };
        let has_changed = counted.referral.changes != former.referral.changes;
        let message = has_changed.then(|| job.message(DomainEvent::ReferralChanged { workspace: friend }));
        let extras = TransactionExtras::default().with(message);
        self.records.save_former_referral(&counted, extras).await.map(Some)
    }

    /// Books what counts of the payment now. `None`: nothing changed.
    async fn book(
        &self,
        stored: Stored,
        intent: &PaymentIntent,
        tag: PaymentTag,
        job: &RunContext,
    ) -> Outcome<Option<Saved>> {
        let Stored { workspace, payment: before, wallet } = stored;
        let counted = match intent.counts() {
            Ok(counted) => counted,
            Err(mismatch) => {
                // Nothing that the platform does again helps: an alarm counts such lines, and somebody refunds the payment.
                tracing::error!(defect = "payment that is not as agreed", payment = %intent.id, ?mismatch);
                return Ok(None);
            }
        };
        let Some(payment) = next(before.as_ref(), intent, counted, tag, job) else { return Ok(None) };
        let mut booking = wallet.booking(job.now);
        let (paused_before, changes_before) = (pause(&booking), referral_changes(&booking));
        let posting = booking.count_payment(&payment, before.map_or(Cents::ZERO, |before| before.counted));
        let posting = posting.map_err(|refusal| {
            Failure::Broken(format!("{}: the wallet refuses it: {refusal:?}", intent.id))
        })?;
        let event = posting.map(|posting| event(job, &workspace, posting.number));
        let paused = pause(&booking).filter(|now| paused_before != Some(*now));
        let paused = paused.map(|reason| DomainEvent::TopUpsPaused { workspace: workspace.id, reason });
        let rewards = (referral_changes(&booking) != changes_before)
            .then_some(DomainEvent::ReferralChanged { workspace: workspace.id });
        let messages = paused.into_iter().chain(rewards).map(|notice| job.message(notice)).collect();
        let extras = TransactionExtras { event, messages, receipt: None };
        let (proof, change) = (worker_may_book_payments(), booking.finish());
        self.records.book(&proof, &payment, change.as_ref(), extras).await.map(Some)
    }
}

/// Logs a payment that no workspace gets credit for.
fn log_unassigned(intent: &PaymentIntent, workspace: WorkspaceId) {
    tracing::error!(payment = %intent.id, %workspace, "a payment is of no customer of the workspace");
}

/// Why automatic top-ups are paused, if they are.
fn pause(booking: &Booking) -> Option<TopUpPause> {
    booking.wallet().auto_top_up.as_ref().and_then(|settings| settings.paused)
}

/// How often the referral of the workspace's owner changed, if there is one.
fn referral_changes(booking: &Booking) -> Option<u32> {
    booking.wallet().referral.as_ref().map(|referral| referral.changes)
}

/// The record of a payment after this state of it. `None`: it is the same.
fn next(
    before: Option<&Payment>,
    intent: &PaymentIntent,
    counted: Cents,
    tag: PaymentTag,
    job: &RunContext,
) -> Option<Payment> {
    let PaymentIntent { received, refunded, disputed, .. } = *intent;
    let (counted_before, changes, version, seen_at) =
        before.map_or((Cents::ZERO, 0, 0, job.now), |it| (it.counted, it.changes, it.version, it.seen_at));
    let same = before.map_or(received == Cents::ZERO, |it| {
        (it.received, it.refunded, it.disputed) == (received, refunded, disputed)
    });
    if same {
        return None;
    }
    Some(Payment {
        workspace: tag.workspace,
        intent: intent.id.clone(),
        purpose: tag.purpose,
        received,
        refunded,
        disputed,
        counted,
        changes: changes.saturating_add(u32::from(counted != counted_before)),
        version: version.saturating_add(1),
        seen_at,
        changed_at: job.now,
    })
}

/// The line in the history. An actor is a user: the owner, with a note that Stripe acted. The amount is in the transaction, which fewer
/// people may read.
fn event(job: &RunContext, workspace: &Workspace, transaction: u64) -> ActivityEvent {
    let actor = Actor { user: workspace.owner, key: None };
    let event = job.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let details = [("by", "stripe".into()), ("transaction", transaction.into())];
    event.metadata.extend(details.map(|(name, value)| (name.to_owned(), value)));
    event
}
