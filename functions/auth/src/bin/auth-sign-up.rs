//! Lambda entry point of `auth-sign-up`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, mail blocks, sign ups, the secret `addresses`, the secret `codes`, the secret
//!   `forwarding`.
//! - Writes idempotency records, outbox, rate windows, sign ups.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_up::StartSignUp>()
}
