//! Lambda entry point of `emails-resend`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, mail blocks, sessions, signing keys, the secret `addresses`, the secret
//!   `forwarding`, user addresses, users, workspaces.
//! - Writes idempotency records, outbox, rate windows, user addresses.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<emails::resend::ResendCode>()
}
