//! `GET /api/billing/payment-methods`: the saved payment methods and the billing details, as Stripe has them.

use domain::{
    payment::{Card, PaymentMethod},
    permissions::Member,
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Ports, RequestContext, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    billing_details::ShownDetails,
    stripe_deps::{StripeDeps, StripeError},
};

/// Lists payment methods.
pub struct ListPaymentMethods;

/// Payment methods and billing details.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentMethods {
    /// The payment methods, newest first.
    payment_methods: Vec<ShownMethod>,
    /// The billing details.
    billing_info: ShownDetails,
}
impl Output for PaymentMethods {}

/// A payment method.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownMethod {
    /// The id at Stripe.
    id: String,
    /// The type, for example `card`.
    r#type: String,
    /// The card, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<Card>,
    /// Whether it is charged when nobody is asked.
    is_default: bool,
}

impl Endpoint for ListPaymentMethods {
    const SPEC: Spec = spec("payment-methods-list", Get, "/api/billing/payment-methods")
        .summary("List payment methods and billing details")
        .access(Access::member(Role::Admin))
        .problems(&[Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            payment_records::ACCOUNT,
            rate_windows::TAKE,
            payments::PAYMENT_METHODS,
            payments::BILLING_DETAILS,
        ]);
    type Caller = Member;
    type Deps = StripeDeps;
    type Input = ();
    type Output = PaymentMethods;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &RequestContext<Member>,
        (): Self::Input,
    ) -> Result<PaymentMethods, StripeError> {
        let Some(account) = deps.records.account(call.caller.workspace.id).await? else {
            return Ok(PaymentMethods::default());
        };
        deps.count_read(call).await?;
        let (methods, details) = futures::try_join!(
            deps.payments.payment_methods(&account.customer),
            deps.payments.billing_details(&account.customer),
        )?;
        let (methods, details) = (methods?, details?);
        let shown = |PaymentMethod { id, r#type, card }| ShownMethod {
            is_default: details.default_method.as_ref() == Some(&id),
            id: id.to_string(),
            r#type,
            card,
        };
        let payment_methods = methods.into_iter().map(shown).collect();
        Ok(PaymentMethods { payment_methods, billing_info: details.into() })
    }
}
