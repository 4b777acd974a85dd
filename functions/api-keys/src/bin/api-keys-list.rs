//! Lambda entry point of `api-keys-list`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, keys, members, sessions, signing keys, the secret
//!   `forwarding`, wallets, workspaces.
//! - Writes rate windows.
//! - Uses data keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::list::ListKeys>()
}
