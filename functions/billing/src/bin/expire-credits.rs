//! Lambda entry point of `expire-credits`. Its grants (written by `cargo generate`):
//!
//! - Reads wallets, wallets due.
//! - Writes postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<billing::expire_credits::ExpireCredits>()
}
