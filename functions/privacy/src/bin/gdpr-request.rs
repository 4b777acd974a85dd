//! Lambda entry point of `gdpr-request`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, jobs, keys, members, memberships, owned teams,
//!   sessions, signing keys, the secret `addresses`, the secret `forwarding`, users, workspaces.
//! - Writes deletions due, erasures, events, exports due, idempotency records, jobs, key holders, keys,
//!   outbox, owned teams, sessions.
//! - Deletes addresses, handles, key holders, keys, mail blocks, owned teams, passwords, sessions, users,
//!   workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<privacy::request::RequestPrivacyJob>()
}
