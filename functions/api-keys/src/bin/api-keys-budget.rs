//! Lambda entry point of `api-keys-budget`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, keys, members, sessions, signing keys, the secret `forwarding`, wallets,
//!   workspaces.
//! - Writes events, postings, wallets, wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<api_keys::budget::SetKeyBudget>()
}
