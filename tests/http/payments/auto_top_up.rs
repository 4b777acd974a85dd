//! Automatic top-ups: as agreed, once, and never again and again on a card that does not pay.

use domain::{
    ports::Wallets,
    role::Role,
    wallet::{AutoTopUp, TopUpPause},
};
use futures::future::{join, join_all};
use reqwest::Method;
use tests::{Answer, App, Person, Value, cards, json};

use super::{CENT, OPENING, again, lapse::saves, seats::Team, store_of, subscription::types};
use crate::{
    fixtures::billing::{charges, settled, tells},
    wallets::{recomputed, surely},
};

const SETTINGS: &str = "/api/billing/auto-topup";
const METHODS: &str = "/api/billing/payment-methods";
const TOP_UP: &str = "top-up-wallets";
/// The mail about a pause.
const PAUSED: &str = "top-ups-paused";
/// The call by which Stripe charges a card.
const CHARGE: &str = "POST /v1/payment_intents";
const HOUR: i64 = 3_600;

/// Agrees to payments of $10 if less than $20 is left, up to a cap.
async fn agrees_up_to(who: &Person, cap: u32) -> Answer {
    let settings = json!({
        "enabled": true, "agreed": true, "thresholdCents": 2_000, "amountCents": 1_000,
        "monthlyCapCents": cap,
    });
    who.patch(SETTINGS, settings).await.expect(200)
}

async fn agrees(who: &Person) {
    agrees_up_to(who, 50_000).await;
}

/// Ends automatic top-ups.
async fn disagrees(who: &Person) {
    let answer = who.patch(SETTINGS, json!({ "enabled": false })).await.expect(200);
    assert_eq!(answer.at("/enabled"), false);
}

/// Somebody with a default card, who agreed.
async fn payer(app: &App, handle: &str, card: &str) -> Person {
    let who = app.user(handle).await;
    saves(&who, card).await;
    until_default(&who, &card[card.len() - 4..]).await;
    agrees(&who).await;
    who
}

/// The id of a saved card.
async fn card_of(who: &Person, last4: &str) -> String {
    let listed = who.get(METHODS).await.expect(200);
    let mut methods = listed.at("/paymentMethods").as_array().unwrap().iter();
    let found = methods.find(|method| method["card"]["last4"] == last4).unwrap();
    found["id"].as_str().unwrap().to_owned()
}

/// Waits until a card is charged when nobody is asked.
async fn until_default(who: &Person, last4: &str) {
    let is_default = async || {
        let listed = who.get(METHODS).await.expect(200);
        let mut methods = listed.at("/paymentMethods").as_array().unwrap().iter();
        methods.any(|method| method["card"]["last4"] == last4 && method["isDefault"] == true)
    };
    who.app.until("the card does not become the default", is_default).await;
}

/// Runs the worker. The schedule may run it, too.
async fn run(app: &App) {
    surely(|| app.try_worker(TOP_UP)).await.expect(200);
}

/// Charges a job of so many dollars.
async fn spends(who: &Person, job: &str, dollars: i64) {
    charges(who, job, dollars * 1_000_000).await.expect(200);
}

/// The stored settings.
async fn stored(who: &Person) -> AutoTopUp {
    let wallet = Wallets::find(&store_of(&who.app), who.workspace()).await.unwrap().unwrap();
    wallet.auto_top_up.unwrap()
}

/// All payments at Stripe, newest first.
async fn payments(app: &App) -> Vec<Value> {
    app.stripe().get("/v1/payment_intents?limit=100").await["data"].as_array().cloned().unwrap()
}

/// The keys and statuses of the calls that charge.
async fn charge_calls(app: &App) -> Vec<(String, Value)> {
    let calls = app.stripe().calls(0).await.into_iter();
    let calls =
        calls.filter(|call| format!("{} {}", call["method"], call["path"]).replace('"', "") == CHARGE);
    calls.map(|call| (call["idempotency_key"].as_str().unwrap().to_owned(), call["status"].clone())).collect()
}

/// The mails about pauses that somebody got.
async fn pause_mails(who: &Person) -> usize {
    let mails = who.app.mail(&who.email).await;
    mails.iter().filter(|mail| mail["kind"] == PAUSED).count()
}

/// Waits for the mail about a pause, and until there could be a second one.
async fn is_told_once(who: &Person) {
    who.app.mail_of_kind(&who.email, PAUSED).await;
    who.app.stripe().settle().await;
    assert_eq!(pause_mails(who).await, 1);
}

/// How often credit was bought automatically.
async fn top_ups(who: &Person) -> usize {
    let postings = recomputed(who).await;
    postings.iter().filter(|posting| posting.r#type.as_str() == "auto_topup").count()
}

#[tokio::test]
async fn settings_are_proposed_and_need_consent() {
    let app = App::start().await;
    let (who, editor) = (app.user("auto-asks").await, app.user("auto-editor").await);
    let proposals = json!({
        "enabled": false, "thresholdCents": 2_000, "amountCents": 10_000, "monthlyCapCents": 50_000,
        "spentThisMonthCents": 0,
    });
    assert_eq!(who.get(SETTINGS).await.expect(200).body, proposals);
    for (body, complaints) in [
        (json!({}), "enabled REQUIRED"),
        (json!({ "enabled": true }), "agreed INVALID"),
        (json!({ "enabled": true, "agreed": false }), "agreed INVALID"),
        (json!({ "enabled": true, "agreed": true, "amountCents": 60_000 }), "monthlyCapCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "monthlyCapCents": 9_999 }), "monthlyCapCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "monthlyCapCents": 1_000_001 }), "monthlyCapCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "thresholdCents": 99 }), "thresholdCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "amountCents": 499 }), "amountCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "amountCents": 100_001 }), "amountCents INVALID"),
        (json!({ "enabled": true, "agreed": true, "amountCents": 500.5 }), "amountCents INVALID"),
    ] {
        let answer = who.patch(SETTINGS, body).await;
        assert_eq!(answer.complaints(), complaints, "{}", answer.text);
    }
    disagrees(&who).await;
    assert_eq!(who.get(SETTINGS).await.expect(200).body, proposals);

    let agreed = who.patch(SETTINGS, json!({ "enabled": true, "agreed": true })).await.expect(200);
    let mut expected = proposals.clone();
    expected["enabled"] = json!(true);
    expected["agreedAt"] = json!(agreed.text_at("/agreedAt"));
    assert_eq!(agreed.body, expected);
    assert_eq!(who.get(SETTINGS).await.expect(200).body, expected);
    assert_eq!(stored(&who).await.agreed_by, who.id());
    let lines = who.activity().await;
    assert_eq!(lines.iter().filter(|line| *line == "updated billing auto-asks").count(), 1);
    who.let_in(&editor, Role::Editor).await;
    let of_owner = format!("{SETTINGS}?owner=auto-asks");
    assert_eq!(editor.get(&of_owner).await.brief(), "403 FORBIDDEN");
    assert_eq!(editor.patch(&of_owner, json!({ "enabled": false })).await.brief(), "403 FORBIDDEN");
}

#[tokio::test]
async fn charge_below_the_threshold_buys_credit_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-buys", cards::VISA).await;
    // At the threshold, nothing is bought.
    spends(&who, "first", 5).await;
    run(&app).await;
    assert_eq!(payments(&app).await.len(), 0);
    spends(&who, "second", 1).await;
    for _ in 0..3 {
        run(&app).await;
    }
    who.until_balance(29_000_000).await;
    app.stripe().settle().await;
    let made = payments(&app).await;
    assert_eq!(made.len(), 1);
    let amount = ["amount", "amount_received"].map(|part| made[0][part].clone());
    assert_eq!((amount, &made[0]["status"]), ([json!(1_000), json!(1_000)], &json!("succeeded")));
    assert_eq!(types(&who, "").await, ["auto_topup", "training", "training", "signup"]);
    let shown = who.get(SETTINGS).await.expect(200);
    assert_eq!((shown.at("/spentThisMonthCents"), shown.at("/paused")), (&json!(1_000), &json!(null)));
    assert_eq!(pause_mails(&who).await, 0);
    // The next time, it is another payment.
    spends(&who, "third", 10).await;
    run(&app).await;
    who.until_balance(29_000_000).await;
    assert_eq!((payments(&app).await.len(), top_ups(&who).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_charges_below_the_threshold_make_one_payment() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-fifty", cards::VISA).await;
    spends(&who, "first", 5).await;
    let jobs: Vec<String> = (0..50).map(|n| format!("job-{n}")).collect();
    let spend = join_all(jobs.iter().map(|job| surely(|| charges(&who, job, 10 * CENT))));
    let runs = join_all((0..4).map(|_| run(&app)));
    let (answers, _) = join(spend, runs).await;
    for answer in answers {
        answer.expect(200);
    }
    join_all((0..4).map(|_| run(&app))).await;
    // 25 − 5 − 50 × 0.1 + 10 dollars
    who.until_balance(25_000_000).await;
    app.stripe().settle().await;
    assert_eq!((payments(&app).await.len(), top_ups(&who).await), (1, 1));
    assert_eq!(stored(&who).await.attempts, 1);
}

#[tokio::test]
async fn card_that_needs_its_owner_pauses_at_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    // Always needs authentication.
    let who = payer(&app, "auto-owner", "4000002760003184").await;
    spends(&who, "first", 6).await;
    run(&app).await;
    is_told_once(&who).await;
    assert_eq!(who.get(SETTINGS).await.expect(200).at("/paused"), "authentication-required");
    for n in 0..10 {
        charges(&who, &format!("job-{n}"), CENT).await.expect(200);
        app.advance(HOUR).await;
        run(&app).await;
    }
    let who = again(&who).await;
    assert_eq!((charge_calls(&app).await.len(), top_ups(&who).await), (1, 0));
    is_told_once(&who).await;
    let lines = who.activity().await;
    // The consent and the pause.
    assert_eq!(lines.iter().filter(|line| *line == "updated billing auto-owner").count(), 2);
}

/// Waits until so many payments were declined, in the state that is stored.
async fn until_declines(who: &Person, declines: u8) {
    let are_counted = async || {
        let now = stored(who).await;
        now.declines == declines && now.attempt.is_none()
    };
    who.app.until(&format!("not {declines} declined payments"), are_counted).await;
}

/// Charges 25 jobs of a cent, and runs the worker.
async fn spends_again_and_again(who: &Person, name: &str) {
    let jobs: Value = (0..25).map(|n| settled(&format!("{name}-{n}"), CENT, CENT)).collect();
    tells(who, jobs).await.expect(200);
    run(&who.app).await;
}

/// Somebody whose card was declined three times.
async fn declined(app: &App, handle: &str) -> Person {
    let who = payer(app, handle, cards::DECLINED_LATER).await;
    spends(&who, "first", 6).await;
    for (declines, wait) in [(1, HOUR), (2, 24 * HOUR), (3, 0)] {
        run(app).await;
        until_declines(&who, declines).await;
        // Not before the wait is over, however often the balance changes.
        spends_again_and_again(&who, &format!("soon-{declines}")).await;
        app.advance((wait - 60).max(0)).await;
        run(app).await;
        assert_eq!(charge_calls(app).await.len(), usize::from(declines));
        app.advance(61).await;
    }
    who
}

#[tokio::test]
async fn declining_card_is_tried_three_times_with_growing_waits() {
    tests::needs_every_region!();
    let app = App::in_process().await;
    app.stop_clock().await;
    let who = declined(&app, "auto-declined").await;
    is_told_once(&who).await;
    app.advance(7 * 24 * HOUR).await;
    spends_again_and_again(&who, "late").await;
    let who = again(&who).await;
    assert_eq!(who.get(SETTINGS).await.expect(200).at("/paused"), "declined");
    let calls = charge_calls(&app).await;
    assert!(calls.iter().all(|(_, status)| *status == 402), "{calls:?}");
    let keys: Vec<&String> = calls.iter().map(|(key, _)| key).collect();
    assert!(keys.len() == 3 && keys[0] != keys[1] && keys[1] != keys[2], "{keys:?}");
    is_told_once(&who).await;
    assert_eq!(top_ups(&who).await, 0);
}

#[tokio::test]
async fn another_default_card_or_consent_ends_a_pause() {
    tests::needs_every_region!();
    for by_card in [true, false] {
        let app = App::in_process().await;
        app.stop_clock().await;
        let who = again(&declined(&app, "auto-resumed").await).await;
        let before = stored(&who).await;
        assert_eq!((before.paused, before.declines), (Some(TopUpPause::Declined), 3));
        saves(&who, cards::VISA).await;
        app.stripe().settle().await;
        // A card that is only saved is not charged.
        run(&app).await;
        assert_eq!(charge_calls(&app).await.len(), 3);
        if by_card {
            let default = json!({ "paymentMethodId": card_of(&who, "4242").await });
            who.post(&format!("{METHODS}/default"), default).await.expect(200);
        } else {
            // At Stripe, so that nothing but the consent ends the pause.
            let customer = payments(&app).await[0]["customer"].as_str().unwrap().to_owned();
            let card = card_of(&who, "4242").await;
            let form = [("invoice_settings[default_payment_method]", card.as_str())];
            app.stripe().post(&format!("/v1/customers/{customer}"), &form).await;
            agrees(&who).await;
        }
        assert_eq!(who.get(SETTINGS).await.expect(200).at("/paused"), &json!(null));
        run(&app).await;
        // 25 − 6 − 75 × 0.01 + 10 dollars
        who.until_balance(28_250_000).await;
        assert_eq!((charge_calls(&app).await.len(), top_ups(&who).await), (4, 1));
        assert_eq!((stored(&who).await.declines, pause_mails(&who).await), (0, 1));
        app.stop().await;
    }
}

#[tokio::test]
async fn outage_of_stripe_is_no_decline_and_keeps_the_payment() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-outage", cards::VISA).await;
    // Each run asks twice.
    app.stripe().faults(json!({ "operation": CHARGE, "kind": "refused", "times": 4 })).await;
    spends(&who, "first", 6).await;
    run(&app).await;
    let now = stored(&who).await;
    assert_eq!((now.declines, now.paused, now.attempts), (0, None, 1));
    assert_eq!(payments(&app).await.len(), 0);
    for _ in 0..3 {
        app.advance(301).await;
        run(&app).await;
    }
    let who = again(&who).await;
    who.until_balance(29_000_000).await;
    app.stripe().settle().await;
    let calls = charge_calls(&app).await;
    let with = |wanted: u16| calls.iter().filter(|(_, status)| *status == wanted).count();
    assert!(with(503) == 4 && with(200) > 0, "{calls:?}");
    assert!(calls.iter().all(|(key, _)| *key == calls[0].0), "{calls:?}");
    assert_eq!((payments(&app).await.len(), top_ups(&who).await), (1, 1));
    assert_eq!((stored(&who).await.attempt, pause_mails(&who).await), (None, 0));
}

#[tokio::test]
async fn lost_response_charges_once() {
    tests::needs_every_region!();
    for lost in [1, 2] {
        let app = App::start().await;
        let who = payer(&app, "auto-lost", cards::VISA).await;
        app.stripe().faults(json!({ "operation": CHARGE, "kind": "lost-response", "times": lost })).await;
        spends(&who, "first", 6).await;
        run(&app).await;
        // The event tells of the payment, whose answer was lost.
        who.until_balance(29_000_000).await;
        for _ in 0..2 {
            app.advance(301).await;
            run(&app).await;
        }
        let who = again(&who).await;
        app.stripe().settle().await;
        assert_eq!((payments(&app).await.len(), top_ups(&who).await), (1, 1), "{lost} lost");
        assert_eq!((stored(&who).await.attempt, stored(&who).await.spent.get()), (None, 1_000));
        app.stop().await;
    }
}

#[tokio::test]
async fn outage_of_a_day_pauses_because_nobody_knows() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-unknown", cards::VISA).await;
    app.stripe().faults(json!({ "operation": CHARGE, "kind": "refused", "times": 1_000 })).await;
    spends(&who, "first", 6).await;
    run(&app).await;
    app.advance(21 * HOUR).await;
    run(&app).await;
    is_told_once(&who).await;
    let who = again(&who).await;
    assert_eq!(who.get(SETTINGS).await.expect(200).at("/paused"), "unknown");
    app.stripe().clear_faults().await;
    app.advance(HOUR).await;
    run(&app).await;
    assert_eq!((payments(&app).await.len(), stored(&who).await.attempts), (0, 1));
    // Agreeing again makes a new payment.
    let who = again(&who).await;
    agrees(&who).await;
    run(&app).await;
    who.until_balance(29_000_000).await;
    let calls = charge_calls(&app).await;
    assert_ne!(calls.first().unwrap().0, calls.last().unwrap().0);
}

#[tokio::test]
async fn cap_of_a_month_holds_until_the_next_month() {
    tests::needs_every_region!();
    let app = App::in_process().await;
    app.stop_clock().await;
    app.set_clock("2027-03-10T12:00:00Z".parse().unwrap()).await;
    let who = payer(&app, "auto-capped", cards::VISA).await;
    agrees_up_to(&who, 2_999).await;
    for (job, dollars, balance) in [("one", 6, 29), ("two", 10, 29), ("three", 10, 19)] {
        spends(&who, job, dollars).await;
        run(&app).await;
        who.until_balance(balance * 1_000_000).await;
    }
    app.stripe().settle().await;
    run(&app).await;
    assert_eq!(who.get(SETTINGS).await.expect(200).at("/spentThisMonthCents"), 2_000);
    // The same consent again does not forget what was paid.
    assert_eq!(agrees_up_to(&who, 2_999).await.at("/spentThisMonthCents"), 2_000);
    app.set_clock("2027-03-31T23:59:59Z".parse().unwrap()).await;
    run(&app).await;
    assert_eq!((payments(&app).await.len(), pause_mails(&who).await), (2, 0));
    app.set_clock("2027-04-01T00:00:00Z".parse().unwrap()).await;
    run(&app).await;
    let who = again(&who).await;
    who.until_balance(29_000_000).await;
    assert_eq!(payments(&app).await.len(), 3);
    assert_eq!(who.get(SETTINGS).await.expect(200).at("/spentThisMonthCents"), 1_000);
}

#[tokio::test]
async fn disabled_top_ups_buy_nothing() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-disabled", cards::VISA).await;
    disagrees(&who).await;
    spends(&who, "first", 20).await;
    app.advance(301).await;
    run(&app).await;
    assert_eq!((payments(&app).await.len(), pause_mails(&who).await), (0, 0));
}

#[tokio::test]
async fn payment_after_a_new_consent_is_another_one() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = payer(&app, "auto-again", cards::VISA).await;
    spends(&who, "first", 6).await;
    run(&app).await;
    who.until_balance(29_000_000).await;
    disagrees(&who).await;
    agrees(&who).await;
    let shown = who.get(SETTINGS).await.expect(200);
    assert_eq!(shown.at("/spentThisMonthCents"), 1_000, "the cap of the month is not kept");
    spends(&who, "second", 10).await;
    run(&app).await;
    app.stripe().settle().await;
    let keys: Vec<String> = charge_calls(&app).await.into_iter().map(|(key, _)| key).collect();
    assert!(keys.len() == 2 && keys[0] != keys[1], "both payments have the same key: {keys:?}");
    assert_eq!((payments(&app).await.len(), top_ups(&who).await), (2, 2));
}

#[tokio::test]
async fn workspace_without_a_card_pauses_and_its_owner_is_told() {
    tests::needs_every_region!();
    let app = App::start().await;
    let team = Team::founded(&app, "auto-team").await;
    let admin = app.user("auto-admin").await;
    admin.join(team.id, Role::Admin).await;
    team.owner.pays(team.id).await;
    // The team has no credit, and no customer at Stripe.
    let settings = format!("{SETTINGS}?owner=auto-team");
    admin.patch(&settings, json!({ "enabled": true, "agreed": true })).await.expect(200);
    for _ in 0..3 {
        run(&app).await;
        app.advance(61).await;
    }
    is_told_once(&team.owner).await;
    assert_eq!((pause_mails(&admin).await, pause_mails(&team.member).await), (0, 0));
    assert_eq!(admin.get(&settings).await.expect(200).at("/paused"), "no-payment-method");
    assert_eq!(charge_calls(&app).await.len(), 0);
}

#[tokio::test]
async fn removed_card_pauses() {
    tests::needs_every_region!();
    for begun in [false, true] {
        let app = App::start().await;
        let who = payer(&app, "auto-removed", cards::VISA).await;
        if begun {
            // A payment was begun with the card.
            app.stripe().faults(json!({ "operation": CHARGE, "kind": "refused", "times": 2 })).await;
            spends(&who, "first", 6).await;
            run(&app).await;
        }
        let path = format!("{METHODS}/{}", card_of(&who, "4242").await);
        assert_eq!(who.send(Method::DELETE, &path, None).await.expect(200).at("/success"), true);
        if !begun {
            spends(&who, "first", 6).await;
        }
        app.advance(301).await;
        run(&app).await;
        is_told_once(&who).await;
        let paused = stored(&who).await.paused;
        assert_eq!(paused, Some(TopUpPause::NoPaymentMethod), "begun: {begun}");
        assert_eq!((top_ups(&who).await, recomputed(&who).await[0].amount.micros()), (0, OPENING));
        app.stop().await;
    }
}
