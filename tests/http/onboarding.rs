//! The first steps after signing up.

use insta::assert_snapshot;
use tests::{App, json};

#[tokio::test]
async fn nothing_but_onboarding_works_before_onboarding() {
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
    let app = App::start().await;
    let work = app.user("worker").await.get("/api/account/summary").await.expect(200);
    assert_eq!(work.at("/creditsCents"), 2_500);
    app.sign_up("private@gmail.com").await.expect(202);
    let code = app.code("private@gmail.com").await;
    let tokens =
        app.post("/api/auth/verify", json!({ "email": "private@gmail.com", "code": code })).await.expect(200);
    let private = tests::Person::new(app.clone(), "private", "private@gmail.com", &tokens);
    private.post("/api/onboarding", json!({ "username": "privateer", "displayName": "P" })).await.expect(201);
    assert_eq!(private.get("/api/account/summary").await.expect(200).at("/creditsCents"), 500);
}

#[tokio::test]
async fn a_handle_is_taken_once_and_another_is_suggested() {
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
    let app = App::start().await;
    let ivan = app.newcomer("ivan").await;
    for bad in ["abc", "Ivan", "-ivan", "ivan-", "iv--an", "settings", "iván", &"x".repeat(33), "a b c"] {
        let answer = ivan.post("/api/onboarding", json!({ "username": bad, "displayName": "I" })).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
        assert_eq!(answer.complaints(), "username INVALID");
    }
    let answer =
        ivan.post("/api/onboarding", json!({ "username": "ivan", "displayName": "\u{202e}x" })).await;
    assert_eq!(answer.complaints(), "displayName INVALID");
    let answer = ivan
        .post("/api/onboarding", json!({ "username": "ivan", "displayName": "I", "promoCode": "FREE" }))
        .await;
    assert_eq!(answer.brief(), "422 PROMO_INVALID");
    ivan.post("/api/onboarding", json!({ "username": "ivan", "displayName": "I", "promoCode": "" }))
        .await
        .expect(201);
}
