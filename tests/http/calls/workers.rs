//! What workers cost, each for one event that comes alone.

mod addresses;
mod data;
mod invitations;
mod payments;
mod referrals;
mod regions;
mod wallets;

use std::time::Duration;

use domain::resource::Kind;

use futures::future::BoxFuture;
use tests::{Answer, PASSWORD};

use super::*;
use crate::{
    feedback,
    fixtures::{BESIDE, auth},
    following, password,
};

/// What sets a worker off.
type Act = fn(Person, usize) -> BoxFuture<'static, ()>;

/// The message that frees a name. It ends with the same call as it begins.
const REMOVED: &str = "a removed address";
/// The message about the first company address of an account.
const COMPANY: &str = "a company address";
/// The message about a member from another region. It ends with two calls at once.
const TOLD: &str = "a role of a member from another region";

/// Why a rotation reads more than its four steps must.
const THE_RIGHT_VERSION: &str = "the last step looks at the version and the labels again, to move the label from no other \
                                 version than the one that this was made from";

/// An event that a worker is measured with.
struct Event {
    function: &'static str,
    /// What happened.
    name: &'static str,
    /// Makes it happen.
    set_off: Act,
    /// The call that the worker ends with.
    last_call: &'static str,
    least: Figures,
    reason: &'static str,
    sets_off: &'static [&'static str],
}

/// The authorizer, which other services call.
pub fn authorizer() -> [Scenario; 2] {
    [
        Scenario::new("API key", (1, 1, 1.0, 0.0), |who, _| authorize(who)).by_key(),
        Scenario::new("session", (1, 1, 2.0, 0.0), |who, _| authorize(who)),
    ]
}

async fn authorize(who: Person) -> Answer {
    let question = json!({ "headers": { "authorization": format!("Bearer {}", who.token) } });
    who.app.post("/_local/run/authorizer?region=eu", question).await
}

/// Every event.
fn events() -> Vec<Event> {
    message_events()
        .into_iter()
        .chain(addresses::events())
        .chain([invitations::event(), regions::event()])
        .chain(claim_events())
        .chain([follower_event()])
        .chain(company_events())
        .chain(wallets::events())
        .chain(payments::events())
        .chain(referrals::events())
        .chain(trash_events())
        .chain(data::events())
        .collect()
}

/// Messages, the mail that follows from them, and what becomes of it.
fn message_events() -> Vec<Event> {
    let [message, bounce] = [
        Event {
            function: "publish-events",
            name: "a message",
            set_off: |who, n| Box::pin(change(who, n)),
            last_call: "PutEvents",
            least: (1, 1, 0.0, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "record-mail-feedback",
            name: "a bounce",
            set_off: |who, _| Box::pin(bounce(who)),
            last_call: "PutItem",
            least: (1, 1, 0.0, 1.0),
            reason: "",
            sets_off: &[],
        },
    ];
    [message].into_iter().chain(mail_events()).chain([bounce]).collect()
}

/// The mail that follows from messages.
fn mail_events() -> Vec<Event> {
    vec![
        Event {
            function: "send-mail",
            name: "a code",
            set_off: |who, n| Box::pin(sign_up(who, n)),
            last_call: "UpdateItem",
            least: (6, 5, 3.5, 2.0),
            reason: BESIDE,
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "a token",
            set_off: |who, n| Box::pin(forget_the_password(who, n)),
            last_call: "UpdateItem",
            least: (6, 6, 3.0, 2.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "a notice",
            set_off: |who, n| Box::pin(make_key(who, n)),
            last_call: "UpdateItem",
            least: (5, 5, 2.0, 2.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "a new device",
            set_off: |who, _| Box::pin(sign_in(who)),
            last_call: "UpdateItem",
            least: (6, 6, 3.0, 2.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "a bundle that is ready",
            set_off: |who, _| Box::pin(data::export(who)),
            last_call: "UpdateItem",
            least: (5, 5, 2.0, 2.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "feedback",
            set_off: |who, n| Box::pin(send_feedback(who, n)),
            last_call: "UpdateItem",
            least: (6, 6, 2.0, 3.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// Names and secrets.
fn claim_events() -> Vec<Event> {
    vec![
        Event {
            function: "confirm-claims",
            name: "a name",
            set_off: |who, n| Box::pin(open_account(who, n)),
            last_call: "TransactWriteItems",
            least: (2, 2, 1.0, 4.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "confirm-claims",
            name: REMOVED,
            set_off: |who, n| Box::pin(addresses::remove(who, n)),
            last_call: "TransactWriteItems",
            least: (3, 3, 1.0, 8.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "reap-claims",
            name: "nothing due",
            set_off: |who, _| Box::pin(reap(who)),
            last_call: "Query",
            least: (1, 1, 0.5, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "reap-claims",
            name: "one due",
            set_off: |who, n| Box::pin(leave_a_claim(who, n)),
            last_call: "TransactWriteItems",
            least: (3, 3, 1.5, 4.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "rotate-secrets",
            name: "four steps",
            set_off: |who, _| Box::pin(rotate(who)),
            last_call: "UpdateSecretVersionStage",
            least: (10, 10, 0.0, 0.0),
            reason: THE_RIGHT_VERSION,
            sets_off: &[],
        },
    ]
}

/// A number of followers that changed.
fn follower_event() -> Event {
    Event {
        function: "publish-followers",
        name: "a number",
        set_off: |who, n| Box::pin(follow(who, n)),
        last_call: "PutItem",
        least: (2, 2, 1.0, 1.0),
        reason: "",
        sets_off: &[],
    }
}

/// Company addresses of accounts that were opened with personal ones.
fn company_events() -> Vec<Event> {
    vec![
        Event {
            function: "credit-company-address",
            name: "an opened workspace",
            set_off: |who, n| Box::pin(open_workspace(who, n)),
            last_call: "GetItem",
            least: (1, 1, 1.0, 0.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "credit-company-address",
            name: COMPANY,
            set_off: |who, n| Box::pin(addresses::verify_company_address(who, n)),
            last_call: "TransactWriteItems",
            least: (6, 6, 7.0, 16.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// Removals from the trash.
fn trash_events() -> Vec<Event> {
    vec![
        Event {
            function: "purge-trash",
            name: "nothing due",
            set_off: |who, _| Box::pin(purge(who)),
            last_call: "Query",
            least: (8, 1, 8.0, 0.0),
            reason: "the parts are looked at one after another: nobody waits for it, and what a run does is counted over all of them",
            sets_off: &[],
        },
        Event {
            function: "purge-trash",
            name: "the files of one thing",
            set_off: |who, n| Box::pin(remove(who, n)),
            last_call: "DeleteObjects",
            least: (7, 7, 3.0, 3.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

async fn change(who: Person, n: usize) {
    who.patch("/api/settings", json!({ "company": format!("W{n}") })).await.expect(200);
}

async fn sign_up(who: Person, n: usize) {
    who.app.sign_up(&format!("mailed{n}@people.example")).await.expect(202);
}

async fn forget_the_password(who: Person, n: usize) {
    // The next mail waits for a minute; secrets stay cached for five.
    who.app.advance(61 * i64::from(n > 0)).await;
    password::forgot(&who.app, &who.email).await.expect(202);
}

async fn send_feedback(who: Person, n: usize) {
    let app = who.app.in_network(&format!("measured{n}"));
    feedback::send(&app, json!({ "kind": "idea", "text": "A darker lamp" })).await.expect(202);
}

async fn bounce(who: Person) {
    let event = json!({ "to": who.email, "feedback": "bounce" });
    who.app.post("/_local/mail-feedback", event).await.expect(204);
}

async fn sign_in(who: Person) {
    who.app.sign_in(&who.email, PASSWORD).await.expect(200);
}

async fn make_key(who: Person, n: usize) {
    who.make_key(&format!("key {n}")).await;
}

async fn open_account(who: Person, n: usize) {
    auth::open_account(who, n).await.expect(200);
}

async fn open_workspace(who: Person, n: usize) {
    who.app.user(&format!("opens{n}")).await;
}

async fn follow(who: Person, n: usize) {
    let other = who.app.user(&format!("numbered{n}")).await;
    settle(&who.app).await;
    following::follow(&who, &other.handle, true).await.expect(200);
}

async fn reap(who: Person) {
    who.app.post("/_local/run/reap-claims?region=eu", json!({})).await.expect(200);
}

async fn leave_a_claim(who: Person, n: usize) {
    let new = who.app.newcomer(&format!("leaving{n}")).await;
    let fault = json!({ "service": "dynamodb", "operation": "TransactWriteItems", "function": "onboarding",
        "region": "eu", "kind": "refused", "times": 0 });
    who.app.faults(json!([fault])).await;
    let form = json!({ "username": new.handle, "displayName": "L" });
    assert_eq!(new.post("/api/onboarding", form).await.status, 503);
    who.app.no_faults().await;
    // Overdue by then, and the schedule's next run is due too.
    who.app.advance(601).await;
}

async fn rotate(who: Person) {
    who.app.rotate("codes").await.expect(200);
}

async fn purge(who: Person) {
    run(who, "purge-trash").await;
}

async fn run(who: Person, worker: &str) {
    who.app.run_worker(worker).await;
}

async fn trash(who: &Person, n: usize) -> String {
    let dataset = who.make(Kind::Dataset, &format!("removed-{n}")).await;
    who.upload(&dataset, "12345").await;
    who.trash(&dataset).await.expect(200);
    dataset
}

async fn remove(who: Person, n: usize) {
    let dataset = trash(&who, n).await;
    who.purge(&dataset).await.expect(200);
    settle(&who.app).await;
}

/// Returns once nothing has been called for a while.
async fn settle(app: &App) {
    let mut last = 0;
    loop {
        let now = app.last_call().await;
        if now == last {
            return;
        }
        last = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The worker's calls for one event.
async fn measure(who: &Person, event: &Event, n: usize) -> Cost {
    if event.name == data::SECOND {
        data::leave_once(who.clone(), n).await;
    }
    if event.name == REMOVED {
        addresses::prepare_removal(who, n).await;
    }
    if (event.function, event.name) == ("verify-wallets", wallets::DAY) {
        wallets::prepare_verification(who, n).await;
    }
    if event.name == COMPANY {
        addresses::prepare_company_address(who, n).await;
    }
    settle(&who.app).await;
    let before = who.app.last_call().await;
    (event.set_off)(who.clone(), n).await;
    for _ in 0..3_000 {
        let mut calls = who.app.calls_of(event.function, before).await;
        calls.retain(|call| call["home"] == Region::Eu.aws());
        if calls.iter().any(|call| call["operation"] == event.last_call) {
            if ![REMOVED, TOLD, COMPANY].contains(&event.name) {
                return cost(&calls);
            }
            settle(&who.app).await;
            let mut calls = who.app.calls_of(event.function, before).await;
            calls.retain(|call| call["home"] == Region::Eu.aws());
            return cost(&calls);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} never came to {}", event.function, event.last_call);
}

/// Every worker that something sets off, with the fewest calls and trips that were seen.
pub async fn rows(documented: &str) -> Vec<Row> {
    stream::iter(events()).map(|event| row(event, documented)).buffered(AT_A_TIME).collect().await
}

async fn row(event: Event, documented: &str) -> Row {
    let name = named(event.function, event.name);
    let trips = expected(documented, &name, 3, (event.least, event.reason));
    let app = App::start().await.living_in(Region::Eu);
    let who = app.user("measured").await;
    let mut cost = measure(&who, &event, 0).await;
    for n in 1..MOST_RUNS {
        if cost.is_believed(n, trips) {
            break;
        }
        cost.lower(measure(&who, &event, n).await, event.function);
    }
    let Event { function, least, reason, sets_off, .. } = event;
    Row { function, name, cost, least, reason, sets_off }
}

/// The document's part on them.
pub fn table(rows: &[Row]) -> String {
    let mut text = "
## Without a route

For one event that comes alone; several at once share what comes before and after them. The authorizer is above.

| function | calls | trips | read units | write units | calls when warm |
|---|---|---|---|---|---|
"
    .to_owned();
    for Row { name, cost, .. } in rows {
        let (calls, trips, operations) = (cost.calls(), cost.trips, list(&cost.operations));
        let _ =
            writeln!(text, "| {name} | {calls} | {trips} | {} | {} | {operations} |", cost.read, cost.write);
    }
    text
}
