//! Signing in.

use std::time::{Duration, Instant};

use domain::region::Region;
use tests::{App, PASSWORD, json};

/// Refusals come after this at the earliest on the local platform, wherever they come from.
const HELD_BACK: Duration = Duration::from_millis(100);

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_cannot_be_told_apart() {
    tests::needs_every_region!();
    let app = App::alone().await;
    app.newcomer("carol").await;
    app.living_in(Region::Ap).newcomer("karol").await;
    for name in ["carol", "karol", "nobody", "nemo", "niemand", "personne"] {
        let mut times = Vec::new();
        for _ in 0..4 {
            let started = Instant::now();
            let answer = app.sign_in(&format!("{name}@people.example"), "not the right password").await;
            times.push(started.elapsed());
            assert_eq!(answer.brief(), "401 INVALID_CREDENTIALS");
            assert_eq!(answer.at("/error"), "Incorrect email address or password.");
        }
        let least = times.iter().min().unwrap();
        assert!((HELD_BACK..HELD_BACK * 2).contains(least), "{name}: {times:?}");
    }
    let mut times = Vec::new();
    for _ in 0..4 {
        let started = Instant::now();
        app.sign_in("carol@people.example", PASSWORD).await.expect(200);
        times.push(started.elapsed());
    }
    assert!(*times.iter().min().unwrap() < HELD_BACK * 2, "a correct sign-in was delayed: {times:?}");
}

#[tokio::test]
async fn password_guesses_are_slowed_down_for_everybody() {
    let app = App::start().await;
    app.newcomer("dave").await;
    for _ in 0..5 {
        assert_eq!(
            app.sign_in("dave@people.example", "not the right one").await.brief(),
            "401 INVALID_CREDENTIALS"
        );
    }
    let refused = app.sign_in("dave@people.example", PASSWORD).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let seconds: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds), "{seconds}");
    app.advance(seconds).await;
    app.sign_in("dave@people.example", PASSWORD).await.expect(200);
    app.sign_in("dave@people.example", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn parallel_guesses_do_not_share_one_count() {
    let app = App::alone().await;
    app.newcomer("erin").await;
    let guesses = (0..30).map(|n| {
        let app = app.clone();
        async move { app.sign_in("erin@people.example", &format!("guess number {n}")).await.brief() }
    });
    let answers = futures::future::join_all(guesses).await;
    let judged = answers.iter().filter(|answer| *answer == "401 INVALID_CREDENTIALS").count();
    assert!(judged <= 5, "{judged} guesses were judged: {answers:?}");
}

#[tokio::test]
async fn signing_in_rightly_never_slows_down_a_shared_network() {
    let app = App::start().await.in_network("shared");
    app.newcomer("greta").await;
    for _ in 0..110 {
        app.sign_in("greta@people.example", PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn repeated_sign_in_returns_the_same_live_session() {
    let app = App::start().await;
    let ines = app.user("ines").await;
    let form = json!({ "email": ines.email, "password": PASSWORD });
    let first = ines.post_once("/api/auth/sign-in", form.clone(), "once").await.expect(200);
    let again = ines.post_once("/api/auth/sign-in", form.clone(), "once").await.expect(200);
    assert_eq!(first.at("/refreshToken"), again.at("/refreshToken"));
    let session = tests::Person::new(app.clone(), "ines", &ines.email, &first);
    session.post("/api/auth/sign-out", json!({})).await.expect(200);
    assert_eq!(ines.post_once("/api/auth/sign-in", form, "once").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn cookie_session_hides_tokens_and_needs_csrf_token() {
    let app = App::start().await;
    app.user("faye").await;
    let form = json!({ "email": "faye@people.example", "password": PASSWORD });
    let answer = app.post("/api/auth/sign-in?session=cookie", form).await.expect(200);
    assert!(answer.at("/accessToken").is_null() && answer.at("/refreshToken").is_null());
    let cookies: Vec<String> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    assert_eq!(cookies.len(), 3);
    for cookie in &cookies {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
    }
    let jar: Vec<&str> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    let (jar, csrf) = (jar.join("; "), answer.text_at("/csrfToken"));
    let send = |method: &str, path: &str, csrf: Option<String>| {
        let mut request = app.request(method.parse().unwrap(), path).header("cookie", &jar);
        if method != "GET" {
            request = request.json(&json!({}));
        }
        if let Some(csrf) = csrf {
            request = request.header("x-csrf-token", csrf);
        }
        let app = app.clone();
        async move { app.send(request).await }
    };
    send("GET", "/api/settings", None).await.expect(200);
    assert_eq!(send("PATCH", "/api/settings", None).await.brief(), "403 CSRF_TOKEN_REQUIRED");
    assert_eq!(send("PATCH", "/api/settings", Some("wrong".into())).await.brief(), "403 CSRF_TOKEN_REQUIRED");
    send("PATCH", "/api/settings", Some(csrf.clone())).await.expect(200);
    assert_eq!(
        send("POST", "/api/auth/refresh?session=cookie", None).await.brief(),
        "403 CSRF_TOKEN_REQUIRED"
    );
    send("POST", "/api/auth/refresh?session=cookie", Some(csrf.clone())).await.expect(200);
    let out = send("POST", "/api/auth/sign-out", Some(csrf)).await.expect(200);
    assert!(
        out.headers.get_all("set-cookie").iter().all(|value| value.to_str().unwrap().contains("Max-Age=0"))
    );
    assert_eq!(send("GET", "/api/settings", None).await.brief(), "401 UNAUTHORIZED");
}
