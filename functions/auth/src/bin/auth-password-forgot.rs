//! Lambda entry point of `auth-password-forgot`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims, addresses, idempotency records, resets asked, the secret `addresses`, the secret
//!   `forwarding`.
//! - Writes idempotency records, outbox, rate windows, resets asked.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::password_forgot::PasswordForgot>()
}
