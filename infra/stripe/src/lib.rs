//! A stand-in for the part of Stripe's API that an account area needs, in the shapes of version
//! `2026-10-28.endive` (<https://docs.stripe.com/api>). A deployment does not have it.
//!
//! - `<base>/v1/...`: the API, for a client with the secret key.
//! - `<base>/pay/...`: the page that a Checkout session leads to, with test cards instead of cards.
//! - `<base>/authenticate/...`: the page where a customer authenticates, instead of the bank's.
//! - `<base>/receipts/...`, `<base>/invoices/...`: the pages of receipts and invoices.
//! - `<base>/_test/...`: controls of webhooks, faults, disputes and time, for tests. They need no key.
//!
//! Its state survives the end of the process, if it has a file. Its events are delivered to webhook endpoints
//! with signatures.

// The objects of the API have up to 70 members, and `json!` recurses for each.
#![recursion_limit = "512"]

mod api_error;
mod authentication;
mod billing_pages;
mod calls;
mod cards;
mod charges;
mod checkout;
mod checkout_lines;
mod checkout_payment;
mod checkout_session;
mod controls;
mod customers;
mod deliveries;
mod dispatch;
mod disputes;
mod events;
mod expand;
mod faults;
mod idempotency;
mod invoice_payment;
mod invoices;
mod journal;
mod lists;
mod page;
mod params;
mod payment_attempts;
mod payment_intents;
mod payment_methods;
mod prices;
mod proration;
mod random;
mod refunds;
mod renewal;
mod routes;
mod server;
mod setup_intents;
mod stand_in;
mod state;
mod subscriptions;
mod tax_ids;
#[cfg(test)]
mod testing;
mod webhooks;
mod work;

pub use stand_in::{Deliver, StripeOptions, StripeStandIn, StripeStartError, WebhookEndpoint};
