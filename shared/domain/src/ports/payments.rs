//! Stripe, and what the platform stores of payments.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    extras::TransactionExtras,
    outcome::{Outcome, Page, Saved},
};
use crate::{
    id::WorkspaceId,
    payment::{
        BillingAccount, BillingCycle, BillingDetails, BillingDetailsChange, Cents, CheckoutId, CustomerId,
        Invoice, InvoiceId, Payment, PaymentIntent, PaymentIntentId, PaymentMethod, PaymentMethodId,
        PaymentTag, SeatChange, StripeEvent, StripeEventId, Subscription, SubscriptionId,
    },
    permissions::{ChangesWallets, ManagesBilling, SetsPlans},
    referral::{FormerReferral, FriendHash},
    region::Region,
    wallet::WalletChange,
    workspace::Workspace,
};

/// Why Stripe did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentError {
    /// The deployment has no key of Stripe.
    NotConfigured,
    /// Stripe can't be reached, is overloaded, or failed. The same request may succeed later.
    Unavailable,
    /// The object does not exist, or was deleted.
    NotFound,
    /// The card was declined, with Stripe's code for it.
    Declined(String),
    /// The bank wants the owner of the card to authenticate.
    AuthenticationRequired,
    /// Stripe refuses a parameter that a person entered, with its name at Stripe.
    Invalid(String),
    /// Stripe refuses the request for another reason, with its code. A defect.
    Refused(String),
}

/// The result of a call to Stripe.
pub type PaymentResult<T> = Outcome<Result<T, PaymentError>>;

/// The idempotency key of a step: the same on every attempt to take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepKey(pub String);

/// A page of Stripe on which a person pays or saves a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRequest {
    /// The customer who pays.
    pub customer: CustomerId,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The region of the workspace.
    pub region: Region,
    /// What for.
    pub kind: CheckoutKind,
    /// Where the browser goes afterwards.
    pub success_url: String,
    /// Where the browser goes if the person gives up.
    pub cancel_url: String,
}

/// What a person does on a page of Stripe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutKind {
    /// Buys credit.
    TopUp(Cents),
    /// Saves a payment method.
    SaveMethod,
    /// Subscribes to the plan Pro.
    Subscribe {
        /// How often it is paid.
        cycle: BillingCycle,
        /// The number of seats.
        seats: u32,
    },
}

/// A Checkout session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The id.
    pub id: CheckoutId,
    /// The page, while the session is open.
    pub url: Option<String>,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// The workspace in its metadata, if it is the platform's.
    pub workspace: Option<WorkspaceId>,
    /// The region in its metadata.
    pub region: Option<Region>,
    /// The payment method that it saved.
    pub saved_method: Option<PaymentMethodId>,
}

/// Stripe. Each call may be repeated with the same step key. No call is made inside a transaction.
#[async_trait]
pub trait Payments: Send + Sync {
    /// Creates the customer of a workspace, without personal data.
    async fn create_customer(&self, workspace: WorkspaceId, region: Region) -> PaymentResult<CustomerId>;
    /// What the customer gave to Stripe. [`PaymentError::NotFound`]: the customer was deleted.
    async fn billing_details(&self, customer: &CustomerId) -> PaymentResult<BillingDetails>;
    /// Changes billing details.
    async fn change_billing_details(
        &self,
        customer: &CustomerId,
        change: &BillingDetailsChange,
    ) -> PaymentResult<()>;
    /// Deletes a customer with payment methods, and cancels subscriptions. Doing it twice succeeds. Stripe keeps payments.
    async fn delete_customer(&self, customer: &CustomerId) -> PaymentResult<()>;
    /// The saved payment methods, at most 100, newest first.
    async fn payment_methods(&self, customer: &CustomerId) -> PaymentResult<Vec<PaymentMethod>>;
    /// Sets the payment method that is charged without the customer.
    async fn set_default_method(&self, customer: &CustomerId, method: &PaymentMethodId) -> PaymentResult<()>;
    /// Removes a payment method from its customer. It can't be used any more.
    async fn remove_method(&self, method: &PaymentMethodId) -> PaymentResult<()>;
    /// The page of the console to which Stripe sends a browser that called this host: the host's own, if it is one of the platform's.
    fn return_url(&self, host: Option<&str>) -> String;
    /// Opens a page of Stripe.
    async fn open_checkout(&self, request: &CheckoutRequest, step: &StepKey) -> PaymentResult<Checkout>;
    /// A Checkout session.
    async fn checkout(&self, id: &CheckoutId) -> PaymentResult<Checkout>;
    /// Charges the default payment method of a customer, without the customer.
    async fn charge(
        &self,
        customer: &CustomerId,
        method: &PaymentMethodId,
        tag: &PaymentTag,
        step: &StepKey,
    ) -> PaymentResult<PaymentIntent>;
    /// A payment as it is now.
    async fn payment(&self, id: &PaymentIntentId) -> PaymentResult<PaymentIntent>;
    /// The address of the receipt of a payment. `None`: it has none.
    async fn receipt_url(&self, id: &PaymentIntentId) -> PaymentResult<Option<String>>;
    /// A subscription as it is now.
    async fn subscription(&self, id: &SubscriptionId) -> PaymentResult<Subscription>;
    /// The subscriptions of a customer that are not over, at most 100, newest first.
    async fn subscriptions(&self, customer: &CustomerId) -> PaymentResult<Vec<Subscription>>;
    /// Ends a subscription with its period, or lets it go on.
    async fn set_cancel_at_period_end(&self, id: &SubscriptionId, cancel: bool) -> PaymentResult<()>;
    /// Has the invoices of a subscription paid with the customer's default payment method, and not with one of its own.
    async fn use_default_method(&self, id: &SubscriptionId) -> PaymentResult<()>;
    /// Ends a subscription at once, without paying anything back.
    async fn cancel_now(&self, id: &SubscriptionId) -> PaymentResult<()>;
    /// Changes the number of seats. With [`SeatChange::PayNow`], the difference is paid at once, or nothing changes.
    async fn set_seats(
        &self,
        subscription: &Subscription,
        seats: u32,
        change: SeatChange,
        step: &StepKey,
    ) -> PaymentResult<()>;
    /// Closes a page of Stripe that is still open. Doing it twice succeeds, also after it was used.
    async fn expire_checkout(&self, id: &CheckoutId) -> PaymentResult<()>;
    /// Up to 100 invoices of a customer, newest first, after `after`.
    async fn invoices(&self, customer: &CustomerId, after: Option<&str>) -> PaymentResult<Page<Invoice>>;
    /// Pays an open invoice now with a payment method of its customer, without the customer. `true`: it is paid,
    /// perhaps by somebody else. `false`: the payment takes days, or the invoice is void.
    async fn pay_invoice(
        &self,
        id: &InvoiceId,
        method: &PaymentMethodId,
        step: &StepKey,
    ) -> PaymentResult<bool>;
    /// The invoices that are not paid and can be paid at their pages: open and uncollectible ones, at most 100 of each. Those of one
    /// subscription, or of the customer.
    async fn payable_invoices(
        &self,
        customer: &CustomerId,
        subscription: Option<&SubscriptionId>,
    ) -> PaymentResult<Vec<InvoiceId>>;
    /// Voids an invoice, so that nobody can pay it any more. Doing it twice succeeds. `false`: it was paid before.
    async fn void_invoice(&self, id: &InvoiceId) -> PaymentResult<bool>;
    /// Up to 100 events of a span of time (from `since`, before `until`), newest first, after `after`.
    async fn events(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&StripeEventId>,
    ) -> PaymentResult<Page<StripeEvent>>;
    /// Up to 100 payments that were begun in a span of time, newest first, after `after`.
    async fn payments(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&PaymentIntentId>,
    ) -> PaymentResult<Page<PaymentIntent>>;
    /// Whether the platform's key is of live mode.
    async fn is_live(&self) -> PaymentResult<bool>;
    /// Reads the event in the body of a webhook, if Stripe signed it at most five minutes before or after `now`
    /// ([signatures](https://docs.stripe.com/webhooks#verify-manually)). `None`: it did not.
    async fn verified_event(
        &self,
        body: &[u8],
        signature: &str,
        now: Timestamp,
    ) -> PaymentResult<Option<StripeEvent>>;
}

/// How far the events of Stripe were compared with what was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reconciled {
    /// Every event before this time is known.
    pub events_until: Timestamp,
    /// Every payment that was begun before this time was compared.
    pub payments_until: Timestamp,
    /// How often the record changed.
    pub version: u64,
}

/// What the platform stores of payments. Every read is strongly consistent.
#[async_trait]
pub trait PaymentRecords: Send + Sync {
    /// The customer of a workspace, if it has one.
    async fn account(&self, workspace: WorkspaceId) -> Outcome<Option<BillingAccount>>;
    /// Stores the customer of a workspace. [`Saved::Stale`]: it has one already, or the workspace is gone.
    async fn open_account(&self, proof: &ManagesBilling, account: &BillingAccount) -> Outcome<Saved>;
    /// Replaces the account. [`Saved::Stale`]: it changed since it was read.
    async fn replace_account(&self, proof: &ManagesBilling, account: &BillingAccount) -> Outcome<Saved>;
    /// Replaces the account with a subscription, and the terms of the workspace's plan if they change from `before`.
    /// [`Saved::Stale`]: one of both changed since it was read.
    async fn subscribe(
        &self,
        proof: &SetsPlans,
        account: &BillingAccount,
        before: &Workspace,
        after: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// A payment.
    async fn payment(&self, workspace: WorkspaceId, intent: &PaymentIntentId) -> Outcome<Option<Payment>>;
    /// Up to `limit` payments of a workspace after one, in the order of their ids.
    async fn payments_after(
        &self,
        workspace: WorkspaceId,
        after: Option<&PaymentIntentId>,
        limit: usize,
    ) -> Outcome<Page<Payment>>;
    /// The record of a referral whose friend deleted the account, unless it has expired.
    async fn former_referral(&self, friend: FriendHash, now: Timestamp) -> Outcome<Option<FormerReferral>>;
    /// Stores such a record. [`Saved::Stale`]: it changed since it was read, or the first one is stored already.
    async fn save_former_referral(
        &self,
        record: &FormerReferral,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Stores a payment, with what it changes in the wallet. [`Saved::Stale`]: one of both changed since it was read.
    async fn book(
        &self,
        proof: &ChangesWallets,
        payment: &Payment,
        change: Option<&WalletChange>,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// Whether an event is stored.
    async fn knows_event(&self, id: &StripeEventId) -> Outcome<bool>;
    /// Stores an event, with the message about it. [`Saved::Stale`]: it is stored already.
    async fn keep_event(
        &self,
        event: &StripeEvent,
        now: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Saved>;
    /// How far events and payments were compared.
    async fn reconciled(&self) -> Outcome<Option<Reconciled>>;
    /// Stores how far they were compared. [`Saved::Stale`]: another run did.
    async fn save_reconciled(&self, reconciled: &Reconciled) -> Outcome<Saved>;
}
