//! `POST /api/billing/payment-methods/default`: sets the payment method that is charged when nobody is asked. Automatic
//! top-ups that were paused go on with it. Doing it twice changes nothing.

use std::sync::Arc;

use domain::{
    permissions::{ManagesBilling, Member},
    ports::Wallets,
    role::Role,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Spec,
    grants::{payment_records, payments, rate_windows, wallets},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    method,
    stripe_deps::{ManagerCall, StripeDeps, StripeError},
    top_up_pause,
};

/// Sets the default payment method.
pub struct SetDefaultPaymentMethod;

/// The ports.
pub struct Deps {
    stripe: StripeDeps,
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
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { stripe: StripeDeps::of(ports), wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &ManagerCall,
        Body(form): Self::Input,
    ) -> Result<MethodsChanged, StripeError> {
        let workspace = call.caller.proof.workspace();
        let Deps { stripe, wallets } = deps;
        stripe.count_change(call).await?;
        let method = method::named(stripe, workspace, &form.payment_method_id).await??;
        stripe.payments.set_default_method(&method.account.customer, &method.id).await??;
        top_up_pause::end(&**wallets, workspace, call.now).await?;
        Ok(MethodsChanged { success: true })
    }
}
