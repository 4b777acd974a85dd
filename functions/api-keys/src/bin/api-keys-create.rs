//! Lambda entry point of `api-keys-create`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, keys, members, sessions, signing keys, the secret
//!   `forwarding`, workspaces.
//! - Writes events, idempotency records, key holders, keys, outbox.
//! - Uses data keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::create::CreateKey>()
}
