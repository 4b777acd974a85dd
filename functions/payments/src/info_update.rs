//! `PATCH /api/billing/payment-methods`: changes the billing details. Only Stripe stores them. Doing it twice changes nothing.

use domain::{
    payment::BillingDetailsChange,
    permissions::{ManagesBilling, Member},
    role::Role,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Patch,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    billing_details::{BillingInfoBody, ShownDetails},
    stripe_deps::{ManagerCall, StripeDeps, StripeError},
};

/// Changes billing details.
pub struct UpdateBillingInfo;

/// The billing details now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BillingInfo {
    /// The billing details.
    billing_info: ShownDetails,
}
impl Output for BillingInfo {}

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
    type Deps = StripeDeps;
    type Input = Body<BillingInfoBody>;
    type Output = BillingInfo;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &ManagerCall,
        Body(form): Self::Input,
    ) -> Result<BillingInfo, StripeError> {
        deps.count_change(call).await?;
        let customer = deps.account(call).await??.customer;
        let change: BillingDetailsChange = form.into();
        deps.payments.change_billing_details(&customer, &change).await??;
        let details = deps.payments.billing_details(&customer).await??;
        Ok(BillingInfo { billing_info: details.into() })
    }
}
