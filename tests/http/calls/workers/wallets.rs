//! Due work on wallets.

use domain::{
    Timestamp,
    ports::Wallets,
    wallet::{Wallet, WalletTask},
};
use jiff::SignedDuration;
use reqwest::Method;
use store::Store;
use tests::{Person, json};

use super::{Act, Event, run};
use crate::{fixtures::billing::charges, provision::PATH};

/// The wallet that is verified. It changed the day before.
pub const DAY: &str = "a wallet";

/// Before so many seconds of the day's end, the wallet changes.
const SECONDS: i64 = 5;

/// The events.
pub fn events() -> Vec<Event> {
    vec![
        idle("expire-credits", |who, _| Box::pin(run(who, "expire-credits"))),
        idle("grant-monthly-credits", |who, _| Box::pin(run(who, "grant-monthly-credits"))),
        idle("verify-wallets", |who, _| Box::pin(run(who, "verify-wallets"))),
        Event {
            function: "expire-credits",
            name: "a wallet",
            set_off: |who, n| Box::pin(expire(who, n)),
            last_call: "TransactWriteItems",
            least: (10, 3, 9.0, 6.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "grant-monthly-credits",
            name: "a plan",
            set_off: |who, n| Box::pin(subscribe(who, n)),
            last_call: "TransactWriteItems",
            least: (3, 3, 3.0, 16.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "verify-wallets",
            name: DAY,
            set_off: |who, _| Box::pin(verify(who)),
            last_call: "TransactWriteItems",
            least: (14, 7, 12.0, 5.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// A run that finds nothing.
fn idle(function: &'static str, set_off: Act) -> Event {
    Event {
        function,
        name: "nothing due",
        set_off,
        last_call: "Query",
        least: (8, 1, 8.0, 0.0),
        reason: "",
        sets_off: &[],
    }
}

/// Credit of somebody expires.
async fn expire(who: Person, n: usize) {
    let end = who.app.now().await.saturating_add(SignedDuration::from_secs(60)).unwrap();
    let gift = json!({
        "workspace": who.workspace(), "reference": format!("gift-{n}"), "amountMicroUsd": 1_000,
        "expiresAt": end.to_string(), "reason": "For a minute",
    });
    who.app.as_service(Method::POST, "/internal/wallets/adjustments", gift).await.expect(200);
    who.app.advance(61).await;
    run(who, "expire-credits").await;
}

/// Somebody new gets a plan.
async fn subscribe(who: Person, n: usize) {
    let new = who.app.user(&format!("subscriber{n}")).await;
    let form = json!({ "username": new.handle, "plan": "pro" });
    who.app.as_service(Method::POST, PATH, form).await.expect(200);
}

/// Charges somebody shortly before the end of a day.
pub async fn prepare_verification(who: &Person, n: usize) {
    charges(who, &format!("verified-{n}"), 10).await.expect(200);
    let store = Store::new(who.app.tables(), who.app.table(""));
    let wallet: Wallet = Wallets::find(&store, who.workspace()).await.unwrap().unwrap();
    let due: Timestamp = wallet.due.of(WalletTask::Verify).unwrap();
    who.app.set_clock(due.saturating_sub(SignedDuration::from_secs(SECONDS)).unwrap()).await;
}

/// The day ends.
async fn verify(who: Person) {
    who.app.advance(SECONDS).await;
    run(who, "verify-wallets").await;
}
