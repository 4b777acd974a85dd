//! Lambda entry point of `reward-referrers`. Its grants (written by `cargo generate`):
//!
//! - Reads causes, former referrals, the secret `forwarding`, wallets, workspaces.
//! - Writes causes, events, postings, wallets, wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<regions::reward_referrers::RewardReferrers>()
}
