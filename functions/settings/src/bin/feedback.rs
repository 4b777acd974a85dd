//! Lambda entry point of `feedback`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, the secret `addresses`.
//! - Writes feedback, idempotency records, outbox, rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::feedback::SendFeedback>()
}
