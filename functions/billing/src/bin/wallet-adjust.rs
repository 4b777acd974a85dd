//! Lambda entry point of `wallet-adjust`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, wallets, workspaces.
//! - Writes causes, events, postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::wallet_adjust::AdjustWallet>()
}
