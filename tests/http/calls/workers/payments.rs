//! Payments: what Stripe tells of, credit that is bought automatically, and the comparison with Stripe.

use tests::{Person, cards};

use super::{Event, run};
use crate::fixtures::{
    billing::charges,
    payers::{agrees, saves_card, sends_event, sets_default},
};

/// The events.
pub fn events() -> Vec<Event> {
    vec![
        Event {
            function: "apply-payments",
            name: "a payment",
            set_off: |who, n| Box::pin(pay(who, n)),
            last_call: "TransactWriteItems",
            least: (5, 2, 4.0, 10.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "top-up-wallets",
            name: "nothing due",
            set_off: |who, _| Box::pin(run(who, "top-up-wallets")),
            last_call: "Query",
            least: (8, 1, 8.0, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "top-up-wallets",
            name: "a wallet",
            set_off: |who, n| Box::pin(top_up(who, n)),
            last_call: "TransactWriteItems",
            least: (16, 6, 14.0, 16.0),
            reason: "the payment is stored before Stripe is asked to make it, and booked as Stripe then says, with records that are \
        read again",
            sets_off: &[],
        },
        Event {
            function: "reconcile-payments",
            name: "nothing missed",
            set_off: |who, _| Box::pin(run(who, "reconcile-payments")),
            last_call: "PutItem",
            least: (2, 2, 1.0, 1.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// Somebody new, who has a wallet.
async fn with_wallet(who: &Person, what: &str, n: usize) -> Person {
    let new = who.app.user(&format!("{what}{n}")).await;
    charges(&new, "first", 1).await.expect(200);
    new
}

/// Stripe tells of a payment. Its other events are held back.
async fn pay(who: Person, n: usize) {
    let (new, stripe) = (with_wallet(&who, "payer", n).await, who.app.stripe());
    stripe.hold(true).await;
    let payment = new.top_up(2_000, cards::VISA).await;
    sends_event(&new, &format!("evt_measured_{n}"), &payment).await.expect(200);
}

/// Credit is bought, before Stripe tells of it.
async fn top_up(who: Person, n: usize) {
    let new = with_wallet(&who, "topped-up", n).await;
    who.app.stripe().hold(true).await;
    let card = saves_card(&new, "pm_card_visa").await;
    sets_default(&new, &card).await.expect(200);
    // The charge leaves the balance just below this.
    agrees(&new, 2_500, 500).await.expect(200);
    run(who, "top-up-wallets").await;
}
