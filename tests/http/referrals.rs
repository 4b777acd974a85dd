//! Referrals: the friend gets credit with the account, and the referrer for as long as the friend's top-ups sum to ten dollars.
//!
//! Not run in outages: it chooses its regions, and claims names all the time.

mod codes;
mod credit;
mod deleted;
mod faults;
mod secrecy;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{region::Region, wallet::Posting};
use kit::ItemKind;
use tests::{App, Person, Stripe, Value, cards, json, outage};

use crate::{
    fixtures::{
        billing::{balance, charges},
        referrals::{OPENING, TEN, code_of, onboards, refers, refunds},
    },
    wallets::recomputed,
};

const FIVE: i64 = 5_000_000;
const WORKER: &str = "reward-referrers";

/// What the rewards of somebody were booked as, in order: type and amount in micro-USD.
async fn rewards(who: &Person) -> Vec<(&'static str, i64)> {
    let partition = AttributeValue::S(ItemKind::Postings.partition(who.workspace()));
    let query = who.app.tables().query().table_name(who.app.table("billing")).consistent_read(true);
    let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", partition);
    let items = query.send().await.unwrap().items.unwrap_or_default();
    let postings = items.into_iter().map(|item| -> Posting { serde_dynamo::from_item(item).unwrap() });
    let of_friends = postings.filter(|posting| posting.cause.to_string().starts_with("reward#"));
    of_friends.map(|posting| (posting.r#type.as_str(), posting.amount.micros())).collect()
}

/// Waits until somebody has so many bookings of rewards, and gives them.
async fn until_rewards(who: &Person, count: usize) -> Vec<(&'static str, i64)> {
    let are_there = async || rewards(who).await.len() == count;
    who.app.until(&format!("there are not {count} bookings of rewards"), are_there).await;
    rewards(who).await
}

/// The types of the postings of somebody, whose wallet is recomputed.
async fn types(who: &Person) -> Vec<&'static str> {
    recomputed(who).await.iter().map(|posting| posting.r#type.as_str()).collect()
}

/// How many lines of somebody's history tell of the wallet.
async fn lines(who: &Person) -> usize {
    who.activity().await.iter().filter(|line| line.starts_with("updated billing")).count()
}

/// What `GET /api/referrals` says of rewards: how many there are, and what they come to in cents.
async fn shown(who: &Person) -> (Value, Value) {
    let shown = who.get("/api/referrals").await.expect(200);
    (shown.at("/rewarded").clone(), shown.at("/earnedCents").clone())
}

/// Waits until no message about a referral waits at somebody's home.
async fn no_message_waits(who: &Person) {
    let is_done = async || who.app.queue(WORKER).await == (0, 0, 0);
    who.app.until("a message about a referral waits", is_done).await;
}

/// Waits until everything that follows from payments of a friend was done.
async fn settled(friend: &Person) {
    // What the first wait had published is in its queue after the second.
    for _ in 0..2 {
        friend.app.stripe().settle().await;
    }
    no_message_waits(friend).await;
}

/// Opens a dispute about a payment; its path among the controls of the stand-in.
async fn disputes(stripe: &Stripe, payment: &str) -> String {
    let dispute = stripe.control("disputes", json!({ "payment_intent": payment })).await;
    format!("disputes/{}", dispute["id"].as_str().unwrap())
}

/// A referrer at home and a friend in the same region.
async fn neighbours(app: &App, name: &str) -> (Person, Person) {
    let referrer = app.user(&format!("{name}-referrer")).await;
    let friend = refers(&referrer, &format!("{name}-friend"), app.home()).await;
    (referrer, friend)
}

/// A referrer in `eu` and a friend in `ap`.
async fn far_apart(app: &App, name: &str) -> (Person, Person) {
    let referrer = app.living_in(Region::Eu).user(&format!("{name}-referrer")).await;
    let friend = refers(&referrer, &format!("{name}-friend"), Region::Ap).await;
    (referrer, friend)
}

/// The friend has credit at once, the referrer after two top-ups of $5, and after more of them no more.
async fn are_both_rewarded(referrer: &Person, friend: &Person) {
    let lots = json!([
        { "kind": "referral", "amountMicroUsd": TEN }, { "kind": "sign-up", "amountMicroUsd": OPENING },
    ]);
    assert_eq!(balance(friend).await["balanceMicroUsd"], OPENING + TEN);
    assert_eq!(balance(friend).await["lots"], lots);
    assert_eq!(types(friend).await, ["signup", "promo"]);
    let page = referrer.get("/api/referrals").await.expect(200);
    let unpaid = json!({
        "code": code_of(referrer).await, "rewarded": 0, "mostReferrals": 100, "creditCents": 1_000, "earnedCents": 0,
    });
    assert_eq!(page.body, unpaid);

    friend.top_up(500, cards::VISA).await;
    friend.until_balance(OPENING + TEN + FIVE).await;
    settled(friend).await;
    assert!(rewards(referrer).await.is_empty(), "five dollars are not enough");
    assert_eq!(balance(referrer).await["balanceMicroUsd"], OPENING);

    friend.top_up(500, cards::MASTERCARD).await;
    referrer.until_balance(OPENING + TEN).await;
    assert_eq!(balance(referrer).await["lots"], lots);
    assert_eq!(types(referrer).await, ["signup", "promo"]);
    assert_eq!(shown(referrer).await, (json!(1), json!(1_000)));
    assert_eq!(shown(friend).await, (json!(0), json!(0)));
    let rows = referrer.get("/api/billing/transactions").await.expect(200);
    let newest = ["/transactions/0/type", "/transactions/0/amountCents"].map(|at| rows.at(at).clone());
    assert_eq!(newest, [json!("promo"), json!(1_000)]);
    assert_eq!(lines(referrer).await, 1);

    friend.top_up(2_000, cards::VISA).await;
    friend.until_balance(OPENING + TEN + 6 * FIVE).await;
    settled(friend).await;
    assert_eq!(rewards(referrer).await, [("promo", TEN)]);
    assert_eq!(types(friend).await, ["signup", "promo", "purchase", "purchase", "purchase"]);
}

#[tokio::test]
async fn top_ups_of_ten_dollars_reward_a_referrer_of_the_region() {
    let app = App::start().await;
    let (referrer, friend) = neighbours(&app, "near").await;
    are_both_rewarded(&referrer, &friend).await;
}

#[tokio::test]
async fn top_ups_of_ten_dollars_reward_a_referrer_elsewhere() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "far").await;
    are_both_rewarded(&referrer, &friend).await;
    // The directory's authority is the home of a referrer, too.
    let una = app.living_in(Region::Us).user("una-referrer").await;
    let ewa = refers(&una, "ewa-friend", Region::Eu).await;
    ewa.top_up(1_000, cards::VISA).await;
    una.until_balance(OPENING + TEN).await;
    assert_eq!(rewards(&una).await, [("promo", TEN)]);
}

#[tokio::test]
async fn friends_of_one_referrer_count_apart() {
    let app = App::start().await;
    let (referrer, one) = neighbours(&app, "apart").await;
    let other = refers(&referrer, "apart-other", Region::Ap).await;
    for friend in [&one, &other] {
        friend.top_up(900, cards::VISA).await;
        settled(friend).await;
    }
    assert!(rewards(&referrer).await.is_empty());
    for (count, friend) in [(1, &one), (2, &other)] {
        friend.top_up(500, cards::VISA).await;
        assert_eq!(until_rewards(&referrer, count).await, vec![("promo", TEN); count]);
    }
    assert_eq!(shown(&referrer).await, (json!(2), json!(2_000)));
    assert_eq!(types(&referrer).await, ["signup", "promo", "promo"]);
}

#[tokio::test]
async fn reward_waits_for_a_region_that_is_down() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "down").await;
    app.faults(json!(outage(Region::Eu))).await;
    friend.top_up(1_000, cards::VISA).await;
    friend.until_balance(OPENING + TEN + TEN).await;
    let waits = async || matches!(friend.app.queue(WORKER).await, (0, 0, 1..));
    friend.app.until("the message does not wait", waits).await;
    app.no_faults().await;
    referrer.until_balance(OPENING + TEN).await;
    no_message_waits(&friend).await;
    assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
    assert_eq!(friend.app.queue("dead-letters").await, (0, 0, 0));
    recomputed(&referrer).await;
}

#[tokio::test]
async fn refund_below_ten_dollars_takes_the_reward_back() {
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "refund").await, far_apart(&app, "refund-far").await] {
        let payment = friend.top_up(2_000, cards::VISA).await;
        referrer.until_balance(OPENING + TEN).await;
        refunds(&friend, &payment, 1_000).await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN)], "ten dollars are left");
        refunds(&friend, &payment, 1).await;
        referrer.until_balance(OPENING).await;
        let sign_up = json!([{ "kind": "sign-up", "amountMicroUsd": OPENING }]);
        assert_eq!(balance(&referrer).await["lots"], sign_up);
        assert_eq!(shown(&referrer).await, (json!(0), json!(0)));
        // The friend keeps what the referral brought.
        assert_eq!(balance(&friend).await["balanceMicroUsd"], OPENING + TEN + 9_990_000);

        friend.top_up(500, cards::VISA).await;
        referrer.until_balance(OPENING + TEN).await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN), ("promo", TEN)]);
        assert_eq!(shown(&referrer).await, (json!(1), json!(1_000)));
        assert_eq!(lines(&referrer).await, 3);
        for who in [&referrer, &friend] {
            recomputed(who).await;
        }
    }
}

#[tokio::test]
async fn dispute_takes_the_reward_back_until_it_is_won() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "dispute").await;
    let (payment, stripe) = (friend.top_up(1_000, cards::VISA).await, app.stripe());
    referrer.until_balance(OPENING + TEN).await;
    let dispute = disputes(&stripe, &payment).await;
    referrer.until_balance(OPENING).await;
    stripe.control(&dispute, json!({ "status": "won" })).await;
    referrer.until_balance(OPENING + TEN).await;
    settled(&friend).await;
    assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN), ("promo", TEN)]);
    recomputed(&referrer).await;
}

#[tokio::test]
async fn spent_reward_that_is_taken_back_becomes_a_debt() {
    let app = App::start().await;
    let (referrer, friend) = neighbours(&app, "spent").await;
    let payment = friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    charges(&referrer, "job", OPENING + TEN).await.expect(200);
    refunds(&friend, &payment, 1_000).await;
    referrer.until_balance(-TEN).await;
    assert_eq!(balance(&referrer).await["availableMicroUsd"], 0);
    recomputed(&referrer).await;
    // The next reward pays the debt.
    friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(0).await;
    assert_eq!(types(&referrer).await, ["signup", "promo", "training", "adjustment", "promo"]);
}

#[tokio::test]
async fn reward_that_was_spent_in_part_takes_other_credit() {
    let app = App::start().await;
    let (referrer, friend) = neighbours(&app, "partly").await;
    let payment = friend.top_up(1_000, cards::VISA).await;
    referrer.until_balance(OPENING + TEN).await;
    // The credit of the referral is spent first.
    charges(&referrer, "job", 4_000_000).await.expect(200);
    refunds(&friend, &payment, 1_000).await;
    referrer.until_balance(OPENING - 4_000_000).await;
    let left = json!([{ "kind": "sign-up", "amountMicroUsd": OPENING - 4_000_000 }]);
    assert_eq!(balance(&referrer).await["lots"], left);
    recomputed(&referrer).await;
}

#[tokio::test]
async fn referral_stays_as_it_is_after_six_changes() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "changes").await;
    for round in 1..=3 {
        let payment = friend.top_up(1_000, cards::VISA).await;
        until_rewards(&referrer, 2 * round - 1).await;
        refunds(&friend, &payment, 1_000).await;
        until_rewards(&referrer, 2 * round).await;
    }
    friend.top_up(2_000, cards::VISA).await;
    friend.until_balance(OPENING + 3 * TEN).await;
    settled(&friend).await;
    let [paid, taken] = [("promo", TEN), ("adjustment", -TEN)];
    assert_eq!(rewards(&referrer).await, [paid, taken, paid, taken, paid, taken]);
    assert_eq!(balance(&referrer).await["balanceMicroUsd"], OPENING);
    assert_eq!(shown(&referrer).await, (json!(0), json!(0)));
    recomputed(&referrer).await;
}

/// Sets how many rewards somebody got. There is a wallet.
async fn has_rewards(who: &Person, count: u32) {
    let update = who.app.tables().update_item().table_name(who.app.table("billing"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Wallets.partition(who.workspace())))
        .key("sk", AttributeValue::S("WALLET".to_owned()))
        .condition_expression("attribute_exists(pk)")
        .update_expression("SET #rewards = :count")
        .expression_attribute_names("#rewards", "rewards")
        .expression_attribute_values(":count", AttributeValue::N(count.to_string()));
    update.send().await.unwrap();
}

#[tokio::test]
async fn hundred_rewards_are_the_most() {
    let app = App::start().await;
    let regions = [(app.home(), app.home()), (Region::Eu, Region::Ap)];
    for (n, (home, away)) in regions.into_iter().enumerate() {
        let referrer = app.living_in(home).user(&format!("most-{n}")).await;
        charges(&referrer, "first", 1).await.expect(200);
        let one = refers(&referrer, &format!("one-of-{n}"), away).await;
        let other = refers(&referrer, &format!("other-of-{n}"), away).await;
        has_rewards(&referrer, 99).await;
        let payment = one.top_up(1_000, cards::VISA).await;
        until_rewards(&referrer, 1).await;
        assert_eq!(shown(&referrer).await, (json!(100), json!(100_000)));
        // The referral was begun before, and brings nothing any more.
        other.top_up(1_000, cards::VISA).await;
        other.until_balance(OPENING + TEN + TEN).await;
        settled(&other).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN)], "{home}");
        let late = app.living_in(away).newcomer(&format!("late-of-{n}")).await;
        let refused = codes::is_refused(&late, &code_of(&referrer).await).await;
        let full =
            "This referral code has been used by the most people. Use another code, or continue without it.";
        assert_eq!(refused.at("/detail"), full);
        // One of the rewards is taken back: there is room for another.
        refunds(&one, &payment, 1_000).await;
        until_rewards(&referrer, 2).await;
        assert_eq!(shown(&referrer).await, (json!(99), json!(99_000)));
        onboards(&late, Some(&code_of(&referrer).await)).await.expect(201);
        assert_eq!(balance(&late).await["balanceMicroUsd"], OPENING + TEN);
        recomputed(&referrer).await;
    }
}

#[tokio::test]
async fn referrals_are_shown_after_onboarding_only() {
    let app = App::start().await;
    let who = app.newcomer("shown-to").await;
    assert_eq!(who.get("/api/referrals").await.brief(), "403 ONBOARDING_REQUIRED");
    assert_eq!(app.get("/api/referrals").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn top_up_is_credited_after_the_referrer_is_deleted() {
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "gone").await, far_apart(&app, "gone-far").await] {
        referrer.ask_to_be_deleted().await.expect(202);
        crate::privacy::looked_once(&referrer).await;
        friend.top_up(1_000, cards::VISA).await;
        friend.until_balance(OPENING + TEN + TEN).await;
        settled(&friend).await;
        assert_eq!(friend.app.queue("dead-letters").await, (0, 0, 0));
        assert!(rewards(&referrer).await.is_empty());
        recomputed(&friend).await;
    }
}
