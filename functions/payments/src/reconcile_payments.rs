//! `reconcile-payments`: finds what the webhook missed. Every hour, it lists the events at Stripe since the last run, and applies those
//! that were not received; once a day, it compares the payments of the last days. Missing events and differences are repaired, and
//! logged as a defect, for which there is an alarm.

use std::collections::HashSet;

use domain::{
    Timestamp,
    payment::{PaymentIntentId, PaymentSubject, StripeEvent, StripeEventId},
    ports::{Failure, Outcome, PaymentError, Reconciled, TransactionExtras},
};
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{extras, payment_records, payments, wallets, workspaces},
    spec::Every,
    worker,
    worker::Tick,
};
use serde::Serialize;

use crate::{
    applied_payment::{Applied, failed},
    changes::Changes,
    webhook::is_ours,
};

/// How far back the first run looks. Stripe lists the events of 30 days.
const FIRST: SignedDuration = SignedDuration::from_hours(29 * 24);
/// What a run looks at again: events appear in Stripe's list with a delay.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// An event that is younger may still be on its way to the webhook.
const ON_THE_WAY: SignedDuration = SignedDuration::from_mins(10);
/// How often payments are compared.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How old payments are that are compared.
const COMPARED: SignedDuration = SignedDuration::from_hours(3 * 24);
/// The most pages of events of a run; the next run does the rest.
const MOST_PAGES: usize = 200;
/// How many objects are applied at a time.
const AT_A_TIME: usize = 4;

/// Finds what the webhook missed.
pub struct ReconcilePayments;

/// The result.
#[derive(Debug, Default, Serialize)]
pub struct ReconciliationReport {
    /// Events at Stripe.
    events: usize,
    /// Events that were not received.
    missed: usize,
    /// Payments that were compared.
    payments: usize,
    /// Payments that were not as they are at Stripe.
    repaired: usize,
}

impl Worker for ReconcilePayments {
    const SPEC: WorkerSpec = worker(
        "reconcile-payments",
        Trigger::Schedule(Every::Hours(1)),
        "Applies what Stripe's webhook missed",
        &[
            payment_records::RECONCILED,
            payments::IS_LIVE,
            payments::EVENTS,
            payments::PAYMENTS,
            payments::PAYMENT,
            payments::CHECKOUT,
            payments::BILLING_DETAILS,
            payments::SET_DEFAULT_METHOD,
            payments::SUBSCRIPTION,
            payments::CANCEL_NOW,
            payments::PAYABLE_INVOICES,
            payments::VOID_INVOICE,
            payments::EXPIRE_CHECKOUT,
            payments::USE_DEFAULT_METHOD,
            payment_records::ACCOUNT,
            payment_records::SUBSCRIBE,
            payment_records::PAYMENT,
            payment_records::BOOK,
            payment_records::FORMER_REFERRAL,
            payment_records::SAVE_FORMER_REFERRAL,
            payment_records::KNOWS_EVENT,
            payment_records::KEEP_EVENT,
            payment_records::SAVE_RECONCILED,
            workspaces::FIND,
            wallets::FIND,
            wallets::BOOK_DUE,
            extras::EVENT,
            extras::MESSAGE,
        ],
    );
    type Deps = Changes;
    type Event = Tick;
    type Result = ReconciliationReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Changes {
        Changes::of(ports)
    }

    async fn handle(deps: &Changes, job: &RunContext, _: Tick) -> Result<ReconciliationReport, Failure> {
        let live = match deps.payments.is_live().await? {
            Ok(live) => live,
            Err(PaymentError::NotConfigured) => return Ok(ReconciliationReport::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut report = ReconciliationReport::default();
        let stored = deps.records.reconciled().await?;
        let is_first = stored.is_none();
        let before = stored.unwrap_or(Reconciled {
            events_until: before(job.now, FIRST),
            payments_until: before(job.now, FIRST),
            version: 0,
        });
        let mut after = Reconciled { version: before.version.saturating_add(1), ..before };
        after.events_until = events(deps, before.events_until, live, job, &mut report).await?;
        if job.now.duration_since(before.payments_until) >= DAY {
            compare(deps, before.payments_until, job, &mut report).await?;
            after.payments_until = job.now;
        }
        // Another run that was faster saw at least the same.
        deps.records.save_reconciled(&after).await?;
        // Events from before the webhook was set up were not missed.
        if !is_first && (report.missed > 0 || report.repaired > 0) {
            // Everything is repaired, so that a retry of the run would find nothing: an alarm counts such lines.
            let (missed, repaired) = (report.missed, report.repaired);
            tracing::error!(
                defect = "missed events of Stripe",
                missed,
                repaired,
                "the webhook did not receive them"
            );
        }
        Ok(report)
    }
}

fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// A result of Stripe, for the retry of the run.
fn expect<T>(result: Result<T, PaymentError>) -> Outcome<T> {
    result.map_err(failed)
}

/// Applies the events since `since` that were not received. Returns the time until which every event is known.
async fn events(
    deps: &Changes,
    since: Timestamp,
    live: bool,
    job: &RunContext,
    report: &mut ReconciliationReport,
) -> Outcome<Timestamp> {
    let (mut from, mut pages) = (before(since, OVERLAP), 0_usize);
    while from < job.now && pages < MOST_PAGES {
        let until = from.saturating_add(DAY).unwrap_or(job.now).min(job.now);
        let mut after: Option<StripeEventId> = None;
        loop {
            let page = expect(deps.payments.events(from, until, after.as_ref()).await?)?;
            pages = pages.saturating_add(1);
            after = page.items.last().map(|event| event.id.clone());
            let more = page.more && after.is_some();
            let ours = page.items.into_iter().filter(|event| is_ours(event, live, job.region));
            apply_missed(deps, ours.collect(), job, report).await?;
            if !more {
                break;
            }
        }
        from = until;
    }
    Ok(from)
}

/// Applies those of these events that were not received, each object once.
async fn apply_missed(
    deps: &Changes,
    events: Vec<StripeEvent>,
    job: &RunContext,
    report: &mut ReconciliationReport,
) -> Outcome<()> {
    report.events = report.events.saturating_add(events.len());
    let young = before(job.now, ON_THE_WAY);
    let of_interest = |event: &StripeEvent| event.created <= young && event.subject.is_some();
    let events: Vec<StripeEvent> = events.into_iter().filter(of_interest).collect();
    let ids: Vec<StripeEventId> = events.iter().map(|event| event.id.clone()).collect();
    let known = futures::stream::iter(ids)
        .map(async |id| deps.records.knows_event(&id).await)
        .buffered(AT_A_TIME)
        .try_collect::<Vec<bool>>()
        .await?;
    let missed: Vec<StripeEvent> =
        events.into_iter().zip(known).filter(|(_, known)| !known).map(|(event, _)| event).collect();
    let subjects: HashSet<PaymentSubject> = missed.iter().filter_map(|event| event.subject.clone()).collect();
    let applied = apply_all(deps, subjects, job).await;
    let is_applied =
        |event: &&StripeEvent| event.subject.as_ref().is_some_and(|subject| applied.done.contains(subject));
    for event in missed.iter().filter(is_applied) {
        deps.records.keep_event(event, job.now, TransactionExtras::default()).await?;
    }
    report.missed = report.missed.saturating_add(missed.len());
    applied.failure.map_or(Ok(()), Err)
}

/// The results of several objects. One that fails keeps no other from being applied.
#[derive(Default)]
struct AllApplied {
    /// The objects that are applied.
    done: HashSet<PaymentSubject>,
    /// How many of them changed something.
    changed: usize,
    /// The last failure.
    failure: Option<Failure>,
}

/// Applies objects.
async fn apply_all(deps: &Changes, subjects: HashSet<PaymentSubject>, job: &RunContext) -> AllApplied {
    let mut all = AllApplied::default();
    let results = futures::stream::iter(subjects).map(async |subject| {
        let applied = deps.apply(&subject, job).await;
        (subject, applied)
    });
    let mut results = std::pin::pin!(results.buffer_unordered(AT_A_TIME));
    while let Some((subject, applied)) = results.next().await {
        match applied {
            Ok(applied) => {
                all.changed = all.changed.saturating_add(usize::from(applied == Applied::Changed));
                all.done.insert(subject);
            }
            Err(failure) => all.failure = Some(failure),
        }
    }
    all
}

/// Compares the payments of the last days with what is stored.
async fn compare(
    deps: &Changes,
    since: Timestamp,
    job: &RunContext,
    report: &mut ReconciliationReport,
) -> Outcome<()> {
    let since = since.min(before(job.now, COMPARED));
    let until = before(job.now, ON_THE_WAY);
    let mut after: Option<PaymentIntentId> = None;
    loop {
        let page = expect(deps.payments.payments(since, until, after.as_ref()).await?)?;
        after = page.items.last().map(|intent| intent.id.clone());
        let more = page.more && after.is_some();
        let mut differ = HashSet::new();
        for intent in page.items {
            let Some(tag) = intent.tag.filter(|tag| tag.region == job.region) else { continue };
            report.payments = report.payments.saturating_add(1);
            let stored = deps.records.payment(tag.workspace, &intent.id).await?;
            let counted = stored.map(|stored| stored.counted).unwrap_or_default();
            if intent.counts() != Ok(counted) {
                differ.insert(PaymentSubject::Payment(intent.id));
            }
        }
        let applied = apply_all(deps, differ, job).await;
        report.repaired = report.repaired.saturating_add(applied.changed);
        if let Some(failure) = applied.failure {
            return Err(failure);
        }
        if !more {
            return Ok(());
        }
    }
}
