//! The first steps after signing up.

use aws_sdk_dynamodb::types::AttributeValue;
use insta::assert_snapshot;
use kit::ItemKind;
use tests::{App, PASSWORD, json};

#[tokio::test]
async fn nothing_but_onboarding_works_before_onboarding() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.newcomer("ada2").await;
    for path in ["/api/settings", "/api/api-keys", "/api/activity", "/api/account/summary"] {
        assert_eq!(ada.get(path).await.brief(), "403 ONBOARDING_REQUIRED");
    }
    let form = json!({
        "username": "ada2", "displayName": " Ada  ", "company": "Engines Ltd", "useCase": "Research & Academia",
    });
    let settings = ada.post("/api/onboarding", form.clone()).await.expect(201);
    assert_eq!(settings.at("/username"), "ada2");
    assert_eq!(settings.at("/displayName"), "Ada");
    assert_eq!(settings.at("/email"), "ada2@people.example");
    assert_eq!(settings.at("/region"), app.home().as_str());
    let read = ada.get("/api/settings").await.expect(200);
    assert_eq!(read.body, settings.body);
    assert_eq!(ada.activity().await, ["completed onboarding ada2"]);
    assert_eq!(ada.post("/api/onboarding", form).await.brief(), "409 CONFLICT");
}

#[tokio::test]
async fn a_company_address_starts_with_more_credit() {
    tests::needs_every_region!();
    let app = App::start().await;
    let work = app.user("worker").await.get("/api/account/summary").await.expect(200);
    assert_eq!(work.at("/creditsCents"), 2_500);
    app.sign_up("private@gmail.com").await.expect(202);
    let code = app.code("private@gmail.com").await;
    let tokens = app
        .post("/api/auth/verify", json!({ "email": "private@gmail.com", "code": code, "password": PASSWORD }))
        .await
        .expect(200);
    let private = tests::Person::new(app.clone(), "private", "private@gmail.com", &tokens);
    private.post("/api/onboarding", json!({ "username": "privateer", "displayName": "P" })).await.expect(201);
    assert_eq!(private.get("/api/account/summary").await.expect(200).at("/creditsCents"), 500);
}

#[tokio::test]
async fn a_handle_is_taken_once_and_another_is_suggested() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.user("grace").await;
    let free = app.get("/api/username/check?username=hopper").await.expect(200);
    assert_snapshot!(free.text, @r#"{"available":true,"username":"hopper"}"#);
    let taken = app.get("/api/username/check?username=grace").await.expect(200);
    assert_snapshot!(taken.text, @r#"{"available":false,"username":"grace"}"#);
    let suggested = app.get("/api/username/check?username=grace&suggest=true").await.expect(200);
    assert_snapshot!(suggested.text, @r#"{"available":false,"username":"grace-2"}"#);
    let late = app.newcomer("late").await;
    let answer = late.post("/api/onboarding", json!({ "username": "grace", "displayName": "G" })).await;
    assert_eq!(answer.brief(), "409 USERNAME_TAKEN");
    late.post("/api/onboarding", json!({ "username": "grace-2", "displayName": "G" })).await.expect(201);
}

#[tokio::test]
async fn bad_handles_names_and_codes_are_refused_by_field() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ivan = app.newcomer("ivan").await;
    for bad in [
        "self",
        "ghost",
        "deleted",
        "none",
        "null",
        "true",
        "false",
        "here",
        "mailer-daemon",
        "postmaster",
        "gdpr",
        "trash",
        "invitation",
        "api-keys",
    ] {
        let answer = ivan.post("/api/onboarding", json!({ "username": bad, "displayName": "I" })).await;
        assert_eq!(
            (answer.brief().as_str(), answer.complaints().as_str()),
            ("400 VALIDATION_ERROR", "username INVALID")
        );
        let check = app.get(&format!("/api/username/check?username={bad}")).await;
        assert_eq!(check.complaints(), "username INVALID", "{bad}");
        assert_eq!(app.get(&format!("/api/users?username={bad}")).await.brief(), "404 NOT_FOUND", "{bad}");
    }
    for bad in ["abc", "Ivan", "-ivan", "ivan-", "iv--an", "settings", "iván", &"x".repeat(33), "a b c"] {
        let answer = ivan.post("/api/onboarding", json!({ "username": bad, "displayName": "I" })).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
        assert_eq!(answer.complaints(), "username INVALID");
    }
    let answer =
        ivan.post("/api/onboarding", json!({ "username": "ivan", "displayName": "\u{202e}x" })).await;
    assert_eq!(answer.complaints(), "displayName INVALID");
    let answer = ivan.post("/api/onboarding", json!({ "username": "ivan", "displayName": null })).await;
    assert_eq!(answer.complaints(), "displayName INVALID");
    let answer = ivan
        .post("/api/onboarding", json!({ "username": "ivan", "displayName": "I", "promoCode": "FREE" }))
        .await;
    assert_eq!(answer.brief(), "422 PROMO_INVALID");
    ivan.post("/api/onboarding", json!({ "username": "ivan", "displayName": "I", "promoCode": "" }))
        .await
        .expect(201);
}

#[tokio::test]
async fn account_whose_handle_was_reserved_later_keeps_working() {
    tests::needs_every_region!();
    let app = App::start().await;
    let old = app.user("old-ghost").await;
    let update = app.tables().update_item().table_name(app.table("workspaces"));
    let update = update
        .key("pk", AttributeValue::S(ItemKind::Workspaces.partition(old.workspace())))
        .key("sk", AttributeValue::S("WS".to_owned()))
        .update_expression("SET handle = :handle")
        .expression_attribute_values(":handle", AttributeValue::S("ghost".to_owned()));
    update.send().await.unwrap();
    assert_eq!(old.get("/api/settings").await.expect(200).at("/username"), "ghost");
    old.patch("/api/settings", json!({ "bio": "I was here first." })).await.expect(200);
    let ci = old.with_api_key("ci").await;
    assert_eq!(ci.get("/api/account/summary").await.expect(200).at("/username"), "ghost");
}
