//! Lambda entry point of `billing-transactions`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, members, postings, sessions, signing keys, the secret
//!   `forwarding`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::transactions::ListTransactions>()
}
