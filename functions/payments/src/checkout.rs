//! `POST /api/billing/checkout-session`: opens a page of Stripe on which a person buys credit. The credit is booked when Stripe says
//! that it was paid, whether or not the browser comes back.
//!
//! A second request opens a second page. Only a page that is paid has an effect.

use domain::{
    payment::Cents,
    permissions::{ManagesBilling, Member},
    ports::{Checkout, CheckoutKind, Failure, Outcome},
    role::Role,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, Spec, Whole,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stripe_deps::{ManagerCall, StripeDeps, StripeError};

/// The least amount in cents: $5.
const LEAST: i64 = 500;
/// The largest amount in cents: $1,000.
const MOST: i64 = 100_000;

/// Opens a page on which a person buys credit.
pub struct OpenCheckout;

/// The amount.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckoutBody {
    /// The amount in US cents: from $5 to $1,000.
    amount_cents: Whole<LEAST, MOST>,
}

/// An open page.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedCheckout {
    /// The page. It is open for 24 hours.
    pub url: String,
    /// The Checkout session at Stripe.
    pub session_id: String,
}
impl Output for OpenedCheckout {}

impl OpenedCheckout {
    /// An open Checkout session.
    pub fn of(opened: Checkout) -> Outcome<Self> {
        let url =
            opened.url.ok_or_else(|| Failure::Broken("an open Checkout session has no page".to_owned()))?;
        Ok(Self { url, session_id: opened.id.to_string() })
    }
}

impl Endpoint for OpenCheckout {
    const SPEC: Spec = spec("billing-checkout", Post, "/api/billing/checkout-session")
        .summary("Buy credit")
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
    type Input = Body<CheckoutBody>;
    type Output = OpenedCheckout;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &ManagerCall,
        Body(form): Self::Input,
    ) -> Result<OpenedCheckout, StripeError> {
        let cents = u32::try_from(form.amount_cents.get()).unwrap_or_default();
        open(deps, call, CheckoutKind::TopUp(Cents::new(cents))).await
    }
}

/// Opens a page for the customer of the caller's workspace.
pub async fn open(
    deps: &StripeDeps,
    call: &ManagerCall,
    kind: CheckoutKind,
) -> Result<OpenedCheckout, StripeError> {
    deps.count_change(call).await?;
    let account = deps.account(call).await??;
    Ok(OpenedCheckout::of(deps.open_page(call, &account, kind).await??)?)
}
