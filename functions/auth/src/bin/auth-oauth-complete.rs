//! Lambda entry point of `auth-oauth-complete`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims, address claims (in the authority), addresses, disconnections, idempotency records,
//!   identities, identity claims, identity claims (in the authority), sessions, the secret `addresses`, the
//!   secret `forwarding`, the secret `tokens`, users, workspaces.
//! - Writes address claims (in the authority), addresses, connections, events, idempotency records,
//!   identities, identity claims (in the authority), outbox, pending claims (in the authority), rate windows,
//!   sessions, users.
//! - Deletes identity claims (in the authority), pending claims (in the authority), sessions.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<auth::oauth_complete::OauthComplete>()
}
