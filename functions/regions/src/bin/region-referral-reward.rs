//! Lambda entry point of `region-referral-reward`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, the secret `forwarding`, wallets, workspaces.
//! - Writes causes, events, postings, wallets, wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::referral_reward::BookReward>()
}
