//! Lambda entry point of `region-referral-reward`.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::referral_reward::BookReward>()
}
