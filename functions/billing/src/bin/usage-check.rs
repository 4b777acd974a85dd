//! Lambda entry point of `usage-check`. Its grants (written by `cargo generate`):
//!
//! - Reads wallets, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::usage_check::CheckUsage>()
}
