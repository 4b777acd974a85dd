//! Lambda entry point of `api-keys-revoke`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, keys, members, sessions, signing keys, the secret `forwarding`,
//!   workspaces.
//! - Writes events, outbox.
//! - Deletes key holders, keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::revoke::RevokeKey>()
}
