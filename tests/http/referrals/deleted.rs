//! Friends who delete their accounts: refunds and disputes afterwards still take the reward of the referrer back.

use super::*;
use crate::{
    log::Log,
    privacy::{Everything, looked_once},
};

/// A friend whose top-up of $10 was rewarded deletes the account; the payment.
async fn leaves(referrer: &Person, friend: &Person) -> String {
    let payment = friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    settled(friend).await;
    friend.ask_to_be_deleted().await.expect(202);
    looked_once(friend).await;
    payment
}

/// The records of referrals in all regions.
async fn kept(app: &App) -> Vec<Value> {
    let items = Everything::of(app).await.items.into_values();
    let prefix = ItemKind::FormerReferrals.prefix();
    items.filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(prefix))).collect()
}

#[tokio::test]
async fn refund_after_the_friend_is_deleted_takes_the_reward_back() {
    let log = Log::captured();
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "left").await, far_apart(&app, "left-far").await] {
        let payment = leaves(&referrer, &friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
        let records = kept(&friend.app).await;
        assert!(records.iter().any(|record| record.to_string().contains(&payment)), "{records:?}");
        for record in &records {
            for name in [friend.id().bare(), friend.handle.clone(), friend.email.clone()] {
                assert!(!record.to_string().contains(&name), "{record}");
            }
        }
        refunds(&friend, &payment, 400).await;
        referrer.until_balance(OPENING).await;
        // The rest changes nothing any more.
        refunds(&friend, &payment, 600).await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN)]);
        assert_eq!(friend.app.queue("dead-letters").await, (0, 0, 0));
        recomputed(&referrer).await;
        let text = String::from_utf8_lossy(&log.bytes()).into_owned();
        let is_error = |line: &&str| line.contains("of no customer") && line.contains(&payment);
        assert_eq!(text.lines().find(is_error), None);
    }
}

#[tokio::test]
async fn dispute_won_after_the_deletion_gives_the_reward_back() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "left-wins").await;
    let (payment, stripe) = (leaves(&referrer, &friend).await, app.stripe());
    let dispute = disputes(&stripe, &payment).await;
    referrer.until_balance(OPENING).await;
    stripe.control(&dispute, json!({ "status": "won" })).await;
    referrer.until_balance(OPENING + TEN).await;
    settled(&friend).await;
    assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN), ("promo", TEN)]);
    recomputed(&referrer).await;
}

#[tokio::test]
async fn refund_during_the_deletion_waits_for_what_is_kept() {
    let app = App::start().await;
    let (referrer, friend) = neighbours(&app, "leaving").await;
    let payment = friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    settled(&friend).await;
    let fault = json!({ "service": "dynamodb", "function": "run-deletion", "kind": "refused", "times": 0 });
    app.faults(json!([fault])).await;
    friend.ask_to_be_deleted().await.expect(202);
    refunds(&friend, &payment, 1_000).await;
    let waits = async || app.queue("apply-payments").await.2 > 0;
    app.until("the refund does not wait", waits).await;
    assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
    app.no_faults().await;
    looked_once(&friend).await;
    referrer.until_balance(OPENING).await;
    settled(&friend).await;
    assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN)]);
    assert_eq!(app.queue("dead-letters").await, (0, 0, 0));
}
