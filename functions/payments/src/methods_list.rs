//! `GET /api/billing/payment-methods`: the saved payment methods and the billing details, as Stripe has them.

use std::sync::Arc;

use domain::{
    payment::{Card, PaymentMethod},
    permissions::Member,
    ports::{Failure, PaymentError, PaymentRecords, Payments},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Ports, RequestContext, Spec,
    grants::{payment_records, payments},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{billing_details::ShownDetails, refusals};

/// Lists payment methods.
pub struct ListPaymentMethods;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
}

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

kit::errors! {
    pub enum Error from Failure {
        /// Stripe does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::Stripe(error)
    }
}

impl Endpoint for ListPaymentMethods {
    const SPEC: Spec = spec("payment-methods-list", Get, "/api/billing/payment-methods")
        .summary("List payment methods and billing details")
        .access(Access::member(Role::Admin))
        .problems(&[Code::PaymentsNotSetUp])
        .uses(&[payment_records::ACCOUNT, payments::PAYMENT_METHODS, payments::BILLING_DETAILS]);
    type Caller = Member;
    type Deps = Deps;
    type Input = ();
    type Output = PaymentMethods;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        (): Self::Input,
    ) -> Result<PaymentMethods, Error> {
        let Some(account) = deps.records.account(call.caller.workspace.id).await? else {
            return Ok(PaymentMethods::default());
        };
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
