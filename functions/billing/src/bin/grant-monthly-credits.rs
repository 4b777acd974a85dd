//! Lambda entry point of `grant-monthly-credits`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, wallets, wallets due, workspaces.
//! - Writes causes, postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<billing::grant_monthly_credits::GrantMonthlyCredits>()
}
