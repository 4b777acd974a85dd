//! `POST /api/billing/payment-methods/default`: sets the payment method that is charged when nobody is asked.
//! Automatic top-ups that were paused go on with it. If the last invoice of the subscription is open because a
//! payment failed, it is paid with the method at once. Doing it twice pays once.

use std::sync::Arc;

use domain::{
    id::OfRequest,
    permissions::{ManagesBilling, Member},
    ports::{PaymentError, StepKey, Wallets},
    role::Role,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Spec,
    grants::{extras, payment_records, payments, rate_windows, wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    method::{self, NamedMethod},
    stripe_deps::{ManagerCall, StripeError},
    subscription_deps::SubscriptionDeps,
    top_up_pause,
};

/// Sets the default payment method.
pub struct SetDefaultPaymentMethod;

/// The ports.
pub struct Deps {
    subscriptions: SubscriptionDeps,
    wallets: Arc<dyn Wallets>,
}

/// The payment method.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DefaultMethodBody {
    /// The id of the payment method.
    payment_method_id: String,
}

/// The payment method is the default.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefaultMethodSet {
    /// Always `true`.
    success: bool,
    /// Whether the open invoice of the subscription is paid now. `false`: the card was declined, the bank wants
    /// its owner to confirm the payment, or the payment takes days; the method is the default all the same, and
    /// the invoice has a page on which it can be paid. Absent: no invoice waits for a payment that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_paid: Option<bool>,
}
impl Output for DefaultMethodSet {}

impl Endpoint for SetDefaultPaymentMethod {
    const SPEC: Spec = spec("payment-methods-default", Post, "/api/billing/payment-methods/default")
        .summary("Set the default payment method")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payments::PAYMENT_METHODS,
            payments::SET_DEFAULT_METHOD,
            wallets::FIND,
            wallets::BOOK_DUE,
            payments::SUBSCRIPTION,
            payments::PAY_INVOICE,
            payments::CANCEL_NOW,
            payments::PAYABLE_INVOICES,
            payments::VOID_INVOICE,
            payments::BILLING_DETAILS,
            payments::EXPIRE_CHECKOUT,
            payments::USE_DEFAULT_METHOD,
            workspaces::FIND,
            payment_records::SUBSCRIBE,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = Deps;
    type Input = Body<DefaultMethodBody>;
    type Output = DefaultMethodSet;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { subscriptions: SubscriptionDeps::of(ports), wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &ManagerCall,
        Body(form): Self::Input,
    ) -> Result<DefaultMethodSet, StripeError> {
        let workspace = call.caller.proof.workspace();
        let Deps { subscriptions, wallets } = deps;
        let stripe = &subscriptions.stripe;
        stripe.count_change(call).await?;
        let method = method::named(stripe, workspace, &form.payment_method_id).await??;
        stripe.payments.set_default_method(&method.account.customer, &method.id).await??;
        top_up_pause::end(&**wallets, workspace, call.now).await?;
        let invoice_paid = pay_open_invoice(subscriptions, call, &method).await?;
        Ok(DefaultMethodSet { success: true, invoice_paid })
    }
}

/// Pays the last invoice of the workspace's subscription with a payment method, if a payment of it failed, and
/// applies the subscription. Whether the invoice is paid. `None`: there is none to pay.
async fn pay_open_invoice(
    deps: &SubscriptionDeps,
    call: &ManagerCall,
    method: &NamedMethod,
) -> Result<Option<bool>, StripeError> {
    let Some(stored) = method.account.running() else { return Ok(None) };
    let payments = &deps.stripe.payments;
    // The event that tells of the failed payment may be late.
    let subscription = match payments.subscription(&stored.id).await? {
        Ok(subscription) => subscription,
        Err(PaymentError::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(invoice) = subscription.open_invoice.filter(|_| subscription.status.is_unpaid()) else {
        return Ok(None);
    };
    // Each request is an attempt of its own: the card may have money later. Nobody can pay an invoice twice.
    let step = StepKey(format!("invoice-{}", call.id::<OfRequest>()));
    let paid = match payments.pay_invoice(&invoice, &method.id, &step).await? {
        Ok(paid) => paid,
        Err(PaymentError::Declined(_) | PaymentError::AuthenticationRequired) => false,
        // Such as an earlier payment of it that takes days. The method is the default all the same.
        Err(PaymentError::Refused(code)) => {
            tracing::warn!(invoice = %invoice, code, "an open invoice was not paid");
            false
        }
        Err(error) => return Err(error.into()),
    };
    if paid {
        deps.apply(call, &stored.id).await?;
    }
    Ok(Some(paid))
}
