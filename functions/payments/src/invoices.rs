//! `GET /api/billing/invoices`: the invoices of the subscription, as Stripe has them, newest first.

use domain::{Timestamp, payment::Invoice, permissions::Member, role::Role};
use kit::{
    Access, Code, Endpoint, Output, Params, Ports, RequestContext, Spec,
    grants::{payment_records, payments, rate_windows},
    spec,
    spec::Method::Get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stripe_deps::{StripeDeps, StripeError};

/// Lists invoices.
pub struct ListInvoices;

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

impl Endpoint for ListInvoices {
    const SPEC: Spec = spec("billing-invoices", Get, "/api/billing/invoices")
        .summary("List invoices")
        .access(Access::member(Role::Admin))
        .problems(&[Code::NotFound, Code::RateLimited, Code::PaymentsNotSetUp])
        .uses(&[payment_records::ACCOUNT, rate_windows::TAKE, payments::INVOICES]);
    type Caller = Member;
    type Deps = StripeDeps;
    type Input = Params<InvoiceQuery>;
    type Output = Invoices;
    type Error = StripeError;

    fn deps(ports: &impl Ports) -> StripeDeps {
        StripeDeps::of(ports)
    }

    async fn handle(
        deps: &StripeDeps,
        call: &RequestContext<Member>,
        Params(query): Self::Input,
    ) -> Result<Invoices, StripeError> {
        let Some(account) = deps.records.account(call.caller.workspace.id).await? else {
            return Ok(Invoices::default());
        };
        deps.count_read(call).await?;
        let page = deps.payments.invoices(&account.customer, query.after.as_deref()).await?;
        let page = page.map_err(StripeError::Stripe)?;
        Ok(Invoices { invoices: page.items.into_iter().map(Into::into).collect(), has_more: page.more })
    }
}
