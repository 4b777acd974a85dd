//! `GET /api/billing/invoices`: the invoices of the subscription, as Stripe has them, newest first.

use std::sync::Arc;

use domain::{
    Timestamp,
    payment::Invoice,
    permissions::Member,
    ports::{Failure, PaymentError, PaymentRecords, Payments},
    role::Role,
};
use kit::{
    Access, Code, Endpoint, Output, Params, Ports, RequestContext, Spec,
    grants::{payment_records, payments},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::refusals;

/// Lists invoices.
pub struct ListInvoices;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
}

/// The query.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvoiceQuery {
    /// The id of the invoice that the list begins after.
    #[serde(default)]
    after: Option<String>,
}

/// Invoices, newest first.
#[derive(Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Invoices {
    /// At most 100 invoices.
    invoices: Vec<ShownInvoice>,
    /// Whether there are older ones: ask for those after the last one.
    has_more: bool,
}
impl Output for Invoices {}

/// An invoice.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownInvoice {
    /// The id at Stripe.
    id: String,
    /// The number on the invoice. Drafts have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible` or `void`.
    status: String,
    /// The amount in US cents.
    total_cents: i64,
    /// When it was made.
    #[schemars(schema_with = "kit::input::date_time")]
    created_at: Timestamp,
    /// Stripe's page of the invoice, on which an open one can be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The invoice as a PDF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pdf_url: Option<String>,
}

impl From<Invoice> for ShownInvoice {
    fn from(Invoice { id, number, status, total_cents, created_at, url, pdf_url }: Invoice) -> Self {
        Self { id, number, status, total_cents, created_at, url, pdf_url }
    }
}

kit::errors! {
    pub enum Error from Failure {
        /// There is no such invoice, or Stripe does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
    }
}

impl Endpoint for ListInvoices {
    const SPEC: Spec = spec("billing-invoices", Get, "/api/billing/invoices")
        .summary("List invoices")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::PaymentsNotSetUp])
        .uses(&[payment_records::ACCOUNT, payments::INVOICES]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<InvoiceQuery>;
    type Output = Invoices;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(query): Self::Input,
    ) -> Result<Invoices, Error> {
        let Some(account) = deps.records.account(call.caller.workspace.id).await? else {
            return Ok(Invoices::default());
        };
        let page = deps.payments.invoices(&account.customer, query.after.as_deref()).await?;
        let page = page.map_err(Error::Stripe)?;
        Ok(Invoices { invoices: page.items.into_iter().map(Into::into).collect(), has_more: page.more })
    }
}
