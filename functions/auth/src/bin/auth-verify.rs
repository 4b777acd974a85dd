//! Lambda entry point of `auth-verify`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims (in the authority), idempotency records, sessions, sign ups, the secret
//!   `addresses`, the secret `codes`, the secret `forwarding`, the secret `tokens`, workspaces.
//! - Writes address claims (in the authority), addresses, idempotency records, outbox, passwords, pending
//!   claims (in the authority), rate windows, sessions, sign ups, users.
//! - Deletes sign ups.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::verify::Verify>()
}
