//! Lambda entry point of `account-summary`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, members, memberships, sessions, signing keys, the secret
//!   `forwarding`, usage, wallets, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::account_summary::Summarize>()
}
