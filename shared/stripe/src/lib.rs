//! The client of Stripe: customers, saved payment methods, Checkout, payments, subscriptions, invoices,
//! events, and signatures of webhooks.
//!
//! Stripe's objects are the truth: nothing of them is cached. Neither the key, nor a value of a person, nor a
//! message of Stripe gets into an error or a log.

mod answers;
mod call;
mod checkout;
mod config;
mod customers;
mod error;
mod events;
mod form;
mod intents;
mod invoices;
mod metadata;
mod methods;
mod subscriptions;
#[cfg(test)]
mod testing;
mod webhook;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use domain::{
    Timestamp,
    id::WorkspaceId,
    payment::{
        BillingDetails, BillingDetailsChange, CheckoutId, CustomerId, Invoice, InvoiceId, PaymentIntent,
        PaymentIntentId, PaymentMethod, PaymentMethodId, PaymentTag, SeatChange, StripeEvent, StripeEventId,
        Subscription, SubscriptionId,
    },
    ports::{Checkout, CheckoutRequest, Page, PaymentError, PaymentResult, Payments, StepKey},
    region::Region,
};
use providers::{CredentialSource, Fetch, Origins};

use call::{Api, Pace};
use config::StripeConfig;
use error::{ApiAnswer, separate};

/// The page of the console about payments.
const RETURN_PATH: &str = "/settings/billing";

/// The time of a request.
type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Stripe, over HTTP.
pub struct StripeClient<F> {
    config: CredentialSource<StripeConfig>,
    origins: Origins,
    http: F,
    now: Now,
}

impl<F: Fetch> StripeClient<F> {
    /// Stripe with the credentials in `secret`, which `client` reads on first use.
    pub fn new(
        client: impl FnOnce() -> Client + Send + Sync + 'static,
        secret: String,
        origins: Origins,
        http: F,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let config = CredentialSource::new(client, secret, "payments");
        Self { config, origins, http, now: Box::new(now) }
    }

    /// The API with the current credentials.
    async fn api(&self) -> ApiAnswer<Api<'_, F>> {
        let config = self.config.read((self.now)()).await?;
        let credentials = config.credentials().ok_or(PaymentError::NotConfigured)?;
        Ok(Api { credentials, http: &self.http, pace: Pace::OF_REQUESTS })
    }
}

#[async_trait]
impl<F: Fetch> Payments for StripeClient<F> {
    async fn create_customer(&self, workspace: WorkspaceId, region: Region) -> PaymentResult<CustomerId> {
        let now = (self.now)();
        separate(async { self.api().await?.create_customer(workspace, region, now).await }).await
    }

    async fn billing_details(&self, customer: &CustomerId) -> PaymentResult<BillingDetails> {
        separate(async { self.api().await?.billing_details(customer).await }).await
    }

    async fn change_billing_details(
        &self,
        customer: &CustomerId,
        change: &BillingDetailsChange,
    ) -> PaymentResult<()> {
        separate(async { self.api().await?.change_billing_details(customer, change).await }).await
    }

    async fn delete_customer(&self, customer: &CustomerId) -> PaymentResult<()> {
        separate(async { self.api().await?.delete_customer(customer).await }).await
    }

    async fn payment_methods(&self, customer: &CustomerId) -> PaymentResult<Vec<PaymentMethod>> {
        separate(async { self.api().await?.payment_methods(customer).await }).await
    }

    async fn set_default_method(&self, customer: &CustomerId, method: &PaymentMethodId) -> PaymentResult<()> {
        separate(async { self.api().await?.set_default_method(customer, method).await }).await
    }

    async fn remove_method(&self, method: &PaymentMethodId) -> PaymentResult<()> {
        separate(async { self.api().await?.remove_method(method).await }).await
    }

    fn return_url(&self, host: Option<&str>) -> String {
        format!("{}{RETURN_PATH}", self.origins.of_host(host))
    }

    async fn open_checkout(&self, request: &CheckoutRequest, step: &StepKey) -> PaymentResult<Checkout> {
        separate(async { self.api().await?.open_checkout(request, step).await }).await
    }

    async fn checkout(&self, id: &CheckoutId) -> PaymentResult<Checkout> {
        separate(async { self.api().await?.checkout(id).await }).await
    }

    async fn charge(
        &self,
        customer: &CustomerId,
        method: &PaymentMethodId,
        tag: &PaymentTag,
        step: &StepKey,
    ) -> PaymentResult<PaymentIntent> {
        separate(async { self.api().await?.charge(customer, method, tag, step).await }).await
    }

    async fn payment(&self, id: &PaymentIntentId) -> PaymentResult<PaymentIntent> {
        separate(async { self.api().await?.payment(id).await }).await
    }

    async fn receipt_url(&self, id: &PaymentIntentId) -> PaymentResult<Option<String>> {
        separate(async { self.api().await?.receipt_url(id).await }).await
    }

    async fn subscription(&self, id: &SubscriptionId) -> PaymentResult<Subscription> {
        separate(async { self.api().await?.subscription(id).await }).await
    }

    async fn subscriptions(&self, customer: &CustomerId) -> PaymentResult<Vec<Subscription>> {
        separate(async { self.api().await?.subscriptions(customer).await }).await
    }

    async fn set_cancel_at_period_end(&self, id: &SubscriptionId, cancel: bool) -> PaymentResult<()> {
        separate(async { self.api().await?.set_cancel_at_period_end(id, cancel).await }).await
    }

    async fn use_default_method(&self, id: &SubscriptionId) -> PaymentResult<()> {
        separate(async { self.api().await?.use_default_method(id).await }).await
    }

    async fn cancel_now(&self, id: &SubscriptionId) -> PaymentResult<()> {
        separate(async { self.api().await?.cancel_now(id).await }).await
    }

    async fn set_seats(
        &self,
        subscription: &Subscription,
        seats: u32,
        change: SeatChange,
        step: &StepKey,
    ) -> PaymentResult<()> {
        separate(async { self.api().await?.set_seats(subscription, seats, change, step).await }).await
    }

    async fn expire_checkout(&self, id: &CheckoutId) -> PaymentResult<()> {
        separate(async { self.api().await?.expire_checkout(id).await }).await
    }

    async fn invoices(&self, customer: &CustomerId, after: Option<&str>) -> PaymentResult<Page<Invoice>> {
        separate(async { self.api().await?.invoices(customer, after).await }).await
    }

    async fn pay_invoice(
        &self,
        id: &InvoiceId,
        method: &PaymentMethodId,
        step: &StepKey,
    ) -> PaymentResult<bool> {
        separate(async { self.api().await?.pay_invoice(id, method, step).await }).await
    }

    async fn payable_invoices(
        &self,
        customer: &CustomerId,
        subscription: Option<&SubscriptionId>,
    ) -> PaymentResult<Vec<InvoiceId>> {
        separate(async { self.api().await?.payable_invoices(customer, subscription).await }).await
    }

    async fn void_invoice(&self, id: &InvoiceId) -> PaymentResult<bool> {
        let now = (self.now)();
        separate(async { self.api().await?.void_invoice(id, now).await }).await
    }

    async fn events(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&StripeEventId>,
    ) -> PaymentResult<Page<StripeEvent>> {
        separate(async { self.api().await?.events(since, until, after).await }).await
    }

    async fn payments(
        &self,
        since: Timestamp,
        until: Timestamp,
        after: Option<&PaymentIntentId>,
    ) -> PaymentResult<Page<PaymentIntent>> {
        separate(async { self.api().await?.payments(since, until, after).await }).await
    }

    async fn is_live(&self) -> PaymentResult<bool> {
        separate(async { Ok(self.api().await?.credentials.is_live()) }).await
    }

    async fn verified_event(
        &self,
        body: &[u8],
        signature: &str,
        now: Timestamp,
    ) -> PaymentResult<Option<StripeEvent>> {
        separate(async { self.api().await?.verified_event(body, signature, now) }).await
    }
}
