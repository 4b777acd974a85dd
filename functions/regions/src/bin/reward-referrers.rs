//! Lambda entry point of `reward-referrers`.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<regions::reward_referrers::RewardReferrers>()
}
