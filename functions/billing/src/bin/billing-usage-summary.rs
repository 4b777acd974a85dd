//! Lambda entry point of `billing-usage-summary`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, key holders, members, sessions, signing keys, the secret
//!   `forwarding`, usage, wallets, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::usage_summary::ReadUsageSummary>()
}
