//! A changed password, and an account's first one.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use kit::ItemKind;
use tests::{Answer, App, PASSWORD, Person, json};

use crate::{
    password::{self, NEW},
    privacy,
};

const PATH: &str = "/api/auth/password/change";

async fn change(who: &Person, current: &str, new: &str) -> Answer {
    who.post(PATH, json!({ "currentPassword": current, "newPassword": new })).await
}

async fn first(who: &Person, new: &str) -> Answer {
    who.post(PATH, json!({ "newPassword": new })).await
}

async fn session(who: &Person, password: &str) -> Person {
    let tokens = who.app.sign_in(&who.email, password).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// An account as a provider opens it: without a password.
async fn without_password(app: &App, handle: &str) -> Person {
    let who = app.user(handle).await;
    let delete = app.tables().delete_item().table_name(app.table("identity"));
    let key = AttributeValue::S(ItemKind::Passwords.partition(who.id()));
    let delete = delete.key("pk", key).key("sk", AttributeValue::S("PASSWORD".to_owned()));
    delete.send().await.unwrap();
    who
}

/// The same session after a quarter of an hour, when its sign-in is not recent any more.
async fn later(who: &Person) -> Person {
    who.app.advance(901).await;
    let form = json!({ "refreshToken": who.refresh });
    let tokens = who.app.post("/api/auth/refresh", form).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

#[tokio::test]
async fn changed_password_ends_other_sessions_and_reset_tokens() {
    let app = App::start().await;
    let ada = app.user("ada-changes").await;
    let desk = session(&ada, PASSWORD).await;
    app.first_sign_in(&ada.email).await;
    let token = password::token(&app, &ada.email).await;
    let ada = session(&ada, PASSWORD).await;
    change(&ada, PASSWORD, NEW).await.expect(200);
    assert_eq!(desk.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    ada.get("/api/settings").await.expect(200);
    assert_eq!(app.sign_in(&ada.email, PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    assert_eq!(password::reset(&app, &token, NEW).await.brief(), "422 TOKEN_INVALID");
    app.mail_of_kind(&ada.email, "password-changed").await;
    assert_eq!(ada.activity().await[0], "updated security Password changed: other sessions ended");
    session(&ada, NEW).await;
}

#[tokio::test]
async fn change_needs_the_current_password_and_a_strong_new_one() {
    let app = App::start().await;
    let ada = app.user("ada-needs").await;
    assert_eq!(first(&ada, NEW).await.brief(), "422 PASSWORD_REQUIRED");
    for weak in ["password1234", "ada-needs@people.example", PASSWORD] {
        let refused = change(&ada, PASSWORD, weak).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR");
        assert_eq!(refused.at("/errors/0/field"), "newPassword");
    }
    // Wrong passwords count together with those of step-up.
    for n in 0..5 {
        let answer = match n % 2 {
            0 => change(&ada, NEW, NEW).await,
            _ => ada.post("/api/auth/step-up", json!({ "password": NEW })).await,
        };
        assert_eq!(answer.brief(), "401 INVALID_CREDENTIALS");
    }
    assert_eq!(change(&ada, PASSWORD, NEW).await.brief(), "429 RATE_LIMITED");
    app.advance(31).await;
    change(&ada, PASSWORD, NEW).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_changes_have_one_winner() {
    let app = App::alone().await;
    let ada = app.user("ada-races").await;
    let password = |n: usize| format!("{NEW} and {n} cups");
    let changes = (0..4).map(|n| {
        let ada = ada.clone();
        async move { change(&ada, PASSWORD, &password(n)).await.brief() }
    });
    let answers = join_all(changes).await;
    let winners: Vec<usize> = (0..4).filter(|n| answers[*n] == "200").collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    session(&ada, &password(winners[0])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_password_needs_a_recent_sign_in_and_has_one_winner() {
    let app = App::alone().await;
    let ada = later(&without_password(&app, "ada-first").await).await;
    assert_eq!(
        ada.post("/api/auth/step-up", json!({ "password": PASSWORD })).await.brief(),
        "409 NO_PASSWORD"
    );
    assert_eq!(app.sign_in(&ada.email, PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    assert_eq!(first(&ada, NEW).await.brief(), "403 STEP_UP_REQUIRED");
    let bob = without_password(&app, "bob-first").await;
    let password = |n: usize| format!("{NEW} and {n} cups");
    let answers = join_all((0..4).map(|n| {
        let bob = bob.clone();
        async move { first(&bob, &password(n)).await.brief() }
    }))
    .await;
    let winners: Vec<usize> = (0..4).filter(|n| answers[*n] == "200").collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    let lost = |answer: &String| ["200", "409 CONFLICT", "422 PASSWORD_REQUIRED"].contains(&answer.as_str());
    assert!(answers.iter().all(lost), "{answers:?}");
    session(&bob, &password(winners[0])).await;
}

#[tokio::test]
async fn reset_sets_a_first_password() {
    let app = App::start().await;
    let ada = without_password(&app, "ada-reset").await;
    let token = password::token(&app, &ada.email).await;
    password::reset(&app, &token, NEW).await.expect(200);
    session(&ada, NEW).await;
}

#[tokio::test]
async fn account_without_password_can_be_deleted() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = without_password(&app, "ada-leaves").await;
    privacy::erase(&ada).await;
    assert_eq!(ada.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn repeated_change_with_its_key_changes_once() {
    let app = App::start().await;
    let ada = app.user("ada-repeats").await;
    let form = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    for _ in 0..2 {
        ada.post_once(PATH, form.clone(), "change").await.expect(200);
    }
    let changes = ada.activity().await.into_iter().filter(|line| line.contains("Password changed"));
    assert_eq!(changes.count(), 1);
}
