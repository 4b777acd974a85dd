//! Tokens: what they open, how they end.

use tests::{App, PASSWORD, Person, json};

async fn refresh(app: &App, token: &str) -> tests::Answer {
    app.post("/api/auth/refresh", json!({ "refreshToken": token })).await
}

#[tokio::test]
async fn a_refresh_token_rotates_and_a_lost_answer_is_given_again() {
    let app = App::start().await;
    let ada = app.user("ada1").await;
    let first = refresh(&app, &ada.refresh).await.expect(200);
    let again = refresh(&app, &ada.refresh).await.expect(200);
    assert_eq!(first.at("/refreshToken"), again.at("/refreshToken"));
    assert_eq!(first.at("/onboarded"), true);
    let next = refresh(&app, &first.text_at("/refreshToken")).await.expect(200);
    assert_ne!(next.at("/refreshToken"), first.at("/refreshToken"));
}

#[tokio::test]
async fn a_rotated_token_used_later_ends_the_session_and_says_so() {
    let app = App::start().await;
    let bob = app.user("bob1").await;
    let stolen = bob.refresh.clone();
    let next = refresh(&app, &stolen).await.expect(200);
    app.advance(11).await;
    assert_eq!(refresh(&app, &stolen).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(refresh(&app, &next.text_at("/refreshToken")).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(bob.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    app.mail_of_kind(&bob.email, "session-ended").await;
    let again = app.sign_in(&bob.email, PASSWORD).await.expect(200);
    let bob = Person::new(app.clone(), "bob1", &bob.email, &again);
    let history = bob.activity().await;
    assert_eq!(history.iter().filter(|line| line.starts_with("deleted security")).count(), 1, "{history:?}");
}

#[tokio::test]
async fn a_made_up_token_ends_nobodys_session() {
    let app = App::start().await;
    let gina = app.user("gina1").await;
    let mut parts: Vec<&str> = gina.refresh.split('_').collect();
    let secret = "A".repeat(43);
    parts.truncate(5);
    parts.push(&secret);
    assert_eq!(refresh(&app, &parts.join("_")).await.brief(), "401 UNAUTHORIZED");
    parts[4] = "3";
    assert_eq!(refresh(&app, &parts.join("_")).await.brief(), "401 UNAUTHORIZED");
    gina.get("/api/settings").await.expect(200);
    refresh(&app, &gina.refresh).await.expect(200);
    assert_eq!(gina.activity().await.len(), 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_next_request() {
    let app = App::start().await;
    let carol = app.user("carol1").await;
    let other = app.sign_in(&carol.email, PASSWORD).await.expect(200);
    carol.post("/api/auth/sign-out", json!({})).await.expect(200);
    assert_eq!(carol.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    assert_eq!(refresh(&app, &carol.refresh).await.brief(), "401 UNAUTHORIZED");
    assert_eq!(carol.post("/api/auth/sign-out", json!({})).await.brief(), "401 UNAUTHORIZED");
    Person::new(app.clone(), "carol1", &carol.email, &other).get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn an_access_token_is_good_for_ten_minutes_and_a_session_for_thirty_idle_days() {
    let app = App::start().await;
    app.stop_clock().await;
    let dave = app.user("dave1").await;
    app.advance(599).await;
    dave.get("/api/settings").await.expect(200);
    app.advance(1).await;
    assert_eq!(dave.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    app.advance(30 * 86_400 - 601).await;
    let tokens = refresh(&app, &dave.refresh).await.expect(200);
    app.advance(30 * 86_400).await;
    assert_eq!(refresh(&app, &tokens.text_at("/refreshToken")).await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn forged_and_foreign_tokens_open_nothing() {
    let other = App::start().await.user("erin1").await;
    let (foreign, foreign_refresh) = (other.token.clone(), other.refresh.clone());
    drop(other);
    let app = App::start().await;
    let erin = app.user("erin1").await;
    let parts: Vec<&str> = erin.token.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    let hs256 = "eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ";
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{hs256}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        format!("{}.{}", parts[0], parts[1]),
        foreign,
        "x".repeat(10_000),
        "....".into(),
    ];
    for token in forged {
        let mallory = Person { token, ..erin.clone() };
        let answer = mallory.get("/api/settings").await;
        assert_eq!(answer.brief(), "401 UNAUTHORIZED");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for token in ["rt_us_x_y_z", &foreign_refresh, &format!("{}A", erin.refresh)] {
        let answer = refresh(&app, token).await;
        assert!(matches!(answer.status, 400 | 401), "{}", answer.text);
    }
    erin.get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn two_credentials_in_one_request_are_refused() {
    let app = App::start().await;
    let faye = app.user("faye1").await;
    let both = faye.request("GET".parse().unwrap(), "/api/settings").header("cookie", "__Host-session=x");
    assert_eq!(app.send(both).await.brief(), "400 BAD_REQUEST");
    let twice = faye.request("GET".parse().unwrap(), "/api/settings").header("authorization", "Bearer y");
    assert_eq!(app.send(twice).await.brief(), "400 BAD_REQUEST");
}

#[tokio::test]
async fn the_public_keys_verify_tokens_and_hold_nothing_private() {
    let app = App::start().await;
    let answer = app.get("/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let keys = answer.at("/keys").as_array().unwrap();
    assert_eq!(keys.len(), 3, "one a region");
    for key in keys {
        let names: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
