//! The reward of a referrer for a friend: how the changes of a referral lead to postings.

use super::Booked;
use crate::referral::MOST_CHANGES;

/// What a change of a referral does to the wallet of the referrer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewardStep {
    /// The change with this number adds the reward.
    Add(u32),
    /// The change with this number takes the reward back.
    TakeBack(u32),
    /// The change with this number adds nothing, because its successor took the reward back already. The wallet remembers the change, so
    /// that a late message about it adds nothing either.
    LeaveOut(u32),
}

/// The steps that lead to the change with the number `changes`. `booked` says what the wallet of the referrer remembers of the changes 1, 2,
/// 3 and so on. Changes after [`MOST_CHANGES`] do nothing.
pub fn reward_steps(changes: u32, booked: &[Option<Booked>]) -> Vec<RewardStep> {
    let last = changes.min(MOST_CHANGES);
    let booked_of = |change: u32| -> Option<Booked> {
        let place = usize::try_from(change).ok()?.checked_sub(1)?;
        booked.get(place).copied().flatten()
    };
    let mut steps = Vec::new();
    for odd in (1..=last).step_by(2) {
        let even = odd.saturating_add(1);
        match booked_of(odd) {
            None if odd == last => steps.push(RewardStep::Add(odd)),
            None => steps.push(RewardStep::LeaveOut(odd)),
            Some(reward) if reward.posting.is_some() && even <= last && booked_of(even).is_none() => {
                steps.push(RewardStep::TakeBack(even));
            }
            Some(_) => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::MicroUsd;

    /// What a wallet remembers, and how often the reward is in it.
    #[derive(Default)]
    struct Ledger {
        booked: [Option<Booked>; 6],
        rewards: i32,
    }

    impl Ledger {
        /// Delivers a message about a change.
        fn deliver(&mut self, changes: u32) {
            for step in reward_steps(changes, &self.booked) {
                let (change, posting, difference) = match step {
                    RewardStep::Add(change) => (change, Some(1), 1),
                    RewardStep::TakeBack(change) => (change, Some(1), -1),
                    RewardStep::LeaveOut(change) => (change, None, 0),
                };
                let place = &mut self.booked[usize::try_from(change).unwrap() - 1];
                assert_eq!(*place, None, "change {change} is booked twice");
                *place = Some(Booked { posting, amount: MicroUsd::ZERO, released: false });
                self.rewards += difference;
                assert!((0..=1).contains(&self.rewards));
            }
        }
    }

    #[test]
    fn changes_in_order_add_and_take_back_the_reward() {
        let mut ledger = Ledger::default();
        for changes in 0..=MOST_CHANGES {
            ledger.deliver(changes);
            ledger.deliver(changes);
            assert_eq!(ledger.rewards, i32::from(changes % 2 == 1), "{changes}");
        }
        ledger.deliver(MOST_CHANGES + 1);
        assert_eq!(ledger.rewards, 0);
    }

    #[test]
    fn late_change_adds_nothing_after_its_successor() {
        let mut ledger = Ledger::default();
        ledger.deliver(2);
        assert_eq!(reward_steps(1, &ledger.booked), []);
        assert_eq!(reward_steps(3, &ledger.booked), [RewardStep::Add(3)]);
        ledger.deliver(1);
        assert_eq!(ledger.rewards, 0);
    }

    #[test]
    fn skipped_changes_are_made_up_for() {
        let mut ledger = Ledger::default();
        ledger.deliver(1);
        assert_eq!(
            reward_steps(5, &ledger.booked),
            [RewardStep::TakeBack(2), RewardStep::LeaveOut(3), RewardStep::Add(5)]
        );
        ledger.deliver(5);
        assert_eq!(ledger.rewards, 1);
    }

    proptest! {
        #[test]
        fn last_change_decides_in_any_order(messages in prop::collection::vec(0..=MOST_CHANGES, 0..12)) {
            let mut ledger = Ledger::default();
            for changes in &messages {
                ledger.deliver(*changes);
            }
            let last = messages.iter().max().copied().unwrap_or_default();
            prop_assert_eq!(ledger.rewards, i32::from(last % 2 == 1));
        }
    }
}
