//! `POST /api/billing/checkout-session`: opens a page of Stripe on which a person buys credit. The credit is booked when Stripe says
//! that it was paid, whether or not the browser comes back.
//!
//! A second request opens a second page. Only a page that is paid has an effect.

use std::sync::Arc;

use domain::{
    payment::Cents,
    permissions::{ManagesBilling, Member},
    ports::{
        CheckoutKind, CheckoutRequest, Failure, PaymentError, PaymentRecords, Payments, RateWindows, StepKey,
    },
    role::Role,
    throttle::Wait,
};
use kit::{
    Access, Body, Code, Endpoint, Output, Permitted, Ports, RequestContext, Spec, Whole,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{allowance, customer, refusals};

/// The least amount in cents: $5.
const LEAST: i64 = 500;
/// The largest amount in cents: $1,000.
const MOST: i64 = 100_000;

/// Opens a page on which a person buys credit.
pub struct OpenCheckout;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
}

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

kit::errors! {
    pub enum Error from Failure {
        /// Stripe did not open a page.
        Stripe(error: PaymentError) => refusals::problem(error),
        /// The workspace called Stripe too often.
        TooMany(wait: Wait) => allowance::exhausted(wait),
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
    type Deps = Deps;
    type Input = Body<CheckoutBody>;
    type Output = OpenedCheckout;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records(), windows: ports.rate_windows() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Self::Caller>,
        Body(form): Self::Input,
    ) -> Result<OpenedCheckout, Error> {
        let cents = u32::try_from(form.amount_cents.get()).unwrap_or_default();
        open(deps.ports(), call, CheckoutKind::TopUp(Cents::new(cents))).await
    }
}

impl Deps {
    /// The ports.
    pub fn ports(&self) -> (&dyn Payments, &dyn PaymentRecords, &dyn RateWindows) {
        (&*self.payments, &*self.records, &*self.windows)
    }
}

/// Opens a page for the customer of the caller's workspace.
pub async fn open(
    (payments, records, windows): (&dyn Payments, &dyn PaymentRecords, &dyn RateWindows),
    call: &RequestContext<Permitted<Member, ManagesBilling>>,
    kind: CheckoutKind,
) -> Result<OpenedCheckout, Error> {
    let proof = &call.caller.proof;
    allowance::take(windows, proof.workspace(), call.now).await?.map_err(Error::TooMany)?;
    let account = customer::of((records, payments), proof, call.region, call.now).await?;
    let page = payments.return_url(call.host());
    let request = CheckoutRequest {
        customer: account.map_err(Error::Stripe)?.customer,
        workspace: proof.workspace(),
        region: call.region,
        kind,
        success_url: format!("{page}?checkout={{CHECKOUT_SESSION_ID}}"),
        cancel_url: page,
    };
    let step = StepKey(format!("checkout-{}", call.id::<domain::id::OfRequest>()));
    let opened = payments.open_checkout(&request, &step).await?.map_err(Error::Stripe)?;
    let url = opened.url.ok_or_else(|| Failure::Broken("an open Checkout session has no page".to_owned()))?;
    Ok(OpenedCheckout { url, session_id: opened.id.to_string() })
}
