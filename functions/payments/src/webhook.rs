//! `POST /api/webhooks/stripe`: takes an event of Stripe. It stores the event with a message about its object, and answers; a worker
//! fetches the object and applies it. The same event again changes nothing
//! ([best practices](https://docs.stripe.com/webhooks#best-practices)).

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    domain_events::DomainEvent,
    payment::StripeEvent,
    ports::{Failure, PaymentError, PaymentRecords, Payments},
    region::Region,
};
use kit::{
    Access, Anyone, Code, Endpoint, Input, Output, Ports, Problem, RequestContext, Spec,
    grants::{extras, payment_records, payments},
    input::{InputSchemas, Raw},
    spec,
    spec::Method::Post,
};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::Serialize;

use crate::refusals;

/// The most bytes of an event.
const LARGEST_EVENT: usize = 256 * 1024;
/// The header with the signature.
const SIGNATURE: &str = "stripe-signature";

/// Takes an event.
pub struct ReceiveStripeEvent;

/// The ports.
pub struct Deps {
    payments: Arc<dyn Payments>,
    records: Arc<dyn PaymentRecords>,
}

/// A body with its signature. The body is read only after the signature was verified.
pub struct SignedEvent {
    body: Bytes,
    signature: String,
}

impl Input for SignedEvent {
    fn read(raw: &Raw<'_>) -> Result<Self, Problem> {
        <() as Input>::read(raw)?;
        let signature = raw.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
        Ok(Self { body: raw.body.clone(), signature: signature.unwrap_or_default().to_owned() })
    }

    fn describe(_: &mut SchemaGenerator) -> InputSchemas {
        let event = json_schema!({ "type": "object", "description": "An event of Stripe, with its signature in the header `Stripe-Signature`." });
        InputSchemas { body: Some(event.to_value()), ..InputSchemas::default() }
    }
}

/// The event was received.
#[derive(Serialize, JsonSchema)]
pub struct Received {
    /// Always `true`.
    received: bool,
}
impl Output for Received {}

kit::errors! {
    pub enum Error from Failure {
        /// Stripe did not sign it, or too long ago.
        Forged => Problem::new(Code::BadRequest, "The signature does not fit this event."),
        /// The deployment has no key of Stripe.
        Stripe(error: PaymentError) => refusals::problem(error),
    }
}

impl From<PaymentError> for Error {
    fn from(error: PaymentError) -> Self {
        Self::Stripe(error)
    }
}

impl Endpoint for ReceiveStripeEvent {
    const SPEC: Spec = spec("stripe-webhook", Post, "/api/webhooks/stripe")
        .summary("Receive an event of Stripe")
        .access(Access::anyone())
        .body_limit(LARGEST_EVENT)
        .problems(&[Code::BadRequest, Code::PaymentsNotSetUp])
        .uses(&[payments::VERIFIED_EVENT, payments::IS_LIVE, payment_records::KEEP_EVENT, extras::MESSAGE]);
    type Caller = Anyone;
    type Deps = Deps;
    type Input = SignedEvent;
    type Output = Received;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { payments: ports.payments(), records: ports.payment_records() }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Anyone>,
        SignedEvent { body, signature }: Self::Input,
    ) -> Result<Received, Error> {
        let event = deps.payments.verified_event(&body, &signature, call.now).await??;
        let event = event.ok_or(Error::Forged)?;
        if is_ours(&event, deps.payments.is_live().await??, call.region) {
            let notice = event.subject.clone().map(|subject| DomainEvent::PaymentChanged { subject });
            deps.records.keep_event(&event, call.now, call.extras(None, notice, "")).await?;
        }
        Ok(Received { received: true })
    }
}

/// Whether an event concerns this deployment. One account of Stripe may serve several regions: each gets every event, and stores none
/// about objects of another.
pub fn is_ours(event: &StripeEvent, live: bool, here: Region) -> bool {
    event.account.is_none() && event.live == live && event.region.is_none_or(|region| region == here)
}
