//! Lambda entry point of `verify-wallets`. Its grants (written by `cargo generate`):
//!
//! - Reads postings, verifications, wallets, wallets due.
//! - Writes postings, verifications, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<billing::verify_wallets::VerifyWallets>()
}
