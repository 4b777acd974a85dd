//! Rewards for referrals: of a referrer in the region of the friend, and of one in another region.

use domain::region::Region;
use tests::{Person, cards};

use super::Event;
use crate::fixtures::{billing::charges, payers::sends_event, referrals::refers};

/// The events.
pub fn events() -> [Event; 2] {
    [
        Event {
            function: "reward-referrers",
            name: "a referrer of the region",
            set_off: |who, n| Box::pin(reward(who, Region::Eu, n)),
            last_call: "TransactWriteItems",
            least: (4, 3, 4.0, 8.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "reward-referrers",
            name: "a referrer of another region",
            set_off: |who, n| Box::pin(reward(who, Region::Us, n)),
            last_call: "GetItem",
            least: (1, 1, 1.0, 0.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// A friend tops up what a referrer of this region is rewarded for. Both have wallets. Stripe's other events are held back.
async fn reward(who: Person, home: Region, n: usize) {
    let referrer = who.app.living_in(home).user(&format!("refers{n}")).await;
    charges(&referrer, "first", 1).await.expect(200);
    let friend = refers(&referrer, &format!("referred{n}"), who.app.home()).await;
    who.app.stripe().hold(true).await;
    let payment = friend.top_up(1_000, cards::VISA).await;
    sends_event(&friend, &format!("evt_referred_{n}"), &payment).await.expect(200);
}
