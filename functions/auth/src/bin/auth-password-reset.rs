//! Lambda entry point of `auth-password-reset`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, last resets, resets asked, sessions, the secret `addresses`, the secret
//!   `forwarding`, the secret `tokens`, user addresses, users, workspaces.
//! - Writes events, idempotency records, last resets, outbox, passwords, rate windows, throttles.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::password_reset::PasswordReset>()
}
