//! `GET /api/billing/receipt`: the address of Stripe's receipt of a transaction. It is fetched from Stripe each time: such addresses
//! end.

use std::sync::Arc;

use domain::{
    permissions::Member,
    ports::{Failure, Wallets},
    role::Role,
    wallet::Cause,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec,
    grants::{payments, rate_windows, wallets},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stripe_deps::{StripeDeps, StripeError};

/// Returns the address of a receipt.
pub struct ReadReceipt;

/// The ports.
pub struct Deps {
    stripe: StripeDeps,
    wallets: Arc<dyn Wallets>,
}

/// The query.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptQuery {
    /// The id of the transaction.
    transaction: String,
}

/// A receipt.
#[derive(Serialize, JsonSchema)]
pub struct PaymentReceipt {
    /// The page of Stripe.
    url: String,
}
impl Output for PaymentReceipt {}

kit::errors! {
    pub enum Error from StripeError, Failure {
        /// There is no such transaction, or it is of no payment.
        Nothing => Problem::not_found(),
    }
}

impl Endpoint for ReadReceipt {
    const SPEC: Spec = spec("billing-receipt", Get, "/api/billing/receipt")
        .summary("Get the receipt of a payment")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[wallets::POSTING, rate_windows::TAKE, payments::RECEIPT_URL]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<ReceiptQuery>;
    type Output = PaymentReceipt;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { stripe: StripeDeps::of(ports), wallets: ports.wallets() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(query): Self::Input,
    ) -> Result<PaymentReceipt, Error> {
        let number: u64 = query.transaction.parse().map_err(|_| Error::Nothing)?;
        let posting = deps.wallets.posting(call.caller.workspace.id, number).await?;
        let Some(Cause::Payment { intent, .. }) = posting.map(|posting| posting.cause) else {
            return Err(Error::Nothing);
        };
        deps.stripe.count_read(call).await?;
        let url = deps.stripe.payments.receipt_url(&intent).await?.map_err(StripeError::Stripe)?;
        Ok(PaymentReceipt { url: url.ok_or(Error::Nothing)? })
    }
}
