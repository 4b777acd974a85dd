//! Seats of a team's subscription: more are paid at once, fewer with the next period, and none twice.

use domain::{Timestamp, id::WorkspaceId, role::Role};
use futures::future::join_all;
use tests::{Answer, App, Person, Value, json};

use super::{
    again,
    subscription::{
        SUBSCRIPTION, at_stripe, attaches, billing, invoices, pass, pays, period, summary, until_plan,
    },
};
use crate::wallets::surely;

/// A team with an owner and one member.
pub struct Team {
    pub owner: Person,
    pub member: Person,
    pub id: WorkspaceId,
    pub handle: String,
}

impl Team {
    /// A team without a plan.
    pub async fn founded(app: &App, handle: &str) -> Self {
        let owner = app.user(&format!("{handle}-owner")).await;
        let member = app.user(&format!("{handle}-member")).await;
        let id = owner.create_team(handle).await;
        member.join(id, Role::Editor).await;
        Self { owner, member, id, handle: handle.to_owned() }
    }

    /// The same with new sessions, for a clock that was moved.
    pub async fn again(self) -> Self {
        let (owner, member) = (again(&self.owner).await, again(&self.member).await);
        Self { owner, member, ..self }
    }

    /// Asks for a page on which the team subscribes.
    async fn asks(&self, body: Value) -> Answer {
        self.owner.post(&billing(SUBSCRIPTION, &self.handle), body).await
    }

    /// Subscribes, and waits for the plan; the id of the subscription.
    pub async fn subscribes(&self, seats: u32) -> String {
        let page = self.asks(json!({ "billingCycle": "monthly", "seats": seats })).await.expect(200);
        let subscription = pays(&self.owner.app, &page).await;
        until_plan(&self.owner, &self.handle, "pro").await;
        subscription
    }

    /// Changes the seats.
    async fn changes(&self, seats: u32) -> Answer {
        self.owner.patch(&billing(SUBSCRIPTION, &self.handle), json!({ "seats": seats })).await
    }

    /// The seats of the next invoice and those that are paid, after a change.
    async fn has(&self, seats: u32) -> (Value, Value) {
        let answer = self.changes(seats).await.expect(200);
        (answer.at("/seats").clone(), answer.at("/paidSeats").clone())
    }

    /// What the summary says: paid seats, the most seats, and the next invoice in cents.
    async fn figures(&self) -> [Value; 3] {
        let now = summary(&self.owner, &self.handle).await;
        ["paidSeats", "maxSeats", "nextInvoiceCents"].map(|name| now[name].clone())
    }

    /// The totals of the invoices in cents, newest first.
    async fn invoiced(&self) -> Vec<Value> {
        let listed = invoices(&self.owner, &self.handle).await;
        listed.iter().map(|invoice| invoice["totalCents"].clone()).collect()
    }
}

/// The number of seats that Stripe renews.
async fn renewed_seats(app: &App, subscription: &str) -> Value {
    at_stripe(app, subscription).await["items"]["data"][0]["quantity"].clone()
}

/// Has a subscription paid with a card that can be saved, but not charged.
pub async fn pays_with_a_bad_card(app: &App, subscription: &str) {
    let customer = at_stripe(app, subscription).await["customer"].as_str().unwrap().to_owned();
    let bad = attaches(app, &customer, "pm_card_chargeCustomerFail").await;
    pays_with(app, subscription, &bad).await;
}

/// Has a subscription paid with another payment method of its customer: the default, which all subscriptions of the platform use.
pub async fn pays_with(app: &App, subscription: &str, method: &str) {
    let customer = at_stripe(app, subscription).await["customer"].as_str().unwrap().to_owned();
    let default = [("invoice_settings[default_payment_method]", method)];
    let (status, answer) = app.stripe().post(&format!("/v1/customers/{customer}"), &default).await;
    assert_eq!(status, 200, "{answer}");
}

/// The middle of the current period of a subscription.
async fn middle(app: &App, subscription: &str) -> Timestamp {
    let now = at_stripe(app, subscription).await;
    let sum = period(&now, "start").as_second() + period(&now, "end").as_second();
    Timestamp::from_second(sum / 2).unwrap()
}

#[tokio::test]
async fn team_subscribes_with_at_least_the_seats_that_are_taken() {
    let app = App::start().await;
    let team = Team::founded(&app, "seats-taken").await;
    for (seats, complaints) in [(json!(1), "seats INVALID"), (json!(6), "seats INVALID")] {
        let answer = team.asks(json!({ "billingCycle": "monthly", "seats": seats })).await;
        assert_eq!(answer.complaints(), complaints, "{}", answer.text);
    }
    // Nobody subscribed yet.
    assert_eq!(team.changes(3).await.brief(), "409 CONFLICT");
    // Without a number, as many as are taken.
    let page = team.asks(json!({ "billingCycle": "monthly" })).await.expect(200);
    let subscription = pays(&app, &page).await;
    until_plan(&team.owner, "seats-taken", "pro").await;
    assert_eq!(renewed_seats(&app, &subscription).await, 2);
    assert_eq!(team.figures().await, [json!(2), json!(2), json!(5_800)]);
    assert_eq!(team.invoiced().await, [5_800]);
    for (seats, complaints) in [(1, "seats INVALID"), (0, "seats INVALID"), (6, "seats INVALID")] {
        assert_eq!(team.changes(seats).await.complaints(), complaints, "{seats}");
    }
    assert_eq!(team.figures().await, [json!(2), json!(2), json!(5_800)]);
    // The member has access.
    team.member.get("/api/settings?owner=seats-taken").await.expect(200);
    // The credit is that of two seats.
    let shown = async || summary(&team.owner, "seats-taken").await["creditsCents"] == 6_000;
    app.until("the credit does not come", shown).await;
}

#[tokio::test]
async fn more_seats_are_paid_at_once_and_fewer_with_the_next_period() {
    tests::needs_every_region!();
    let app = App::in_process().await;
    app.stop_clock().await;
    let team = Team::founded(&app, "seats-change").await;
    let subscription = team.subscribes(2).await;
    app.stripe().settle().await;
    // Half of the period costs half of the price.
    app.set_clock(middle(&app, &subscription).await).await;
    let team = team.again().await;
    assert_eq!(team.has(4).await, (json!(4), json!(4)));
    assert_eq!(team.invoiced().await, [2_900, 5_800]);
    assert_eq!(team.figures().await, [json!(4), json!(4), json!(11_600)]);
    // The same again changes nothing.
    assert_eq!(team.has(4).await, (json!(4), json!(4)));
    // Fewer seats: those that are paid stay.
    assert_eq!(team.has(2).await, (json!(2), json!(4)));
    assert_eq!(team.figures().await, [json!(4), json!(4), json!(5_800)]);
    // Up again within what is paid is free.
    assert_eq!(team.has(3).await, (json!(3), json!(4)));
    assert_eq!(team.invoiced().await, [2_900, 5_800]);
    assert_eq!(renewed_seats(&app, &subscription).await, 3);
    // Beyond it, only the seat that is new is paid.
    assert_eq!(team.has(5).await, (json!(5), json!(5)));
    assert_eq!(team.invoiced().await, [1_450, 2_900, 5_800]);
    assert_eq!(team.has(3).await, (json!(3), json!(5)));
    app.stripe().settle().await;

    pass(&app, period(&at_stripe(&app, &subscription).await, "end")).await;
    app.stripe().settle().await;
    let team = team.again().await;
    assert_eq!(team.figures().await, [json!(3), json!(3), json!(8_700)]);
    assert_eq!(team.invoiced().await, [8_700, 1_450, 2_900, 5_800]);
}

#[tokio::test]
async fn declined_card_changes_no_seats() {
    tests::needs_every_region!();
    let app = App::start().await;
    let team = Team::founded(&app, "seats-declined").await;
    let subscription = team.subscribes(2).await;
    pays_with_a_bad_card(&app, &subscription).await;
    app.stripe().settle().await;
    app.advance(86_400).await;
    let team = team.again().await;
    let refused = team.changes(4).await;
    assert_eq!(refused.brief(), "402 PAYMENT_DECLINED");
    app.stripe().settle().await;
    assert_eq!(renewed_seats(&app, &subscription).await, 2);
    assert_eq!(team.figures().await, [json!(2), json!(2), json!(5_800)]);
    assert_eq!(team.invoiced().await, [5_800]);
    assert_eq!(at_stripe(&app, &subscription).await["status"], "active");
}

#[tokio::test]
async fn declined_card_leaves_seats_that_were_given_up() {
    tests::needs_every_region!();
    let app = App::start().await;
    let team = Team::founded(&app, "seats-given-up").await;
    let subscription = team.subscribes(4).await;
    assert_eq!(team.has(2).await, (json!(2), json!(4)));
    pays_with_a_bad_card(&app, &subscription).await;
    assert_eq!(team.changes(5).await.brief(), "402 PAYMENT_DECLINED");
    app.stripe().settle().await;
    assert_eq!(renewed_seats(&app, &subscription).await, 2, "the next invoice has seats that nobody has");
    assert_eq!(team.figures().await, [json!(4), json!(4), json!(5_800)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_make_one_invoice() {
    tests::needs_every_region!();
    let app = App::start().await;
    let team = Team::founded(&app, "seats-at-once").await;
    let subscription = team.subscribes(2).await;
    app.stripe().settle().await;
    app.advance(86_400).await;
    let team = team.again().await;
    let answers = join_all((0..6).map(|_| surely(|| team.changes(5)))).await;
    // One request at a time changes the seats.
    let refused = answers.iter().filter(|answer| answer.brief() == "409 CONFLICT").count();
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        assert_eq!(answer.at("/seats"), 5);
    }
    assert!(refused < answers.len() && answers.iter().all(|answer| [200, 409].contains(&answer.status)));
    assert_eq!(renewed_seats(&app, &subscription).await, 5);
    let charged: Vec<Value> =
        team.invoiced().await.into_iter().filter(|total| total.as_i64() > Some(0)).collect();
    assert_eq!(charged.len(), 2, "{charged:?}");
    assert_eq!(team.figures().await, [json!(5), json!(5), json!(14_500)]);
}

#[tokio::test]
async fn seats_of_an_unpaid_subscription_do_not_change() {
    tests::needs_every_region!();
    let app = App::start().await;
    let team = Team::founded(&app, "seats-unpaid").await;
    let subscription = team.subscribes(2).await;
    pays_with_a_bad_card(&app, &subscription).await;
    app.stripe().settle().await;
    pass(&app, period(&at_stripe(&app, &subscription).await, "end")).await;
    app.stripe().settle().await;
    let team = team.again().await;
    assert_eq!(at_stripe(&app, &subscription).await["status"], "past_due");
    for seats in [2, 3] {
        assert_eq!(team.changes(seats).await.brief(), "409 CONFLICT");
    }
    assert_eq!(renewed_seats(&app, &subscription).await, 2);
    // No second subscription either.
    let page = team.asks(json!({ "billingCycle": "monthly" })).await;
    assert_eq!(page.brief(), "409 CONFLICT");
}
