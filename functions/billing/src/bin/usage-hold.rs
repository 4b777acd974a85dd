//! Lambda entry point of `usage-hold`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, wallets, workspaces.
//! - Writes postings, wallets, wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::usage_hold::HoldUsage>()
}
