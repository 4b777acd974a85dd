//! Subscriptions: the page that is paid brings the plan, once, and its end takes nothing but the plan.

use domain::{Timestamp, resource::Kind, role::Role};
use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;
use tests::{Answer, App, Person, Value, cards, json, path_of};

use super::again;
use crate::{provision, wallets::surely};

/// Requests about a subscription.
pub const SUBSCRIPTION: &str = "subscription-checkout";
/// The worker that adds the credit of a month.
pub const GRANT: &str = "grant-monthly-credits";

/// The path of a part of a workspace's billing. Without an owner, it is the caller's own workspace.
pub fn billing(part: &str, owner: &str) -> String {
    match owner {
        "" => format!("/api/billing/{part}"),
        owner => format!("/api/billing/{part}?owner={owner}"),
    }
}

/// Asks for a page on which the personal workspace subscribes.
pub async fn subscribes(who: &Person, cycle: &str) -> Answer {
    who.post(&billing(SUBSCRIPTION, ""), json!({ "billingCycle": cycle })).await
}

/// The Checkout session of a page.
async fn session(app: &App, page: &Answer) -> Value {
    app.stripe().get(&format!("/v1/checkout/sessions/{}", page.text_at("/sessionId"))).await
}

/// Pays a page; the id of the subscription.
pub async fn pays(app: &App, page: &Answer) -> String {
    app.stripe().pay(&page.text_at("/url"), cards::VISA).await.expect(303);
    session(app, page).await["subscription"].as_str().unwrap().to_owned()
}

/// Subscribes with the personal workspace, and waits for the plan; the id of the subscription.
pub async fn is_subscribed(who: &Person, cycle: &str) -> String {
    let page = subscribes(who, cycle).await.expect(200);
    let subscription = pays(&who.app, &page).await;
    until_plan(who, "", "pro").await;
    subscription
}

/// The plan of a workspace, and what is used of it.
pub async fn summary(who: &Person, owner: &str) -> Value {
    who.get(&billing("usage-summary", owner)).await.expect(200).body
}

/// Waits until a workspace has a plan.
pub async fn until_plan(who: &Person, owner: &str, plan: &str) {
    let has_plan = async || summary(who, owner).await["plan"]["planId"] == plan;
    who.app.until(&format!("the plan does not become {plan}"), has_plan).await;
}

/// A subscription as Stripe has it.
pub async fn at_stripe(app: &App, subscription: &str) -> Value {
    app.stripe().get(&format!("/v1/subscriptions/{subscription}")).await
}

/// A time of the current period of a subscription: `start` or `end`.
pub fn period(subscription: &Value, edge: &str) -> Timestamp {
    let second = subscription["items"]["data"][0][format!("current_period_{edge}")].as_i64().unwrap();
    Timestamp::from_second(second).unwrap()
}

/// Moves the clock to a minute after a time.
pub async fn pass(app: &App, at: Timestamp) {
    app.set_clock(at.saturating_add(SignedDuration::from_mins(1)).unwrap()).await;
}

/// The invoices of a workspace, newest first.
pub async fn invoices(who: &Person, owner: &str) -> Vec<Value> {
    let page = who.get(&billing("invoices", owner)).await.expect(200);
    page.at("/invoices").as_array().cloned().unwrap()
}

/// The types of a workspace's transactions, newest first.
pub async fn types(who: &Person, owner: &str) -> Vec<String> {
    let page = who.get(&billing("transactions", owner)).await.expect(200);
    let rows = page.at("/transactions").as_array().unwrap();
    rows.iter().map(|row| row["type"].as_str().unwrap().to_owned()).collect()
}

/// Has the credit of the month added, where it is due.
pub async fn grants(app: &App) {
    surely(|| app.try_worker(GRANT)).await.expect(200);
}

/// Attaches a new test card to a customer; its id.
pub async fn attaches(app: &App, customer: &str, card: &str) -> String {
    let path = format!("/v1/payment_methods/{card}/attach");
    let (status, method) = app.stripe().post(&path, &[("customer", customer)]).await;
    assert_eq!(status, 200, "{method}");
    method["id"].as_str().unwrap().to_owned()
}

/// Subscribes a customer without the platform, for somebody's workspace; the id of the subscription.
pub async fn subscribes_by_hand(customer: &str, who: &Person) -> String {
    let method = attaches(&who.app, customer, "pm_card_visa").await;
    let (workspace, region) = (who.workspace().to_string(), who.app.home().to_string());
    let form = [
        ("customer", customer),
        ("items[0][price]", "price_pro_monthly"),
        ("default_payment_method", &method),
        ("metadata[workspace]", &workspace),
        ("metadata[region]", &region),
        ("metadata[purpose]", "subscription"),
    ];
    let (status, made) = who.app.stripe().post("/v1/subscriptions", &form).await;
    assert_eq!((status, &made["status"]), (200, &json!("active")), "{made}");
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn paid_page_brings_plan_credit_and_invoice() {
    let app = App::start().await;
    for (cycle, cents) in [("monthly", 2_900), ("yearly", 29_000)] {
        let who = app.user(&format!("sub-{cycle}")).await;
        let none = json!({ "invoices": [], "hasMore": false });
        assert_eq!(who.get(&billing("invoices", "")).await.expect(200).body, none);
        let page = subscribes(&who, cycle).await.expect(200);
        assert_eq!(summary(&who, "").await["plan"]["planId"], "free");
        let subscription = pays(&app, &page).await;
        until_plan(&who, "", "pro").await;
        let end = period(&at_stripe(&app, &subscription).await, "end").to_string();
        let plan = json!({
            "planId": "pro", "name": "Pro", "status": "active", "cancelAtPeriodEnd": false,
            "billingCycle": cycle, "currentPeriodEnd": end,
        });
        let shown = summary(&who, "").await;
        let figures = ["nextInvoiceCents", "paidSeats"].map(|name| shown[name].clone());
        assert_eq!((&shown["plan"], figures), (&plan, [json!(cents), json!(1)]));
        assert_eq!(shown["trainingCredit"]["monthlyGrant"], 3_000);
        // The credit of the year comes month by month, too.
        who.until_balance(55_000_000).await;
        assert_eq!(types(&who, "").await, ["monthly_grant", "signup"]);
        let listed = invoices(&who, "").await;
        assert_eq!(listed.len(), 1, "{listed:?}");
        let parts = ["status", "totalCents"].map(|part| listed[0][part].clone());
        assert_eq!(parts, [json!("paid"), json!(cents)]);
        let id = listed[0]["id"].as_str().unwrap();
        assert!(listed[0]["url"].as_str().unwrap().contains(id), "{listed:?}");
        assert!(who.activity().await.contains(&format!("updated billing {}", who.handle)));
    }
}

#[tokio::test]
async fn declined_card_leaves_the_free_plan_and_the_page_open() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("sub-declined").await, app.stripe());
    let page = subscribes(&who, "monthly").await.expect(200);
    for card in [cards::DECLINED, cards::DECLINED_LATER] {
        let answer = stripe.pay(&page.text_at("/url"), card).await;
        assert_ne!(answer.status, 303, "{card}");
        stripe.settle().await;
        let now = summary(&who, "").await;
        assert_eq!((&now["plan"]["planId"], &now["paidSeats"]), (&json!("free"), &json!(null)));
        assert_eq!(types(&who, "").await, ["signup"]);
    }
    pays(&app, &page).await;
    until_plan(&who, "", "pro").await;
}

#[tokio::test]
async fn workspace_with_a_plan_does_not_subscribe_again() {
    let app = App::start().await;
    let who = app.user("sub-twice").await;
    is_subscribed(&who, "monthly").await;
    for cycle in ["monthly", "yearly"] {
        assert_eq!(subscribes(&who, cycle).await.brief(), "409 CONFLICT");
    }
    let contract = app.user("sub-contract").await;
    let form = json!({ "username": "sub-contract", "plan": "enterprise" });
    app.as_service(Method::POST, provision::PATH, form).await.expect(200);
    assert_eq!(subscribes(&contract, "monthly").await.brief(), "409 CONFLICT");
}

#[tokio::test]
async fn second_page_closes_the_first() {
    let app = App::start().await;
    let (who, stripe) = (app.user("sub-pages").await, app.stripe());
    let first = subscribes(&who, "monthly").await.expect(200);
    let second = subscribes(&who, "yearly").await.expect(200);
    assert_eq!(session(&app, &first).await["status"], "expired");
    let late = stripe.pay(&first.text_at("/url"), cards::VISA).await;
    assert_ne!(late.status, 303);
    assert_eq!(session(&app, &first).await["subscription"], json!(null));
    pays(&app, &second).await;
    until_plan(&who, "", "pro").await;
    assert_eq!(summary(&who, "").await["plan"]["billingCycle"], "yearly");
    assert_eq!(invoices(&who, "").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_asked_for_at_once_leave_one_to_pay() {
    let app = App::start().await;
    let (who, stripe) = (app.user("sub-at-once").await, app.stripe());
    let answers = join_all((0..4).map(|_| subscribes(&who, "monthly"))).await;
    let (mut opened, mut paid) = (0, 0);
    for page in answers.iter().filter(|answer| answer.status == 200) {
        opened += 1;
        let answer = stripe.pay(&page.text_at("/url"), cards::VISA).await;
        paid += usize::from(answer.status == 303);
    }
    // On a busy machine, requests may fail. One that was answered last has its page open.
    assert!(paid <= 1 && (paid == 1 || opened < answers.len()), "{paid} of {opened}");
    assert_eq!(invoices(&who, "").await.len(), paid);
}

#[tokio::test]
async fn page_paid_before_its_event_opens_no_other() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("sub-late").await, app.stripe());
    stripe.hold(true).await;
    let page = subscribes(&who, "monthly").await.expect(200);
    let subscription = pays(&app, &page).await;
    assert_eq!(subscribes(&who, "monthly").await.brief(), "409 CONFLICT");
    stripe.hold(false).await;
    stripe.settle().await;
    assert_eq!(at_stripe(&app, &subscription).await["status"], "active");
    until_plan(&who, "", "pro").await;
    who.until_balance(55_000_000).await;
    assert_eq!(types(&who, "").await, ["monthly_grant", "signup"]);
}

#[tokio::test]
async fn subscription_of_another_customer_gives_no_plan() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("sub-named").await, app.user("sub-payer").await);
    // Both have a customer at Stripe.
    subscribes(&ada, "monthly").await.expect(200);
    let page = subscribes(&bob, "monthly").await.expect(200);
    let customer = session(&app, &page).await["customer"].as_str().unwrap().to_owned();
    let foreign = subscribes_by_hand(&customer, &ada).await;
    app.stripe().settle().await;
    for who in [&ada, &bob] {
        assert_eq!(summary(who, "").await["plan"]["planId"], "free");
    }
    assert_eq!(at_stripe(&app, &foreign).await["status"], "active");
}

#[tokio::test]
async fn renewal_moves_the_period_and_brings_the_next_credit() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = app.user("sub-renewed").await;
    let subscription = is_subscribed(&who, "monthly").await;
    who.until_balance(55_000_000).await;
    app.stripe().settle().await;
    let end = period(&at_stripe(&app, &subscription).await, "end");
    pass(&app, end).await;
    app.stripe().settle().await;
    grants(&app).await;
    let who = again(&who).await;
    who.until_balance(55_000_000).await;
    assert_eq!(types(&who, "").await, ["monthly_grant", "pro_credit_expiry", "monthly_grant", "signup"]);
    let next = period(&at_stripe(&app, &subscription).await, "end");
    assert!(next > end);
    let plan = summary(&who, "").await["plan"].clone();
    let shown = ["planId", "status", "currentPeriodEnd"].map(|part| plan[part].clone());
    assert_eq!(shown, [json!("pro"), json!("active"), json!(next.to_string())]);
    assert_eq!(invoices(&who, "").await.len(), 2);
}

#[tokio::test]
async fn yearly_subscription_brings_credit_each_month() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = app.user("sub-months").await;
    is_subscribed(&who, "yearly").await;
    who.until_balance(55_000_000).await;
    for months in 1..=2 {
        app.stripe().settle().await;
        app.advance(32 * 86_400).await;
        grants(&app).await;
        let who = again(&who).await;
        who.until_balance(55_000_000).await;
        let credits = types(&who, "").await.into_iter().filter(|kind| kind == "monthly_grant");
        assert_eq!(credits.count(), months + 1);
        assert_eq!(invoices(&who, "").await.len(), 1);
    }
}

/// Cancels, or resumes.
async fn cancels(who: &Person, resume: bool) -> Answer {
    let body = resume.then(|| json!({ "resume": true }));
    who.send(Method::DELETE, &billing(SUBSCRIPTION, ""), body).await
}

#[tokio::test]
async fn canceled_subscription_ends_with_its_period_unless_resumed() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (who, stripe) = (app.user("sub-canceled").await, app.stripe());
    let subscription = is_subscribed(&who, "monthly").await;
    let kept = who.make(Kind::Project, "kept").await;
    // Each of them twice.
    for resume in [false, false, true, true, false] {
        let answer = cancels(&who, resume).await.expect(200);
        assert_eq!(
            (answer.at("/status"), answer.at("/cancelAtPeriodEnd")),
            (&json!("active"), &json!(!resume))
        );
        assert_eq!(at_stripe(&app, &subscription).await["cancel_at_period_end"], !resume);
        let now = summary(&who, "").await;
        let plan = ["planId", "cancelAtPeriodEnd"].map(|part| now["plan"][part].clone());
        assert_eq!(plan, [json!("pro"), json!(!resume)]);
        let next = if resume { json!(2_900) } else { json!(null) };
        assert_eq!(now["nextInvoiceCents"], next);
    }
    who.until_balance(55_000_000).await;
    stripe.settle().await;

    // The plan ends on time, also if the event is late.
    stripe.hold(true).await;
    pass(&app, period(&at_stripe(&app, &subscription).await, "end")).await;
    let who = again(&who).await;
    assert_eq!(summary(&who, "").await["plan"]["planId"], "free");
    stripe.hold(false).await;
    stripe.settle().await;
    assert_eq!(at_stripe(&app, &subscription).await["status"], "canceled");
    let now = summary(&who, "").await;
    assert_eq!((&now["plan"]["planId"], &now["paidSeats"]), (&json!("free"), &json!(null)));
    // The credit of the month is gone, and nothing else.
    who.until_balance(25_000_000).await;
    who.get(&path_of(&kept)).await.expect(200);
    assert_eq!(invoices(&who, "").await.len(), 1);
    for resume in [false, true] {
        assert_eq!(cancels(&who, resume).await.brief(), "409 CONFLICT");
    }
    assert_ne!(is_subscribed(&who, "monthly").await, subscription);
}

#[tokio::test]
async fn workspace_without_a_subscription_has_nothing_to_cancel() {
    let app = App::start().await;
    let who = app.user("sub-nothing").await;
    for resume in [false, true] {
        assert_eq!(cancels(&who, resume).await.brief(), "409 CONFLICT");
    }
    // With a customer, and a page that nobody paid.
    subscribes(&who, "monthly").await.expect(200);
    for resume in [false, true] {
        assert_eq!(cancels(&who, resume).await.brief(), "409 CONFLICT");
    }
}

#[tokio::test]
async fn only_admins_manage_a_subscription() {
    let app = App::start().await;
    let (owner, stranger) = (app.user("sub-owner").await, app.user("sub-stranger").await);
    let (viewer, editor) = (app.user("sub-viewer").await, app.user("sub-editor").await);
    let admin = app.user("sub-admin").await;
    for (who, role) in [(&viewer, Role::Viewer), (&editor, Role::Editor), (&admin, Role::Admin)] {
        owner.let_in(who, role).await;
    }
    let (change, list) = (billing(SUBSCRIPTION, "sub-owner"), billing("invoices", "sub-owner"));
    let requests = [
        (Method::POST, &change, Some(json!({ "billingCycle": "monthly" }))),
        (Method::PATCH, &change, Some(json!({ "seats": 2 }))),
        (Method::DELETE, &change, None),
        (Method::GET, &list, None),
    ];
    for (method, path, body) in &requests {
        let ask = async |who: &Person| who.send(method.clone(), path, body.clone()).await.brief();
        assert_eq!(ask(&viewer).await, "403 FORBIDDEN", "{method} {path}");
        assert_eq!(ask(&editor).await, "403 FORBIDDEN", "{method} {path}");
        assert_eq!(ask(&stranger).await, "404 NOT_FOUND", "{method} {path}");
    }
    let page = admin.post(&change, json!({ "billingCycle": "monthly" })).await.expect(200);
    pays(&app, &page).await;
    until_plan(&owner, "", "pro").await;
    admin.delete(&change).await.expect(200);
    assert_eq!(admin.get(&list).await.expect(200).at("/invoices/0/status"), "paid");
    // A personal workspace has one seat.
    assert_eq!(admin.patch(&change, json!({ "seats": 2 })).await.brief(), "409 CONFLICT");
    let key = owner.with_api_key("ci").await;
    assert_eq!(key.get(&billing("invoices", "")).await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn invalid_subscription_is_refused_by_field() {
    let app = App::start().await;
    let who = app.user("sub-invalid").await;
    for (body, complaints) in [
        (json!({}), "billingCycle REQUIRED"),
        (json!({ "billingCycle": "weekly" }), "billingCycle INVALID"),
        (json!({ "billingCycle": "monthly", "seats": 0 }), "seats INVALID"),
        (json!({ "billingCycle": "monthly", "seats": 2 }), "seats INVALID"),
        (json!({ "billingCycle": "monthly", "seats": 6 }), "seats INVALID"),
        (json!({ "billingCycle": "monthly", "seats": "1" }), "seats INVALID"),
        (json!({ "billingCycle": "monthly", "plan": "pro" }), "plan UNKNOWN"),
    ] {
        let answer = who.post(&billing(SUBSCRIPTION, ""), body).await;
        assert_eq!(answer.complaints(), complaints, "{}", answer.text);
    }
    let (stripe, of_customers) = (app.stripe(), "/v1/customers");
    assert_eq!(stripe.get(of_customers).await["data"], json!([]), "nobody was made a customer");
}
