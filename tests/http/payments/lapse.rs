//! Subscriptions that are not paid: the plan goes on for a week, and comes back with the payment.

use domain::Timestamp;
use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::{Method, Url};
use tests::{Answer, App, Person, Value, cards, json};

use super::{
    again,
    seats::{Team, pays_with, pays_with_a_bad_card},
    subscription::{
        SUBSCRIPTION, at_stripe, attaches, billing, grants, invoices, is_subscribed, pass, pays, period,
        subscribes, subscribes_by_hand, summary, types, until_plan,
    },
};
use crate::{log::Log, wallets::surely};

/// So many days after a time.
fn days(at: Timestamp, days: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(24 * days)).unwrap()
}

/// Plan, status and whether a payment failed.
async fn plan(who: &Person, owner: &str) -> (Value, Value, bool) {
    let plan = summary(who, owner).await["plan"].clone();
    (plan["planId"].clone(), plan["status"].clone(), !plan["paymentFailedAt"].is_null())
}

/// The customer of a subscription.
async fn customer_of(app: &App, subscription: &str) -> String {
    at_stripe(app, subscription).await["customer"].as_str().unwrap().to_owned()
}

/// A team whose renewal failed a minute ago, its subscription, and the end of the period that was paid.
async fn lapsed(app: &App, handle: &str) -> (Team, String, Timestamp) {
    let team = Team::founded(app, handle).await;
    let subscription = team.subscribes(2).await;
    pays_with_a_bad_card(app, &subscription).await;
    app.stripe().settle().await;
    let end = period(&at_stripe(app, &subscription).await, "end");
    pass(app, end).await;
    app.stripe().settle().await;
    (team.again().await, subscription, end)
}

/// Pays an invoice with a new card, which becomes the subscription's.
async fn pays_invoice(app: &App, subscription: &str, invoice: &str) {
    let good = attaches(app, &customer_of(app, subscription).await, "pm_card_visa").await;
    pays_with(app, subscription, &good).await;
    let (status, answer) = app.stripe().post(&format!("/v1/invoices/{invoice}/pay"), &[]).await;
    assert_eq!((status, &answer["status"]), (200, &json!("paid")), "{answer}");
    app.stripe().settle().await;
}

fn monthly_grants(types: &[String]) -> usize {
    types.iter().filter(|kind| *kind == "monthly_grant").count()
}

#[tokio::test]
async fn plan_goes_on_for_a_week_and_then_ends_for_members() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, end) = lapsed(&app, "lapse-week").await;
    let settings = "/api/settings?owner=lapse-week";
    assert_eq!(at_stripe(&app, &subscription).await["status"], "past_due");
    assert_eq!(plan(&team.owner, "lapse-week").await, (json!("pro"), json!("past_due"), true));
    team.member.get(settings).await.expect(200);
    let invoice = invoices(&team.owner, "lapse-week").await[0].clone();
    assert_eq!((&invoice["status"], &invoice["totalCents"]), (&json!("open"), &json!(5_800)));

    // Stripe tries again after three days.
    pass(&app, days(end, 6)).await;
    app.stripe().settle().await;
    let team = team.again().await;
    team.member.get(settings).await.expect(200);
    assert_eq!(plan(&team.owner, "lapse-week").await, (json!("pro"), json!("past_due"), true));

    pass(&app, days(end, 7)).await;
    app.stripe().settle().await;
    let team = team.again().await;
    assert_eq!(team.member.get(settings).await.brief(), "403 TEAM_INACTIVE");
    assert_eq!(team.owner.get(settings).await.expect(200).at("/plan"), "free");
    assert_eq!(plan(&team.owner, "lapse-week").await, (json!("free"), json!("past_due"), true));
    let members = team.owner.get("/api/members?owner=lapse-week").await.expect(200);
    assert!(members.text.contains(&team.member.handle), "{}", members.text);
}

#[tokio::test]
async fn paid_invoice_brings_the_plan_back_without_a_second_credit() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, end) = lapsed(&app, "lapse-paid").await;
    let settings = "/api/settings?owner=lapse-paid";
    grants(&app).await;
    let invoice = invoices(&team.owner, "lapse-paid").await[0]["id"].as_str().unwrap().to_owned();
    pass(&app, days(end, 7)).await;
    app.stripe().settle().await;
    let team = team.again().await;
    assert_eq!(team.member.get(settings).await.brief(), "403 TEAM_INACTIVE");

    pays_invoice(&app, &subscription, &invoice).await;
    let (owner, handle) = (&team.owner, "lapse-paid");
    assert_eq!(plan(owner, handle).await, (json!("pro"), json!("active"), false));
    team.member.get(settings).await.expect(200);
    assert_eq!(invoices(owner, handle).await[0]["status"], "paid");
    // The first month and the second, each once.
    let has_both = async || monthly_grants(&types(owner, handle).await) == 2;
    app.until("the credit of the month does not come", has_both).await;
    for _ in 0..2 {
        grants(&app).await;
        app.stripe().settle().await;
        assert_eq!(monthly_grants(&types(owner, handle).await), 2);
    }
    // The next period is as usual.
    let next = period(&at_stripe(&app, &subscription).await, "end");
    pass(&app, next).await;
    app.stripe().settle().await;
    grants(&app).await;
    let team = team.again().await;
    assert_eq!(plan(&team.owner, handle).await, (json!("pro"), json!("active"), false));
    assert_eq!(monthly_grants(&types(&team.owner, handle).await), 3);
}

#[tokio::test]
async fn invoice_paid_within_the_week_interrupts_nothing() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, end) = lapsed(&app, "lapse-soon").await;
    let invoice = invoices(&team.owner, "lapse-soon").await[0]["id"].as_str().unwrap().to_owned();
    pays_invoice(&app, &subscription, &invoice).await;
    assert_eq!(plan(&team.owner, "lapse-soon").await, (json!("pro"), json!("active"), false));
    pass(&app, days(end, 8)).await;
    app.stripe().settle().await;
    let team = team.again().await;
    team.member.get("/api/settings?owner=lapse-soon").await.expect(200);
    let now = summary(&team.owner, "lapse-soon").await;
    let next = period(&at_stripe(&app, &subscription).await, "end").to_string();
    assert_eq!(now["plan"]["currentPeriodEnd"], next);
}

#[tokio::test]
async fn dunning_ends_with_cancellation_and_allows_a_new_start() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, end) = lapsed(&app, "lapse-dunned").await;
    let page = open_page(&team, "lapse-dunned").await;
    // Attempts follow after three, five and seven days.
    pass(&app, days(end, 15)).await;
    app.stripe().settle().await;
    assert_eq!(at_stripe(&app, &subscription).await["status"], "canceled");
    let team = team.again().await;
    assert_eq!(plan(&team.owner, "lapse-dunned").await, (json!("free"), json!("active"), false));
    is_void(&app, &team, "lapse-dunned", &page).await;
    assert_eq!(charged(&app, &subscription).await, 1);
    let refused = team.owner.delete(&billing(SUBSCRIPTION, "lapse-dunned")).await;
    assert_eq!(refused.brief(), "409 CONFLICT");
    assert_ne!(team.subscribes(3).await, subscription);
    assert_eq!(plan(&team.owner, "lapse-dunned").await, (json!("pro"), json!("active"), false));
    team.member.get("/api/settings?owner=lapse-dunned").await.expect(200);
}

/// The page of a team's last invoice, which is open.
async fn open_page(team: &Team, handle: &str) -> String {
    let invoice = invoices(&team.owner, handle).await[0].clone();
    assert_eq!(invoice["status"], "open");
    invoice["url"].as_str().unwrap().to_owned()
}

/// A team's last invoice is void: its page takes no card.
async fn is_void(app: &App, team: &Team, handle: &str, page: &str) {
    assert_eq!(invoices(&team.owner, handle).await[0]["status"], "void");
    let path = page.parse::<Url>().unwrap().path().to_owned();
    assert!(!app.get(&path).await.expect(200).text.contains("<form"));
    app.stripe().pay(page, cards::VISA).await.expect(200);
    assert_eq!(invoices(&team.owner, handle).await[0]["status"], "void");
}

#[tokio::test]
async fn end_of_a_subscription_voids_its_open_invoice() {
    tests::needs_every_region!();
    let app = App::start().await;
    for (handle, kind) in [("lapse-ended", "refused"), ("lapse-ended-lost", "lost-response")] {
        let (team, subscription, _) = lapsed(&app, handle).await;
        let (page, stripe) = (open_page(&team, handle).await, app.stripe());
        // The client repeats a call once; the message is delivered again.
        stripe.faults(json!({ "operation": "POST /v1/invoices/{id}/void", "kind": kind, "times": 2 })).await;
        let path = format!("/v1/subscriptions/{subscription}");
        assert_eq!(stripe.call(Method::DELETE, &path, &[]).await.0, 200);
        let invoices_are_void = async || invoices(&team.owner, handle).await[0]["status"] == "void";
        app.until("the invoice is not void", invoices_are_void).await;
        stripe.clear_faults().await;
        stripe.settle().await;
        is_void(&app, &team, handle, &page).await;
        assert_eq!(charged(&app, &subscription).await, 1);
        assert_eq!(plan(&team.owner, handle).await.0, "free");
    }
}

#[tokio::test]
async fn invoice_paid_after_the_end_is_logged_for_a_refund() {
    tests::needs_every_region!();
    let log = Log::captured();
    let app = App::start().await;
    let (team, subscription, _) = lapsed(&app, "lapse-paid-late").await;
    let (page, stripe) = (open_page(&team, "lapse-paid-late").await, app.stripe());
    let invoice = at_stripe(&app, &subscription).await["latest_invoice"].as_str().unwrap().to_owned();
    let path = format!("/v1/subscriptions/{subscription}");
    stripe.hold(true).await;
    assert_eq!(stripe.call(Method::DELETE, &path, &[]).await.0, 200);
    app.advance(5).await;
    stripe.pay(&page, cards::VISA).await.expect(303);
    stripe.hold(false).await;
    stripe.settle().await;
    assert_eq!(plan(&team.owner, "lapse-paid-late").await.0, "free");
    let is_logged = async || {
        let text = String::from_utf8_lossy(&log.bytes()).into_owned();
        text.lines().any(|line| line.contains("refund it") && line.contains(&invoice))
    };
    app.until("the payment is not logged", is_logged).await;
}

#[tokio::test]
async fn late_deletion_of_the_last_subscription_leaves_the_new_one() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("lapse-late").await, app.stripe());
    let old = is_subscribed(&who, "monthly").await;
    stripe.settle().await;
    stripe.hold(true).await;
    let before = stripe.events_about(&old).await;
    let path = format!("/v1/subscriptions/{old}");
    stripe.post(&path, &[("metadata[note]", "changed")]).await;
    stripe.call(Method::DELETE, &path, &[]).await;
    let held = stripe.events_about(&old).await.split_off(before.len());
    let [changed, .., deleted] = &held[..] else { panic!("{held:?}") };
    // The end is known by an earlier event.
    stripe.deliver(&[changed]).await;
    until_plan(&who, "", "free").await;
    let page = subscribes(&who, "yearly").await.expect(200);
    let new = pays(&app, &page).await;
    let events = stripe.events_about(&new).await;
    stripe.deliver(&events.iter().map(String::as_str).collect::<Vec<_>>()).await;
    until_plan(&who, "", "pro").await;
    for event in [deleted, changed, deleted] {
        stripe.deliver(&[event]).await;
        stripe.settle().await;
        let now = summary(&who, "").await["plan"].clone();
        assert_eq!((&now["planId"], &now["billingCycle"]), (&json!("pro"), &json!("yearly")));
        assert_eq!(at_stripe(&app, &new).await["status"], "active");
    }
}

#[tokio::test]
async fn second_subscription_made_at_stripe_is_ended() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, other) = (app.user("lapse-second").await, app.user("lapse-other").await);
    let first = is_subscribed(&who, "monthly").await;
    let customer = customer_of(&app, &first).await;
    let second = subscribes_by_hand(&customer, &who).await;
    // The metadata says that it is for somebody else, who has another customer or none.
    let foreign = subscribes_by_hand(&customer, &other).await;
    app.stripe().settle().await;
    let mut statuses = Vec::new();
    for subscription in [&first, &second, &foreign] {
        statuses.push(at_stripe(&app, subscription).await["status"].clone());
    }
    assert_eq!(statuses, ["active", "canceled", "active"]);
    assert_eq!(plan(&who, "").await.0, "pro");
    assert_eq!(plan(&other, "").await.0, "free");
    who.until_balance(55_000_000).await;
    assert_eq!(monthly_grants(&types(&who, "").await), 1);
}

const SETUP: &str = "/api/billing/payment-methods/setup";

/// Saves a card on a page of Stripe.
pub async fn saves(who: &Person, card: &str) {
    let page = who.send(Method::POST, SETUP, None).await.expect(200);
    who.app.stripe().pay(&page.text_at("/url"), card).await.expect(303);
}

#[tokio::test]
async fn new_default_card_pays_the_next_renewal() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("lapse-card").await, app.stripe());
    let subscription = is_subscribed(&who, "monthly").await;
    saves(&who, cards::MASTERCARD).await;
    stripe.settle().await;
    let listed = who.get("/api/billing/payment-methods").await.expect(200);
    let methods = listed.at("/paymentMethods").as_array().unwrap();
    let new = methods.iter().find(|method| method["card"]["last4"] == "4444").unwrap();
    let body = json!({ "paymentMethodId": new["id"] });
    who.post("/api/billing/payment-methods/default", body).await.expect(200);
    pass(&app, period(&at_stripe(&app, &subscription).await, "end")).await;
    stripe.settle().await;
    let customer = customer_of(&app, &subscription).await;
    let charges = stripe.get(&format!("/v1/charges?customer={customer}")).await;
    let last4: Vec<&Value> = charges["data"].as_array().unwrap().iter().map(last4_of).collect();
    assert_eq!(last4, ["4444", "4242"], "the renewal was charged to the former card");
    assert_eq!(plan(&again(&who).await, "").await, (json!("pro"), json!("active"), false));
}

fn last4_of(charge: &Value) -> &Value {
    &charge["payment_method_details"]["card"]["last4"]
}

/// Makes a saved card the default of a workspace.
async fn chooses(who: &Person, owner: &str, card: &str) -> Answer {
    who.post(&billing("payment-methods/default", owner), json!({ "paymentMethodId": card })).await
}

/// The number of charges of a subscription's customer that succeeded.
async fn charged(app: &App, subscription: &str) -> usize {
    let customer = customer_of(app, subscription).await;
    let charges = app.stripe().get(&format!("/v1/charges?customer={customer}&limit=100")).await;
    charges["data"].as_array().unwrap().iter().filter(|charge| charge["paid"] == true).count()
}

#[tokio::test]
async fn new_default_card_brings_a_lapsed_plan_back_at_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, end) = lapsed(&app, "lapse-new-card").await;
    let (handle, settings, stripe) = ("lapse-new-card", "/api/settings?owner=lapse-new-card", app.stripe());
    grants(&app).await;
    pass(&app, days(end, 7)).await;
    stripe.settle().await;
    let team = team.again().await;
    assert_eq!(team.member.get(settings).await.brief(), "403 TEAM_INACTIVE");
    let refused = team.owner.post(&billing(SUBSCRIPTION, handle), json!({ "billingCycle": "monthly" })).await;
    assert_eq!(refused.brief(), "409 CONFLICT");
    let detail =
        "The last invoice of this workspace is not paid. Choose another payment method, or pay the invoice.";
    assert_eq!(refused.at("/detail"), detail);

    // Nothing waits for an event.
    stripe.hold(true).await;
    let card = attaches(&app, &customer_of(&app, &subscription).await, "pm_card_visa").await;
    let paid = chooses(&team.owner, handle, &card).await.expect(200);
    assert_eq!(paid.body, json!({ "success": true, "invoicePaid": true }));
    assert_eq!(plan(&team.owner, handle).await, (json!("pro"), json!("active"), false));
    team.member.get(settings).await.expect(200);
    assert_eq!(invoices(&team.owner, handle).await[0]["status"], "paid");
    // Doing it again finds nothing to pay.
    assert_eq!(chooses(&team.owner, handle, &card).await.expect(200).body, json!({ "success": true }));
    assert_eq!(charged(&app, &subscription).await, 2);
    stripe.hold(false).await;
    stripe.settle().await;

    // The first month and the second, each once.
    let has_both = async || monthly_grants(&types(&team.owner, handle).await) == 2;
    app.until("the credit of the month does not come", has_both).await;
    for _ in 0..2 {
        grants(&app).await;
        stripe.settle().await;
        assert_eq!(monthly_grants(&types(&team.owner, handle).await), 2);
    }
}

#[tokio::test]
async fn declined_default_card_leaves_the_invoice_open() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, _) = lapsed(&app, "lapse-bad-card").await;
    let customer = customer_of(&app, &subscription).await;
    for (test_card, paid) in [
        ("pm_card_chargeCustomerFail", false),
        ("pm_card_authenticationRequired", false),
        ("pm_card_mastercard", true),
    ] {
        let card = attaches(&app, &customer, test_card).await;
        let chosen = chooses(&team.owner, "lapse-bad-card", &card).await.expect(200);
        assert_eq!(chosen.body, json!({ "success": true, "invoicePaid": paid }), "{test_card}");
        let now = app.stripe().get(&format!("/v1/customers/{customer}")).await;
        assert_eq!(now["invoice_settings"]["default_payment_method"], card.as_str(), "{test_card}");
        app.stripe().settle().await;
        let status = if paid { "active" } else { "past_due" };
        let expected = (json!("pro"), json!(status), !paid);
        assert_eq!(plan(&team.owner, "lapse-bad-card").await, expected, "{test_card}");
    }
    assert_eq!(charged(&app, &subscription).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_card_chosen_twice_at_once_pays_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, _) = lapsed(&app, "lapse-at-once").await;
    let card = attaches(&app, &customer_of(&app, &subscription).await, "pm_card_visa").await;
    let answers = join_all((0..4).map(|_| surely(|| chooses(&team.owner, "lapse-at-once", &card)))).await;
    for answer in answers {
        let answer = answer.expect(200);
        // A request that comes late finds nothing to pay.
        assert_ne!(answer.at("/invoicePaid"), false, "{}", answer.text);
    }
    assert_eq!(charged(&app, &subscription).await, 2);
    app.stripe().settle().await;
    assert_eq!(plan(&team.owner, "lapse-at-once").await, (json!("pro"), json!("active"), false));
}

#[tokio::test]
async fn lost_answer_to_a_payment_of_an_invoice_pays_once() {
    tests::needs_every_region!();
    let app = App::start().await;
    // The client repeats a call once.
    for (handle, times) in [("lapse-lost-once", 1), ("lapse-lost-twice", 2)] {
        let (team, subscription, _) = lapsed(&app, handle).await;
        let card = attaches(&app, &customer_of(&app, &subscription).await, "pm_card_visa").await;
        let lost =
            json!({ "operation": "POST /v1/invoices/{id}/pay", "kind": "lost-response", "times": times });
        app.stripe().faults(lost).await;
        let first = chooses(&team.owner, handle, &card).await;
        app.stripe().clear_faults().await;
        if times == 1 {
            assert_eq!(first.expect(200).at("/invoicePaid"), true);
        } else {
            assert_eq!(first.brief(), "503 UNAVAILABLE", "{}", first.text);
            chooses(&team.owner, handle, &card).await.expect(200);
        }
        assert_eq!(charged(&app, &subscription).await, 2, "{handle}");
        app.stripe().settle().await;
        assert_eq!(plan(&team.owner, handle).await, (json!("pro"), json!("active"), false), "{handle}");
    }
}

#[tokio::test]
async fn page_of_an_open_invoice_takes_a_card() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (team, subscription, _) = lapsed(&app, "lapse-page").await;
    let stripe = app.stripe();
    let page = invoices(&team.owner, "lapse-page").await[0]["url"].as_str().unwrap().to_owned();
    let path = page.parse::<Url>().unwrap().path().to_owned();
    assert!(app.get(&path).await.expect(200).text.contains("<form"));
    for card in [cards::DECLINED, cards::DECLINED_LATER] {
        let declined = stripe.pay(&page, card).await.expect(200);
        assert!(declined.text.contains("role=\"alert\""), "{}", declined.text);
    }
    let asked = stripe.submit(&page, &[("action", "pay"), ("card", cards::AUTHENTICATION)]).await.expect(200);
    assert!(asked.text.contains("Complete authentication"), "{}", asked.text);
    assert_eq!(plan(&team.owner, "lapse-page").await, (json!("pro"), json!("past_due"), true));
    stripe.pay(&page, cards::AUTHENTICATION).await.expect(303);
    stripe.settle().await;
    assert_eq!(plan(&team.owner, "lapse-page").await, (json!("pro"), json!("active"), false));
    assert!(!app.get(&path).await.expect(200).text.contains("<form"));
    // A second click pays nothing.
    stripe.pay(&page, cards::VISA).await.expect(200);
    assert_eq!(charged(&app, &subscription).await, 2);
}
