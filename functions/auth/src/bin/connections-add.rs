//! Lambda entry point of `connections-add`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, identity claims (in the authority), sessions, signing keys, the secret
//!   `addresses`, the secret `forwarding`, users, workspaces.
//! - Writes connections, events, idempotency records, identities, identity claims (in the authority), outbox,
//!   pending claims (in the authority).
//! - Deletes disconnections, identity claims (in the authority), pending claims (in the authority).

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::connections_add::ConnectionsAdd>()
}
