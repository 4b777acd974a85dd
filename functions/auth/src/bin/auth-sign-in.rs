//! Lambda entry point of `auth-sign-in`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims, addresses, idempotency records, passwords, sessions, the secret `addresses`, the
//!   secret `forwarding`, the secret `tokens`, throttles, users, workspaces.
//! - Writes idempotency records, outbox, passwords, sessions, throttles.
//! - Deletes sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::sign_in::SignIn>()
}
