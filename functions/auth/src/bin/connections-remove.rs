//! Lambda entry point of `connections-remove`. Its grants (written by `cargo generate`):
//!
//! - Reads connections, idempotency records, passwords, sessions, signing keys, the secret `forwarding`,
//!   workspaces.
//! - Writes disconnections, events, idempotency records, outbox.
//! - Deletes connections, identities.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::connections_remove::ConnectionsRemove>()
}
