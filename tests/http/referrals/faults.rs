//! Faults at each AWS call, and messages that come twice or in another order: each change is booked once.

use domain::id::MessageId;
use lambda::OsEntropy;
use tests::every;

use super::*;
use crate::deaths::{deaths, is_of, numbered, struck};

const REWARD: &str = "region-referral-reward";

/// Has a function of a region fail at each of its calls, in every way, while it rewards a referrer for a friend of `away`.
async fn is_rewarded_once_after_each_fault(app: &App, referrer: &Person, away: Region, function: &str) {
    let (region, mut count) = (if function == WORKER { away } else { referrer.app.home() }, 0);
    // The first time, the function reads what it keeps from then on.
    let mut calls = Vec::new();
    for _ in 0..2 {
        count += 1;
        let before = app.last_call().await;
        let friend = refers(referrer, &format!("clean-{count}"), away).await;
        friend.top_up(1_000, cards::VISA).await;
        until_rewards(referrer, count).await;
        no_message_waits(&friend).await;
        calls = app.calls_of(function, before).await;
        calls.retain(|call| is_of(function, region, call));
    }
    let calls = numbered(&calls);
    assert!(!calls.is_empty(), "{function} makes no call");
    for (n, (call, kind)) in deaths(&calls).into_iter().enumerate().step_by(every(3)) {
        count += 1;
        let name = format!("{function}: {call:?} {kind}");
        let friend = refers(referrer, &format!("fault-{n}"), away).await;
        let before = app.last_call().await;
        app.faults(json!([struck(function, region, &call, kind)])).await;
        friend.top_up(1_000, cards::VISA).await;
        let is_struck = async || {
            let calls = app.calls_of(function, before).await;
            calls.iter().any(|call| call["fault"].is_string())
        };
        app.until(&format!("{name}: no call fails"), is_struck).await;
        app.no_faults().await;
        assert_eq!(until_rewards(referrer, count).await, vec![("promo", TEN); count], "{name}");
        no_message_waits(&friend).await;
        assert_eq!(rewards(referrer).await.len(), count, "{name}");
        recomputed(referrer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reward_is_booked_once_after_any_fault_at_home() {
    let app = App::start().await;
    let referrer = app.user("fault-referrer").await;
    is_rewarded_once_after_each_fault(&app, &referrer, app.home(), WORKER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reward_is_booked_once_after_any_fault_elsewhere() {
    let app = App::start().await;
    let referrer = app.living_in(Region::Eu).user("far-referrer").await;
    is_rewarded_once_after_each_fault(&app, &referrer, Region::Ap, REWARD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_is_sent_once_after_any_fault_of_its_region() {
    let app = App::start().await;
    let referrer = app.living_in(Region::Eu).user("told-referrer").await;
    is_rewarded_once_after_each_fault(&app, &referrer, Region::Ap, WORKER).await;
}

#[tokio::test]
async fn taken_back_reward_is_booked_once_after_a_lost_answer() {
    let app = App::start().await;
    for (n, (function, (referrer, friend))) in
        [(WORKER, neighbours(&app, "lost").await), (REWARD, far_apart(&app, "lost-far").await)]
            .into_iter()
            .enumerate()
    {
        let payment = friend.top_up(1_000, cards::VISA).await;
        referrer.until_balance(OPENING + TEN).await;
        no_message_waits(&friend).await;
        let fault = json!({
            "service": "dynamodb", "operation": "TransactWriteItems", "function": function,
            "kind": "lost-response", "times": 0,
        });
        let before = app.last_call().await;
        app.faults(json!([fault])).await;
        refunds(&friend, &payment, 1_000).await;
        let is_struck = async || {
            let calls = app.calls_of(function, before).await;
            calls.iter().any(|call| call["fault"].is_string())
        };
        app.until(&format!("no answer is lost: {n}"), is_struck).await;
        app.no_faults().await;
        referrer.until_balance(OPENING).await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN)], "{function}");
        recomputed(&referrer).await;
    }
}

#[tokio::test]
async fn onboarding_is_completed_once_after_a_fault_elsewhere() {
    let app = App::start().await;
    let referrer = app.living_in(Region::Eu).user("asked-referrer").await;
    for kind in ["refused", "throttled", "stall", "lost-response"] {
        let friend = app.living_in(Region::Ap).newcomer(&format!("asks-{kind}")).await;
        let form = json!({
            "username": friend.handle, "displayName": "A Friend", "referralCode": code_of(&referrer).await,
        });
        let fault = json!({ "service": "dynamodb", "function": "region-referrer", "kind": kind, "times": 0 });
        app.faults(json!([fault])).await;
        let failed = friend.post_once("/api/onboarding", form.clone(), "the-key").await;
        app.no_faults().await;
        assert_eq!(failed.brief(), "503 UNAVAILABLE", "{kind}: {}", failed.text);
        friend.post_once("/api/onboarding", form, "the-key").await.expect(201);
        assert_eq!(types(&friend).await, ["signup", "promo"], "{kind}");
        assert_eq!(balance(&friend).await["balanceMicroUsd"], OPENING + TEN, "{kind}");
    }
}

/// The events about a payment that are not named, oldest first.
async fn events_about(stripe: &Stripe, payment: &str, known: &[String]) -> Vec<String> {
    let mut events = stripe.events_about(payment).await;
    events.retain(|event| !known.contains(event));
    events
}

/// Delivers events, the newest first and each twice.
async fn delivers_backwards(stripe: &Stripe, events: &[String]) {
    let twice: Vec<&str> = events.iter().rev().flat_map(|event| [event.as_str(), event.as_str()]).collect();
    stripe.deliver(&twice).await;
}

#[tokio::test]
async fn doubled_and_reordered_events_reward_once() {
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "order").await, far_apart(&app, "order-far").await] {
        let stripe = friend.app.stripe();
        stripe.hold(true).await;
        let payment = friend.top_up(1_000, cards::VISA).await;
        let paid = events_about(&stripe, &payment, &[]).await;
        delivers_backwards(&stripe, &paid).await;
        referrer.until_balance(OPENING + TEN).await;
        refunds(&friend, &payment, 1_000).await;
        let refunded = events_about(&stripe, &payment, &paid).await;
        assert!(!refunded.is_empty());
        delivers_backwards(&stripe, &refunded).await;
        referrer.until_balance(OPENING).await;
        // The payment is told of once more, after the refund.
        delivers_backwards(&stripe, &paid).await;
        app.redeliver().await;
        settled(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN)]);
        assert_eq!(types(&friend).await, ["signup", "promo", "purchase", "refund"]);
        recomputed(&referrer).await;
    }
}

#[tokio::test]
async fn unreliable_webhooks_leave_the_reward_that_is_earned() {
    let app = App::start().await;
    let (referrer, friend) = far_apart(&app, "wild").await;
    for seed in 1..=3 {
        let stripe = friend.app.stripe();
        let wild = json!({ "double_percent": 50, "reorder_percent": 50, "seed": seed });
        stripe.control("webhooks", wild).await;
        let payment = friend.top_up(1_000, cards::VISA).await;
        refunds(&friend, &payment, 500).await;
        settled(&friend).await;
    }
    // Three times five dollars are left. Crossings in between may have been missed.
    referrer.until_balance(OPENING + TEN).await;
    let booked = rewards(&referrer).await;
    assert!(booked.len() <= 5 && booked.len() % 2 == 1, "{booked:?}");
    recomputed(&referrer).await;
    recomputed(&friend).await;
}

/// Puts a message about a friend's referral into the queue at home, as a bus that delivers it once more.
async fn is_told_again(friend: &Person) {
    let sqs = friend.app.queues();
    let queue = sqs.get_queue_url().queue_name(format!("account-platform-{WORKER}")).send().await.unwrap();
    let now = friend.app.now().await;
    let id = MessageId::new(now, &OsEntropy);
    let notice = json!({ "type": "referral-changed", "workspace": friend.workspace() });
    let message = json!({ "detail": { "id": id, "at": now, "notice": notice } });
    let send = sqs.send_message().queue_url(queue.queue_url.unwrap()).message_body(message.to_string());
    send.send().await.unwrap();
}

#[tokio::test]
async fn doubled_and_late_messages_reward_once() {
    let app = App::start().await;
    for (referrer, friend) in [neighbours(&app, "told").await, far_apart(&app, "told-far").await] {
        // Before there is anything to tell.
        is_told_again(&friend).await;
        no_message_waits(&friend).await;
        assert!(rewards(&referrer).await.is_empty());
        let payment = friend.top_up(1_000, cards::VISA).await;
        until_rewards(&referrer, 1).await;
        for _ in 0..5 {
            is_told_again(&friend).await;
        }
        no_message_waits(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN)]);
        refunds(&friend, &payment, 1_000).await;
        until_rewards(&referrer, 2).await;
        for _ in 0..5 {
            is_told_again(&friend).await;
        }
        no_message_waits(&friend).await;
        assert_eq!(rewards(&referrer).await, [("promo", TEN), ("adjustment", -TEN)]);
        assert_eq!(friend.app.queue("dead-letters").await, (0, 0, 0));
        recomputed(&referrer).await;
    }
}

#[tokio::test]
async fn late_change_brings_no_reward_after_its_successor() {
    use crate::fixtures::referrals::tells_of;

    let app = App::start().await;
    let referrer = app.user("late-referrer").await;
    let tells = async |changes: u32| {
        let told = tells_of(&referrer, changes).await.expect(200);
        (told.at("/booked") == true, rewards(&referrer).await.len())
    };
    // The second change overtakes the first one: both are left out.
    tells(2).await;
    assert_eq!(tells(1).await, (false, 0));
    assert_eq!(tells(3).await, (true, 1));
    assert_eq!(tells(3).await, (false, 1));
    // The fourth is lost, and the fifth gives what it took.
    assert_eq!(tells(5).await, (true, 3));
    assert_eq!(tells(4).await, (false, 3));
    assert_eq!(balance(&referrer).await["balanceMicroUsd"], OPENING + TEN);
    assert_eq!(tells(6).await, (true, 4));
    for changes in [7, 1_000, u32::MAX] {
        assert_eq!(tells(changes).await, (false, 4), "{changes}");
    }
    assert_eq!(types(&referrer).await, ["signup", "promo", "adjustment", "promo", "adjustment"]);
    // Without a change, nothing happens.
    assert_eq!(tells(0).await, (false, 4));
}
