//! Subscriptions to the plan Pro ([object](https://docs.stripe.com/api/subscriptions)). Each has one item,
//! whose quantity is the number of seats.

use domain::{
    Timestamp,
    payment::{
        BillingCycle, CustomerId, InvoiceId, PaymentMethodId, SeatChange, Subscription, SubscriptionId,
        SubscriptionStatus,
    },
    ports::{PaymentError, StepKey},
};
use providers::Fetch;
use serde::de::IgnoredAny;

use crate::{
    answers::{
        Expandable, ItemAnswer, LatestInvoice, List, PriceAnswer, StatusAnswer, SubscriptionAnswer,
        customer_of, time,
    },
    call::Api,
    config::ProPrices,
    error::{ApiAnswer, CallError, refused},
    form::Form,
    metadata,
};

const PATH: &str = "/v1/subscriptions";

impl<F: Fetch> Api<'_, F> {
    /// A subscription as it is now.
    pub async fn subscription(&self, id: &SubscriptionId) -> ApiAnswer<Subscription> {
        let query = Form::default().with("expand[]", "latest_invoice");
        let found: SubscriptionAnswer = self.get(&path(id), &query).await?;
        subscription(found, self.credentials.prices.as_ref())
    }

    /// The subscriptions of a customer that are not over, newest first.
    pub async fn subscriptions(&self, customer: &CustomerId) -> ApiAnswer<Vec<Subscription>> {
        let query = Form::page()
            .with("customer", customer)
            .with("status", "all")
            .with("expand[]", "data.latest_invoice");
        let found: List<SubscriptionAnswer> = self.get(PATH, &query).await?;
        let prices = self.credentials.prices.as_ref();
        let running = found.data.into_iter().filter(|found| !is_over(found.status));
        running.map(|found| subscription(found, prices)).collect()
    }

    /// Sets whether a subscription ends with its period.
    pub async fn set_cancel_at_period_end(&self, id: &SubscriptionId, cancel: bool) -> ApiAnswer<()> {
        let form = Form::default().with("cancel_at_period_end", cancel);
        self.post::<IgnoredAny>(&path(id), &form).await?;
        Ok(())
    }

    /// Removes the payment method of the subscription's own.
    pub async fn use_default_method(&self, id: &SubscriptionId) -> ApiAnswer<()> {
        let form = Form::default().with("default_payment_method", "");
        self.post::<IgnoredAny>(&path(id), &form).await?;
        Ok(())
    }

    /// Ends a subscription at once. Stripe answers 404 if it is over already.
    pub async fn cancel_now(&self, id: &SubscriptionId) -> ApiAnswer<()> {
        self.within(async {
            let path = path(id);
            let query = Form::default().with("invoice_now", false).with("prorate", false);
            match self.delete_with(&path, &query).await {
                Err(CallError::Payment(PaymentError::Refused(code))) => {
                    let found: StatusAnswer = self.get(&path, &Form::default()).await?;
                    match found.status.as_deref() {
                        Some("canceled" | "incomplete_expired") => Ok(()),
                        _ => Err(refused(&code)),
                    }
                }
                answer => answer,
            }
        })
        .await
    }

    /// Changes the number of seats ([prorations]). With `error_if_incomplete`, a payment that fails is status
    /// 402, and the subscription stays as it was.
    ///
    /// [prorations]: https://docs.stripe.com/billing/subscriptions/prorations
    pub async fn set_seats(
        &self,
        subscription: &Subscription,
        seats: u32,
        change: SeatChange,
        step: &StepKey,
    ) -> ApiAnswer<()> {
        let form = Form::default().with("items[0][id]", &subscription.item).with("items[0][quantity]", seats);
        let form = match change {
            SeatChange::AtRenewal => form.with("proration_behavior", "none"),
            SeatChange::PayNow => form
                .with("proration_behavior", "always_invoice")
                .with("payment_behavior", "error_if_incomplete"),
        };
        self.take::<IgnoredAny>(&path(&subscription.id), &form, step).await?;
        Ok(())
    }
}

fn path(id: &SubscriptionId) -> String {
    format!("{PATH}/{id}")
}

fn is_over(status: SubscriptionStatus) -> bool {
    matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired)
}

fn subscription(answer: SubscriptionAnswer, prices: Option<&ProPrices>) -> ApiAnswer<Subscription> {
    let item = only_item(answer.items)?;
    // Stripe's own pages may schedule an end with this time only
    // (https://docs.stripe.com/billing/subscriptions/cancel).
    let is_scheduled = answer.cancel_at.is_some_and(|at| at <= item.current_period_end);
    let latest = answer.latest_invoice.and_then(Expandable::object);
    let paid_late = latest.as_ref().filter(|latest| is_paid_after(latest, answer.ended_at));
    let paid_after_end = paid_late.and_then(|latest| InvoiceId::parse(latest.id.as_deref()?));
    let open = latest.filter(is_open);
    Ok(Subscription {
        id: answer.id,
        customer: customer_of(Some(&answer.customer)).ok_or_else(|| refused("answer"))?,
        status: answer.status,
        tag: answer.metadata.as_ref().and_then(metadata::subscription_tag),
        cycle: cycle(&item.price, prices),
        seats: item.quantity.unwrap_or_default(),
        started_at: time(answer.start_date)?,
        period_start: time(item.current_period_start)?,
        period_end: time(item.current_period_end)?,
        cancel_at_period_end: answer.cancel_at_period_end == Some(true) || is_scheduled,
        method: answer.default_payment_method.and_then(|method| PaymentMethodId::parse(method.id())),
        open_invoice: open.as_ref().and_then(|open| InvoiceId::parse(open.id.as_deref()?)),
        payment_failed_at: open.as_ref().map_or(Ok(None), payment_failed_at)?,
        paid_after_end,
        item: item.id,
    })
}

/// The platform can't tell which of several items has the seats.
fn only_item(items: List<ItemAnswer>) -> ApiAnswer<ItemAnswer> {
    let mut found = items.data.into_iter();
    match (found.next(), found.next()) {
        (Some(item), None) if !items.has_more => Ok(item),
        _ => Err(refused("items")),
    }
}

/// How often a price is paid. A price can't be changed, only replaced by another one, so a price with the
/// same lookup key is the plan's too ([lookup keys]).
///
/// [lookup keys]: https://docs.stripe.com/products-prices/manage-prices#lookup-keys
fn cycle(price: &PriceAnswer, prices: Option<&ProPrices>) -> Option<BillingCycle> {
    prices.and_then(|prices| prices.cycle(&price.id)).or_else(|| cycle_of_lookup_key(price))
}

fn cycle_of_lookup_key(price: &PriceAnswer) -> Option<BillingCycle> {
    let recurring = price.recurring.as_ref()?;
    match (price.lookup_key.as_deref()?, recurring.interval.as_str(), recurring.interval_count) {
        ("pro_monthly", "month", 1) => Some(BillingCycle::Monthly),
        ("pro_yearly", "year", 1) => Some(BillingCycle::Yearly),
        _ => None,
    }
}

fn is_open(invoice: &LatestInvoice) -> bool {
    invoice.status.as_deref() == Some("open")
}

/// Whether an invoice is from before this end of its subscription, and was paid after it. The last invoice of a subscription that
/// ends may be made at its end, and is paid afterwards rightly.
fn is_paid_after(invoice: &LatestInvoice, ended_at: Option<i64>) -> bool {
    let paid_at = invoice.status_transitions.as_ref().and_then(|transitions| transitions.paid_at);
    ended_at.zip(paid_at).is_some_and(|(ended, paid)| invoice.created < ended && ended < paid)
}

/// Stripe tries to collect an invoice once it is finalized, and doesn't tell the times of its attempts.
fn payment_failed_at(open: &LatestInvoice) -> ApiAnswer<Option<Timestamp>> {
    if open.attempt_count.is_none_or(|attempts| attempts == 0) {
        return Ok(None);
    }
    let finalized_at = open.status_transitions.as_ref().and_then(|transitions| transitions.finalized_at);
    time(finalized_at.unwrap_or(open.created)).map(Some)
}

#[cfg(test)]
mod tests;
