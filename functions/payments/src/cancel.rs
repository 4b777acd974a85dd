//! `DELETE /api/billing/subscription-checkout`: ends the subscription with its period, or lets it go on (`{"resume": true}`). Doing it
//! twice changes nothing.

use domain::{
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, OptionalBody, Permitted, Ports, Problem, Spec,
    grants::{extras, payment_records, payments, rate_windows, workspaces},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    shown_subscription::ShownSubscription,
    stripe_deps::{ManagerCall, StripeError},
    subscription_deps::SubscriptionDeps,
};

/// Ends a subscription with its period.
pub struct CancelSubscription;

/// The request.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelBody {
    /// Whether the subscription goes on after all.
    #[serde(default)]
    resume: bool,
}

kit::errors! {
    pub enum Error from StripeError, Failure {
        /// The workspace has no subscription.
        Nothing => Problem::new(Code::Conflict, "This workspace has no subscription. Subscribe first."),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::StripeError(error.into())
    }
}

impl Endpoint for CancelSubscription {
    const SPEC: Spec = spec("billing-cancel", Delete, "/api/billing/subscription-checkout")
        .summary("Cancel or resume the subscription")
        .access(Access::member(Role::Admin))
        .problems(&[Code::Conflict, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payments::SET_CANCEL_AT_PERIOD_END,
            payments::SUBSCRIPTION,
            payments::CANCEL_NOW,
            payments::PAYABLE_INVOICES,
            payments::VOID_INVOICE,
            payments::BILLING_DETAILS,
            payments::SET_DEFAULT_METHOD,
            payments::EXPIRE_CHECKOUT,
            payments::USE_DEFAULT_METHOD,
            workspaces::FIND,
            payment_records::SUBSCRIBE,
            extras::EVENT,
            extras::MESSAGE,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = SubscriptionDeps;
    type Input = OptionalBody<CancelBody>;
    type Output = ShownSubscription;
    type Error = Error;

    fn deps(ports: &impl Ports) -> SubscriptionDeps {
        SubscriptionDeps::of(ports)
    }

    async fn handle(
        deps: &SubscriptionDeps,
        call: &ManagerCall,
        OptionalBody(CancelBody { resume }): Self::Input,
    ) -> Result<ShownSubscription, Error> {
        let workspace = call.caller.proof.workspace();
        deps.stripe.count_change(call).await?;
        let account = deps.stripe.records.account(workspace).await?.ok_or(Error::Nothing)?;
        let id = &account.running().ok_or(Error::Nothing)?.id;
        deps.stripe.payments.set_cancel_at_period_end(id, !resume).await??;
        deps.apply(call, id).await?.ok_or(Error::Nothing)
    }
}
