//! Lambda entry point of `top-up-wallets`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, payments, the secret `payments`, wallets, wallets due, workspaces.
//! - Writes causes, events, outbox, payments, postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<payments::top_up_wallets::TopUpWallets>()
}
