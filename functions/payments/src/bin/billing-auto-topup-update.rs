//! Lambda entry point of `billing-auto-topup-update`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, wallets,
//!   workspaces.
//! - Writes events, postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::auto_topup_update::UpdateAutoTopUp>()
}
