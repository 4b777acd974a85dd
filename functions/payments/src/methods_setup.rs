//! `POST /api/billing/payment-methods/setup`: opens a page of Stripe on which a person saves a card. Card data never reaches the
//! platform. The first card that is saved becomes the default.

use domain::{
    permissions::{ManagesBilling, Member},
    ports::CheckoutKind,
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Permitted, Ports, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Post,
};

use crate::{
    checkout::{self, OpenedCheckout},
    stripe_deps::{ManagerCall, StripeDeps, StripeError},
};

/// Opens a page on which a person saves a card.
pub struct SetUpPaymentMethod;

impl Endpoint for SetUpPaymentMethod {
    const SPEC: Spec = spec("payment-methods-setup", Post, "/api/billing/payment-methods/setup")
        .summary("Add a payment method")
        .access(Access::member(Role::Admin))
        .problems(&[Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[
            rate_windows::TAKE,
            payment_records::ACCOUNT,
            payment_records::OPEN_ACCOUNT,
            payments::CREATE_CUSTOMER,
            payments::OPEN_CHECKOUT,
        ]);
    type Caller = Permitted<Member, ManagesBilling>;
    type Deps = StripeDeps;
    type Input = ();
    type Output = OpenedCheckout;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &ManagerCall,
        (): Self::Input,
    ) -> Result<OpenedCheckout, StripeError> {
        checkout::open(deps, call, CheckoutKind::SaveMethod).await
    }
}
