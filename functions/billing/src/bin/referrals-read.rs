//! Lambda entry point of `referrals-read`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, signing keys, the secret `addresses`, the secret `forwarding`, wallets, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<billing::referrals_read::ReadReferrals>()
}
