//! Signing up and entering the code.

use domain::region::Region;
use insta::assert_snapshot;
use tests::{App, PASSWORD, json};

#[tokio::test]
async fn a_mailed_code_opens_the_account_once() {
    let app = App::start().await;
    assert_snapshot!(app.sign_up("ada@people.example").await.text, @r#"{"email":"ada@people.example"}"#);
    let code = app.code("ada@people.example").await;
    let form = json!({ "email": "ADA@people.example", "code": code });
    let session = app.post("/api/auth/verify", form.clone()).await.expect(200);
    assert_eq!(session.at("/tokenType"), "Bearer");
    assert_eq!(session.at("/expiresIn"), 600);
    assert_eq!(session.at("/onboarded"), false);
    assert_eq!(session.at("/region"), app.home().as_str());
    assert_eq!(app.post("/api/auth/verify", form).await.brief(), "422 CODE_INVALID");
    app.sign_in("ada@people.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn an_address_with_an_account_gets_the_same_answer_and_another_mail() {
    let app = App::start().await;
    app.newcomer("bob").await;
    app.advance(61).await;
    let before = app.last_call().await;
    let known = app.sign_up("bob@people.example").await;
    let calls_known = app.calls_of("auth-sign-up", before).await.len();
    let before = app.last_call().await;
    let unknown = app.sign_up("new@people.example").await;
    let calls_unknown = app.calls_of("auth-sign-up", before).await.len();
    assert_eq!((known.status, unknown.status), (202, 202));
    assert_eq!(known.text.replace("bob", "new"), unknown.text);
    assert_eq!(calls_known, calls_unknown, "the work tells which address has an account");
    let mail = app.mail_of_kind("bob@people.example", "account-exists").await;
    assert!(!mail["text"].as_str().unwrap().chars().any(|c| c.is_ascii_digit()), "no code goes out");
    app.sign_in("bob@people.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn nobody_can_plant_a_password_in_an_account_that_somebody_else_confirms() {
    let app = App::start().await;
    let email = "victim@people.example";
    let planted = "the attacker's own long password";
    app.post("/api/auth/sign-up", json!({ "email": email, "password": planted, "region": app.home() }))
        .await
        .expect(202);
    app.advance(61).await;
    app.sign_up(email).await.expect(202);
    let codes = app.codes(email, 2).await;
    for code in &codes {
        let alone = app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
        assert_eq!(alone.brief(), "422 PASSWORD_REQUIRED");
    }
    let mixed = json!({ "email": email, "code": codes[1], "password": PASSWORD });
    assert_eq!(app.post("/api/auth/verify", mixed).await.brief(), "422 CODE_INVALID");
    let own = json!({ "email": email, "code": codes[0], "password": PASSWORD });
    app.post("/api/auth/verify", own).await.expect(200);
    assert_eq!(app.sign_in(email, planted).await.brief(), "401 INVALID_CREDENTIALS");
    app.sign_in(email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn trying_again_with_the_same_password_needs_only_the_newest_code() {
    let app = App::start().await;
    let email = "twice@people.example";
    app.sign_up(email).await.expect(202);
    assert_eq!(app.sign_up(email).await.brief(), "429 RATE_LIMITED");
    app.advance(61).await;
    app.sign_up(email).await.expect(202);
    let codes = app.codes(email, 2).await;
    let enter = |code: &String| json!({ "email": email, "code": code });
    assert_eq!(app.post("/api/auth/verify", enter(&codes[1])).await.brief(), "422 CODE_INVALID");
    app.post("/api/auth/verify", enter(&codes[0])).await.expect(200);
}

#[tokio::test]
async fn a_code_lives_ten_minutes_and_five_tries() {
    let app = App::start().await;
    let email = "slow@people.example";
    app.sign_up(email).await.expect(202);
    let code = app.code(email).await;
    app.advance(601).await;
    let late = app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
    assert_eq!(late.brief(), "422 CODE_INVALID");
    app.sign_up(email).await.expect(202);
    let code = app.codes(email, 2).await.remove(0);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let answer = app.post("/api/auth/verify", json!({ "email": email, "code": wrong })).await;
        assert_eq!(answer.brief(), "422 CODE_INVALID");
    }
    let right = app.post("/api/auth/verify", json!({ "email": email, "code": code })).await;
    assert_eq!(right.brief(), "422 CODE_INVALID");
}

#[tokio::test]
async fn at_most_five_codes_an_hour_go_to_an_address() {
    let app = App::start().await;
    for _ in 0..5 {
        app.sign_up("many@people.example").await.expect(202);
        app.advance(61).await;
    }
    let refused = app.sign_up("many@people.example").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    app.advance(seconds).await;
    app.sign_up("many@people.example").await.expect(202);
}

#[tokio::test]
async fn a_weak_password_is_refused_with_advice_and_never_repeated() {
    let app = App::start().await;
    for weak in ["short", "password1", "people.example1", "aaaaaaaaaaaaaaaa"] {
        let form = json!({ "email": "weak@people.example", "password": weak, "region": app.home() });
        let answer = app.post("/api/auth/sign-up", form).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
        assert_eq!(answer.complaints(), "password INVALID");
        assert!(!answer.text.contains(weak), "{}", answer.text);
    }
}

#[tokio::test]
async fn an_account_lives_in_the_region_that_was_chosen_whichever_endpoint_is_used() {
    let app = App::start().await;
    for (home, endpoint) in [(Region::Eu, Region::Us), (Region::Us, Region::Ap), (Region::Ap, Region::Eu)] {
        let app = app.living_in(home).by_way_of(endpoint);
        let ada = app.newcomer(&format!("ada-{home}")).await;
        let session = app.first_sign_in(&ada.email).await;
        assert_eq!(session.at("/region"), home.as_str());
        let form = json!({ "username": ada.handle, "displayName": "A" });
        assert_eq!(ada.post("/api/onboarding", form).await.expect(201).at("/region"), home.as_str());
        assert_eq!(app.mail(&ada.email).await[0]["region"], home.as_str());
    }
    let form = json!({ "email": "x@people.example", "password": PASSWORD, "region": "mars" });
    assert_eq!(app.post("/api/auth/sign-up", form).await.complaints(), "region INVALID");
}

#[tokio::test]
async fn an_address_of_another_region_gets_the_same_answer_and_another_mail() {
    let app = App::start().await.living_in(Region::Us);
    let ada = app.living_in(Region::Eu).newcomer("ada-e").await;
    let (known, new) = (app.sign_up(&ada.email).await.expect(202), app.sign_up("new@people.example").await);
    assert_eq!((known.status, known.headers.len()), (new.status, new.headers.len()));
    let mail = app.mail_of_kind(&ada.email, "account-exists").await;
    assert_eq!(mail["region"], "us", "the mail is from where the sign-up was tried");
}

#[tokio::test]
async fn whoever_confirms_an_address_second_is_told_that_it_has_an_account() {
    let app = App::start().await.living_in(Region::Us);
    let eu = app.living_in(Region::Eu);
    for app in [&app, &eu] {
        app.sign_up("twice@people.example").await.expect(202);
    }
    let codes = app.codes("twice@people.example", 2).await;
    let verify = async |code: &str| {
        app.post("/api/auth/verify", json!({ "email": "twice@people.example", "code": code })).await
    };
    verify(&codes[0]).await.expect(200);
    assert_eq!(verify(&codes[1]).await.brief(), "409 EMAIL_TAKEN");
    assert_eq!(verify(&codes[1]).await.brief(), "422 CODE_INVALID", "the sign-up is gone");
}
