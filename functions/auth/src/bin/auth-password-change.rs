//! Lambda entry point of `auth-password-change`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, last resets, passwords, sessions, signing keys, the secret `forwarding`, user
//!   addresses, users, workspaces.
//! - Writes events, idempotency records, last resets, outbox, passwords, throttles.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::password_change::PasswordChange>()
}
