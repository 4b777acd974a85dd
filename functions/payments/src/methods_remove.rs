//! `DELETE /api/billing/payment-methods/{id}`: removes a payment method permanently. If it was the default, the newest of the others
//! becomes the default first, so that a failure in between leaves one.

use domain::{
    permissions::{ManagesBilling, Member},
    ports::{Failure, PaymentError},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Permitted, Ports, Problem, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Delete,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    method,
    stripe_deps::{ManagerCall, StripeDeps, StripeError},
};

/// Removes a payment method.
pub struct RemovePaymentMethod;

/// The path.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodPath {
    /// The id of the payment method.
    id: String,
}

/// The payment methods changed.
#[derive(Serialize, JsonSchema)]
pub struct MethodsChanged {
    /// Always `true`.
    success: bool,
}
impl Output for MethodsChanged {}

kit::errors! {
    pub enum Error from StripeError, Failure {
        /// A subscription is paid with it.
        Needed => Problem::new(
            Code::Conflict,
            "A subscription is paid with this payment method. Add another first, or cancel the subscription.",
        ),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::StripeError(error.into())
    }
}

impl Endpoint for RemovePaymentMethod {
    const SPEC: Spec = spec("payment-methods-remove", Delete, "/api/billing/payment-methods/{id}")
        .summary("Remove a payment method")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::Conflict, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payments::PAYMENT_METHODS,
            payments::BILLING_DETAILS,
            payments::SET_DEFAULT_METHOD,
            payments::REMOVE_METHOD,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = StripeDeps;
    type Input = Params<MethodPath>;
    type Output = MethodsChanged;
    type Error = Error;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &ManagerCall,
        Params(path): Self::Input,
    ) -> Result<MethodsChanged, Error> {
        let workspace = call.caller.proof.workspace();
        deps.count_change(call).await?;
        let method = method::named(deps, workspace, &path.id).await??;
        let is_renewed = method.account.running().is_some_and(|running| !running.cancel_at_period_end);
        if method.others.is_empty() && is_renewed {
            return Err(Error::Needed);
        }
        if let Some(next) = method.others.first() {
            let details = deps.payments.billing_details(&method.account.customer).await??;
            if details.default_method.as_ref() == Some(&method.id) {
                deps.payments.set_default_method(&method.account.customer, &next.id).await??;
            }
        }
        deps.payments.remove_method(&method.id).await??;
        Ok(MethodsChanged { success: true })
    }
}
