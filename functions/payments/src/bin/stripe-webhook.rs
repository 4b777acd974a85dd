//! Lambda entry point of `stripe-webhook`. Its grants (written by `cargo generate`):
//!
//! - Reads the secret `payments`.
//! - Writes outbox, stripe events.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::webhook::ReceiveStripeEvent>()
}
