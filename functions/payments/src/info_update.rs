//! `PATCH /api/billing/payment-methods`: changes the billing details. Only Stripe stores them. Doing it twice changes nothing.

use std::sync::Arc;

use domain::{
    payment::BillingDetailsChange,
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError, PaymentRecords, Payments, RateWindows},
    role::Role,
    throttle::Wait,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, RequestContext, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    allowance,
    billing_details::{BillingInfoBody, ShownDetails},
    customer, refusals,
};

/// Changes billing details.
pub struct UpdateBillingInfo;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
}

/// The billing details now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillingInfo {
    /// The billing details.
    billing_info: ShownDetails,
}
impl Output for BillingInfo {}

kit::errors! {
    pub enum Error from Failure {
        /// Stripe does not accept a value, or does not answer.
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

impl Endpoint for UpdateBillingInfo {
    const SPEC: Spec = spec("billing-info-update", Patch, "/api/billing/payment-methods")
        .summary("Change billing details")
        .access(Access::member(Role::Admin))
        .problems(&[Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payment_records::OPEN_ACCOUNT,
            payments::CREATE_CUSTOMER,
            payments::CHANGE_BILLING_DETAILS,
            payments::BILLING_DETAILS,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = Deps;
    type Input = Body<BillingInfoBody>;
    type Output = BillingInfo;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records(), windows: ports.rate_windows() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<BillingInfo, Error> {
        let proof = &call.caller.proof;
        allowance::take(&*deps.windows, proof.workspace(), call.now).await?.map_err(Error::TooMany)?;
        let ports = (&*deps.records, &*deps.payments);
        let customer = customer::of(ports, proof, call.region, call.now).await??.customer;
        let change: BillingDetailsChange = form.into();
        deps.payments.change_billing_details(&customer, &change).await??;
        let details = deps.payments.billing_details(&customer).await??;
        Ok(BillingInfo { billing_info: details.into() })
    }
}
