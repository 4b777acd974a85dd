//! `GET /api/billing/receipt`: the address of Stripe's receipt of a transaction. It is fetched from Stripe each time: such addresses
//! end.

use std::sync::Arc;

use domain::{
    permissions::Member,
    ports::{Failure, PaymentError, Payments, Wallets},
    role::Role,
    wallet::Cause,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Ports, Problem, RequestContext, Spec,
    grants::{payments, wallets},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::refusals;

/// Returns the address of a receipt.
pub struct ReadReceipt;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
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
    pub enum Error from Failure {
        /// There is no such transaction, or it is of no payment.
        Nothing => Problem::not_found(),
        /// Stripe does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
    }
}

impl Endpoint for ReadReceipt {
    const SPEC: Spec = spec("billing-receipt", Get, "/api/billing/receipt")
        .summary("Get the receipt of a payment")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::PaymentsNotSetUp])
        .uses(&[wallets::POSTING, payments::RECEIPT_URL]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<ReceiptQuery>;
    type Output = PaymentReceipt;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), wallets: ports.wallets() }
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
        let url = deps.payments.receipt_url(&intent).await?.map_err(Error::Stripe)?;
        Ok(PaymentReceipt { url: url.ok_or(Error::Nothing)? })
    }
}
