//! `apply-payments`: applies what changed at Stripe. Repeated, late and reordered messages are harmless: the object is fetched, and
//! the record of it says what was applied.

use domain::{domain_events::DomainEvent, ports::Failure};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{extras, payment_records, payments, wallets, workspaces},
    worker,
    worker::Envelope,
};
use serde::Serialize;

use crate::{applied_payment::Applied, changes::Changes};

/// Applies changes at Stripe.
pub struct ApplyPayments;

/// The result.
#[derive(Serialize)]
pub struct PaymentReport {
    /// The result for the object.
    applied: Applied,
}

impl Worker for ApplyPayments {
    const SPEC: WorkerSpec = worker(
        "apply-payments",
        Trigger::Bus,
        "Applies payments, refunds, disputes, saved cards and subscriptions as Stripe has them",
        &[
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
            workspaces::FIND,
            wallets::FIND,
            wallets::BOOK_DUE,
            extras::EVENT,
            extras::MESSAGE,
        ],
    );
    type Deps = Changes;
    type Event = Envelope;
    type Result = PaymentReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Changes {
        Changes::of(ports)
    }

    async fn handle(deps: &Changes, job: &RunContext, event: Envelope) -> Result<PaymentReport, Failure> {
        let applied = match event.detail.notice {
            DomainEvent::PaymentChanged { subject } => deps.apply(&subject, job).await?,
            _ => Applied::NotOurs,
        };
        Ok(PaymentReport { applied })
    }
}
