//! `POST /api/billing/payment-methods/default`: sets the payment method that is charged when nobody is asked. Automatic
//! top-ups that were paused go on with it. Doing it twice changes nothing.

use std::sync::Arc;

use domain::{
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError, PaymentRecords, Payments, RateWindows, Wallets},
    role::Role,
    throttle::Wait,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, RequestContext, Spec,
    grants::{payment_records, payments, rate_windows, wallets},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{allowance, method, refusals, top_up_pause};

/// Sets the default payment method.
pub struct SetDefaultPaymentMethod;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
    wallets: Arc<dyn Wallets>,
}

/// The payment method.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DefaultMethodBody {
    /// The id of the payment method.
    payment_method_id: String,
}

/// The payment methods changed.
#[derive(Serialize, JsonSchema)]
pub struct MethodsChanged {
    /// Always `true`.
    pub success: bool,
}
impl Output for MethodsChanged {}

kit::errors! {
    pub enum Error from Failure {
        /// The workspace has no such payment method, or Stripe does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
        /// The workspace called Stripe too often.
        TooMany(wait: Wait) => allowance::exhausted(wait),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::Stripe(error)
    }
}

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
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = Deps;
    type Input = Body<DefaultMethodBody>;
    type Output = MethodsChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            payments: ports.payments(),
            records: ports.payment_records(),
            windows: ports.rate_windows(),
            wallets: ports.wallets(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<MethodsChanged, Error> {
        let workspace = call.caller.proof.workspace();
        allowance::take(&*deps.windows, workspace, call.now).await?.map_err(Error::TooMany)?;
        let ports = (&*deps.records, &*deps.payments);
        let method = method::named(ports, workspace, &form.payment_method_id).await??;
        deps.payments.set_default_method(&method.account.customer, &method.id).await??;
        top_up_pause::end(&*deps.wallets, workspace, call.now).await?;
        Ok(MethodsChanged { success: true })
    }
}
