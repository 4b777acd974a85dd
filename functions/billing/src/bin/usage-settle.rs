//! Lambda entry point of `usage-settle`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, postings, wallets, workspaces.
//! - Writes causes, postings, wallets, wallets due.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::usage_settle::SettleUsage>()
}
