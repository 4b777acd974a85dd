//! Plans, balances and transactions, as people see them. What services charge is in `wallets`.

mod listed;
mod plans;
mod usage;

use domain::{Timestamp, role::Role};
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::fixtures::billing::{adjusts, balance, charges, holds};

const TRANSACTIONS: &str = "/api/billing/transactions";

/// The same person with a new session, for a clock that was moved.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// The transactions of a page.
fn rows(page: &Answer) -> Vec<Value> {
    page.at("/transactions").as_array().unwrap().clone()
}

/// The transactions that a query lists, in detail.
async fn listed(who: &Person, query: &str) -> Vec<Value> {
    rows(&who.get(&format!("{TRANSACTIONS}?expand=details&{query}")).await.expect(200))
}

/// One member of each transaction.
fn each(rows: &[Value], member: &str) -> Vec<Value> {
    rows.iter().map(|row| row[member].clone()).collect()
}

/// A person with an address of a consumer provider.
async fn with_personal_address(app: &App, handle: &str) -> Person {
    let email = format!("{handle}@gmail.com");
    let token = app.sign_up(&email).await.expect(202).text_at("/signUpToken");
    let code = app.code(&email).await;
    let tokens = app.claiming(app.verify(&email, &code, &token)).await.expect(200);
    let who = Person::new(app.clone(), handle, &email, &tokens);
    let form = json!({ "username": handle, "displayName": "P" });
    app.claiming(who.post("/api/onboarding", form)).await.expect(201);
    who
}

/// Gives or takes credit.
async fn adjust(who: &Person, change: Value) -> Answer {
    let mut form = json!({ "workspace": who.workspace(), "reason": "A test" });
    form.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    who.app.as_service(Method::POST, "/internal/wallets/adjustments", form).await
}

#[tokio::test]
async fn credit_of_a_new_account_is_its_first_transaction() {
    let app = App::start().await;
    let (company, personal) =
        (app.user("bill-company").await, with_personal_address(&app, "bill-personal").await);
    for (who, dollars) in [(company, 25), (personal, 5)] {
        let (cents, micros) = (100 * dollars, 1_000_000 * dollars);
        let expected = json!({
            "creditsCents": cents, "plan": "free", "balanceMicroUsd": micros, "availableMicroUsd": micros,
            "heldMicroUsd": 0, "lots": [{ "kind": "sign-up", "amountMicroUsd": micros }],
        });
        assert_eq!(balance(&who).await, expected);
        let page = who.get(TRANSACTIONS).await.expect(200);
        let created = page.text_at("/transactions/0/createdAt");
        let row = json!({
            "id": "1", "type": "signup", "amountCents": cents, "balanceAfter": cents, "createdAt": created,
        });
        assert_eq!(page.body, json!({ "transactions": [row] }));
        // A stored wallet begins with the same one.
        charges(&who, "job", 1).await.expect(200);
        assert_eq!(rows(&who.get(TRANSACTIONS).await.expect(200))[1], row);
    }
}

#[tokio::test]
async fn balance_tells_apart_held_and_available_credit() {
    let app = App::start().await;
    let who = app.user("bill-holder").await;
    holds(&who, "job-1", 2_000_000).await.expect(200);
    let now = balance(&who).await;
    let parts = ["balanceMicroUsd", "availableMicroUsd", "heldMicroUsd", "creditsCents"];
    assert_eq!(parts.map(|part| now[part].as_i64().unwrap()), [25_000_000, 23_000_000, 2_000_000, 2_500]);
    assert_eq!(now["lots"], json!([{ "kind": "sign-up", "amountMicroUsd": 23_000_000 }]));
    // A debt: cents are rounded down.
    charges(&who, "job-2", 25_000_001).await.expect(200);
    let now = balance(&who).await;
    assert_eq!(parts.map(|part| now[part].as_i64().unwrap()), [-1, 0, 0, -1]);
    assert_eq!(now["lots"], json!([]));
}

#[tokio::test]
async fn expired_credit_is_gone_at_once_and_its_transaction_comes_with_the_next_change() {
    let app = App::start().await;
    let who = app.user("bill-expiry").await;
    let end = app.now().await.as_second() + 300;
    let end = Timestamp::from_second(end).unwrap().to_string();
    let change = json!({ "reference": "gift", "amountMicroUsd": 7_000_000, "expiresAt": end });
    adjust(&who, change).await.expect(200);
    let now = balance(&who).await;
    assert_eq!(now["balanceMicroUsd"], 32_000_000);
    let first = json!({ "kind": "adjustment", "amountMicroUsd": 7_000_000, "expiresAt": end });
    assert_eq!(now["lots"], json!([first, { "kind": "sign-up", "amountMicroUsd": 25_000_000 }]));

    app.advance(301).await;
    let now = balance(&who).await;
    assert_eq!(
        (&now["balanceMicroUsd"], &now["availableMicroUsd"]),
        (&json!(25_000_000), &json!(25_000_000))
    );
    assert_eq!(now["lots"], json!([{ "kind": "sign-up", "amountMicroUsd": 25_000_000 }]));
    assert_eq!(each(&listed(&who, "").await, "type"), ["adjustment", "signup"]);

    charges(&who, "job", 1).await.expect(200);
    let rows = listed(&who, "").await;
    assert_eq!(each(&rows, "type"), ["training", "pro_credit_expiry", "adjustment", "signup"]);
    assert_eq!(each(&rows, "amountMicroUsd"), [-1, -7_000_000, 7_000_000, 25_000_000].map(Value::from));
    let lot = json!({ "kind": "adjustment", "amountMicroUsd": -7_000_000, "expiresAt": end });
    assert_eq!(rows[1]["lots"], json!([lot]));
    assert_eq!(balance(&who).await["balanceMicroUsd"], 24_999_999);
}

#[tokio::test]
async fn correction_writes_one_line_of_history_with_its_reason() {
    let app = App::start().await;
    let (who, stranger) = (app.user("bill-corrected").await, app.user("bill-other").await);
    let change = json!({ "reference": "fix-1", "amountMicroUsd": -1_500_000, "reason": "Charged twice" });
    for _ in 0..2 {
        adjust(&who, change.clone()).await.expect(200);
    }
    // Refused: another amount under the same reference, and more than there is.
    adjust(&who, json!({ "reference": "fix-1", "amountMicroUsd": 7 })).await.expect(409);
    adjust(&who, json!({ "reference": "fix-2", "amountMicroUsd": -99_000_000 })).await.expect(402);
    let lines = |mut history: Vec<String>| {
        history.retain(|line| line.contains(" billing "));
        history
    };
    assert_eq!(lines(who.activity().await), ["updated billing bill-corrected"]);
    let event = who.get("/api/activity?limit=1").await.expect(200).at("/events/0/metadata").clone();
    let told = json!({ "by": "service", "transaction": 2 });
    assert_eq!(event, told);
    assert_eq!(lines(stranger.activity().await), Vec::<String>::new());
}

#[tokio::test]
async fn viewer_sees_the_balance_and_only_an_admin_or_a_key_the_transactions() {
    let app = App::start().await;
    let (owner, viewer) = (app.user("bill-owner").await, app.user("bill-viewer").await);
    let (editor, admin) = (app.user("bill-editor").await, app.user("bill-admin").await);
    for (who, role) in [(&viewer, Role::Viewer), (&editor, Role::Editor), (&admin, Role::Admin)] {
        owner.let_in(who, role).await;
    }
    let of_owner = |path: &str| format!("/api/billing/{path}?owner=bill-owner");
    for who in [&viewer, &editor, &admin] {
        assert_eq!(who.get(&of_owner("balance")).await.expect(200).at("/creditsCents"), 2_500);
        who.get(&of_owner("usage-summary")).await.expect(200);
        who.get(&of_owner("usage")).await.expect(200);
    }
    for who in [&viewer, &editor] {
        assert_eq!(who.get(&of_owner("transactions")).await.brief(), "403 FORBIDDEN");
    }
    adjusts(&owner, "gift", 1).await.expect(200);
    let seen = rows(&admin.get(&of_owner("transactions")).await.expect(200));
    assert_eq!(each(&seen, "id"), ["2", "1"]);
    let stranger = app.user("bill-stranger").await;
    for path in ["balance", "usage-summary", "usage", "transactions"] {
        assert_eq!(stranger.get(&of_owner(path)).await.brief(), "404 NOT_FOUND");
    }
    let key = owner.with_api_key("ci").await;
    assert_eq!(rows(&key.get(TRANSACTIONS).await.expect(200)), seen);
    key.get("/api/billing/usage-summary").await.expect(200);
    assert_eq!(key.get("/api/billing/balance").await.brief(), "401 UNAUTHORIZED");
}
