//! Lambda entry point of `wallet-adjust`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, wallets, workspaces.
//! - Writes causes, postings, wallets.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::wallet_adjust::AdjustWallet>()
}
