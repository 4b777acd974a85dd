//! What a provider may not say, and what a browser may not bring. Each next to a success that differs only in that.

use reqwest::Method;
use tests::{App, OauthBrowser, ProviderPersona, Value, json};

use super::scripted::{Reply, ScriptedProvider, use_provider};

const GOOD: &str = "/sign-in?provider=google";
const INVALID: &str = "/sign-in?error=invalid_authorization";
const UNAVAILABLE: &str = "/sign-in?error=provider_unavailable";

#[tokio::test]
async fn id_token_with_a_wrong_claim_is_refused() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    assert_eq!(provider.sign_in(&app, |_, _| {}).await, GOOD);
    for claim in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        let gone = provider.sign_in(&app, |_, claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert_eq!(gone.await, INVALID, "without {claim}");
        for other in [json!(true), json!({}), json!(["x"]), json!("x"), json!(1)] {
            let outcome = provider.sign_in(&app, |_, claims| claims[claim] = other.clone()).await;
            // A subject is any text.
            let expected = if (claim, &other) == ("sub", &json!("x")) { GOOD } else { INVALID };
            // A token that was issued long ago may still be good.
            let expected = if (claim, &other) == ("iat", &json!(1)) { GOOD } else { expected };
            assert_eq!(outcome, expected, "{claim} {other}");
        }
    }
    for (claim, value) in
        [("azp", json!("other")), ("azp", json!(1)), ("email_verified", json!("true")), ("email", json!({}))]
    {
        assert_eq!(provider.sign_in(&app, |_, claims| claims[claim] = value).await, INVALID, "{claim}");
    }
}

#[tokio::test]
async fn id_token_with_another_header_or_signature_is_refused() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    let with =
        async |name: &str, value: Value| provider.sign_in(&app, |header, _| header[name] = value).await;
    assert_eq!(with("typ", json!("JWT")).await, GOOD);
    for alg in ["none", "HS256", "RS256", "ES384", "EdDSA"] {
        assert_eq!(with("alg", json!(alg)).await, INVALID, "{alg}");
    }
    assert_eq!(with("crit", json!(["b64"])).await, INVALID);
    let mut browser = OauthBrowser::new(&app);
    let page = browser.start("google").await;
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for token in ["", "a.b", "a.b.c", "eyJhbGciOiJFUzI1NiJ9.e30."] {
        provider.reply("/token", Reply::Body(200, json!({ "id_token": token }).to_string()));
        let answer = provider.come_back(&mut browser, "google", &state).await;
        let location = answer.header("location").map(str::to_owned);
        // The state is used up after the first.
        assert!(location.as_deref() == Some(INVALID) || answer.status == 422, "{token} {location:?}");
    }
}

#[tokio::test]
async fn unknown_key_is_fetched_once_and_then_not_for_minutes() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    assert_eq!(provider.sign_in(&app, |_, _| {}).await, GOOD);
    assert_eq!(provider.asked("/jwks"), 1);
    for _ in 0..5 {
        assert_eq!(provider.sign_in(&app, |header, _| header["kid"] = json!("k2")).await, INVALID);
    }
    assert_eq!(provider.asked("/jwks"), 1, "within the cool-down");
    app.advance(301).await;
    for _ in 0..5 {
        assert_eq!(provider.sign_in(&app, |header, _| header["kid"] = json!("k2")).await, INVALID);
    }
    assert_eq!(provider.asked("/jwks"), 2);
    // The provider rotates its key; an outage of its key set then harms nobody.
    provider.reply("/jwks", Reply::Body(200, provider.key_set("k2").to_string()));
    app.advance(301).await;
    assert_eq!(provider.sign_in(&app, |header, _| header["kid"] = json!("k2")).await, GOOD);
    provider.reply("/jwks", Reply::Body(500, String::new()));
    app.advance(86_401).await;
    assert_eq!(provider.sign_in(&app, |header, _| header["kid"] = json!("k2")).await, GOOD);
}

#[tokio::test]
async fn provider_in_trouble_is_said_to_be() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    assert_eq!(provider.sign_in(&app, |_, _| {}).await, GOOD);
    let replies = [
        (Reply::Body(500, String::new()), UNAVAILABLE),
        (Reply::Body(200, "x".repeat(10_000_000)), UNAVAILABLE),
        (Reply::Body(200, "<html>".to_owned()), UNAVAILABLE),
        (Reply::Body(200, "{}".to_owned()), UNAVAILABLE),
        (Reply::Redirect("/token2"), UNAVAILABLE),
        (Reply::Stall, UNAVAILABLE),
        (Reply::Body(400, r#"{"error":"invalid_grant"}"#.to_owned()), INVALID),
        (Reply::Body(401, r#"{"error":"invalid_client"}"#.to_owned()), INVALID),
    ];
    for (n, (reply, expected)) in replies.into_iter().enumerate() {
        let mut browser = OauthBrowser::new(&app);
        let page = browser.start("google").await;
        let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        provider.reply("/token", reply);
        let answer = provider.come_back(&mut browser, "google", &state).await.expect(303);
        assert_eq!(answer.header("location"), Some(expected), "{n}");
        assert!(!browser.jar.contains_key("__Host-identity"), "{n}");
    }
    assert_eq!(provider.asked("/token2"), 0, "no redirect is followed");
}

#[tokio::test]
async fn github_in_trouble_is_said_to_be() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    let good_token = Reply::Body(200, r#"{"access_token":"t","token_type":"bearer"}"#.to_owned());
    let good_user = Reply::Body(200, r#"{"id":7,"login":"ada"}"#.to_owned());
    let emails = r#"[{"email":"ada@people.example","primary":true,"verified":true,"visibility":null}]"#;
    let good_emails = Reply::Body(200, emails.to_owned());
    let body = |status, text: &str| Reply::Body(status, text.to_owned());
    let (unavailable, invalid) =
        ("/sign-in?error=provider_unavailable", "/sign-in?error=invalid_authorization");
    let cases = [
        ("", Reply::Stall, "/sign-in?provider=github"),
        ("/login/oauth/access_token", body(200, r#"{"error":"bad_verification_code"}"#), invalid),
        ("/login/oauth/access_token", body(500, ""), unavailable),
        ("/user", body(200, r#"{"id":"7"}"#), unavailable),
        ("/user", body(200, "{}"), unavailable),
        ("/user", body(401, "{}"), invalid),
        ("/user", Reply::Redirect("/user2"), unavailable),
        ("/user/emails", body(200, r#"[{"email":1}]"#), unavailable),
        ("/user/emails", body(503, ""), unavailable),
    ];
    for (path, reply, expected) in cases {
        provider.reply("/login/oauth/access_token", good_token.clone());
        provider.reply("/user", good_user.clone());
        provider.reply("/user/emails", good_emails.clone());
        if !path.is_empty() {
            provider.reply(path, reply);
        }
        let mut browser = OauthBrowser::new(&app);
        let page = browser.start("github").await;
        let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let answer = provider.come_back(&mut browser, "github", &state).await.expect(303);
        assert_eq!(answer.header("location"), Some(expected), "{path}");
    }
    // Without addresses there is nothing to open an account with, and a person who has one can still sign in.
    provider.reply("/user/emails", body(200, "[]"));
    let mut browser = OauthBrowser::new(&app);
    let page = browser.start("github").await;
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    provider.come_back(&mut browser, "github", &state).await.expect(303);
    assert_eq!(browser.complete(json!({ "region": "us" })).await.brief(), "422 PROVIDER_EMAIL_UNVERIFIED");
}

#[tokio::test]
async fn discovery_in_trouble_begins_nothing() {
    let app = App::start().await;
    let provider = ScriptedProvider::start(&app).await;
    let path = "/.well-known/openid-configuration";
    let other = json!({
        "issuer": "https://accounts.google.com", "authorization_endpoint": format!("{}/a", provider.url),
        "token_endpoint": format!("{}/t", provider.url), "jwks_uri": format!("{}/j", provider.url),
    });
    let insecure = json!({
        "issuer": provider.url, "authorization_endpoint": "http://evil.example/a",
        "token_endpoint": format!("{}/t", provider.url), "jwks_uri": format!("{}/j", provider.url),
    });
    for reply in [
        Reply::Body(500, String::new()),
        Reply::Stall,
        Reply::Body(200, other.to_string()),
        Reply::Body(200, insecure.to_string()),
    ] {
        provider.reply(path, reply);
        let answer = app.get("/api/auth/oauth/google/start").await;
        assert_eq!(answer.brief(), "503 UNAVAILABLE", "{}", answer.text);
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn provider_without_credentials_is_not_offered() {
    let app = App::start().await;
    app.get("/api/auth/oauth/github/start").await.expect(303);
    use_provider(&app, &json!({})).await;
    for provider in ["google", "github"] {
        assert_eq!(app.get(&format!("/api/auth/oauth/{provider}/start")).await.brief(), "404 NOT_FOUND");
    }
    let unknown = app.get("/api/auth/oauth/gitlab/start").await;
    assert_eq!(unknown.complaints(), "provider INVALID");
}

#[tokio::test]
async fn callback_is_for_its_browser_once_and_in_time() {
    let app = App::start().await;
    let persona = ProviderPersona::new("ada-callback");
    let mut browser = OauthBrowser::new(&app);
    let refused = "422 AUTHORIZATION_INVALID";
    let page = browser.start("google").await;
    let back = browser.consent(&page, &persona).await;
    // Somebody else's browser, and none: the authorization goes on.
    let mut other = OauthBrowser::new(&app);
    assert_eq!(other.callback(&back).await.brief(), refused);
    other.start("google").await;
    assert_eq!(other.callback(&back).await.brief(), refused);
    // Another provider's path.
    let crossed = back.as_str().replace("/google/", "/github/").parse().unwrap();
    assert_eq!(browser.clone().callback(&crossed).await.brief(), refused);
    // That used it up.
    assert_eq!(browser.callback(&back).await.brief(), refused);
    let page = browser.start("google").await;
    let back = browser.consent(&page, &persona).await;
    browser.callback(&back).await.expect(303);
    assert_eq!(browser.callback(&back).await.brief(), refused, "replayed");
    let page = browser.start("google").await;
    let back = browser.consent(&page, &persona).await;
    app.advance(600).await;
    assert_eq!(browser.callback(&back).await.brief(), refused, "expired");
    for query in [
        "",
        "?code=c",
        "?state=&code=c",
        "?state=us_x&code=c",
        "?state=us_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&code=c",
    ] {
        let request = browser.request(Method::GET, &format!("/api/auth/oauth/google/callback{query}"));
        assert_eq!(app.send(request).await.brief(), refused, "{query}");
    }
}

#[tokio::test]
async fn code_that_is_missing_wrong_or_denied_leads_back_with_an_error() {
    let app = App::start().await;
    for (query, expected) in [
        ("error=access_denied&error_description=x", "/sign-in?error=access_denied"),
        ("code=", INVALID),
        ("", INVALID),
        ("code=wrong", INVALID),
        // Parameters that Google adds.
        ("code=wrong&scope=email&authuser=0&prompt=none&hd=x&iss=y", INVALID),
    ] {
        let mut browser = OauthBrowser::new(&app);
        let page = browser.start("google").await;
        let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let path = format!("/api/auth/oauth/google/callback?state={state}&{query}");
        let answer = browser.send(browser.request(Method::GET, &path)).await.expect(303);
        assert_eq!(answer.header("location"), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn code_of_another_authorization_is_refused() {
    let app = App::start().await;
    let persona = ProviderPersona::new("ada-verifier");
    // The attacker's code, with the victim's state: PKCE and nonce are the victim's.
    let (mut attacker, mut victim) = (OauthBrowser::new(&app), OauthBrowser::new(&app));
    let (theirs, ours) = (attacker.start("google").await, victim.start("google").await);
    let (theirs, mut ours) =
        (attacker.consent(&theirs, &persona).await, victim.consent(&ours, &persona).await);
    let code = theirs.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let pairs: Vec<(String, String)> = ours.query_pairs().into_owned().collect();
    let swapped = pairs
        .into_iter()
        .map(|(name, value)| if name == "code" { (name, code.clone()) } else { (name, value) });
    let swapped: Vec<(String, String)> = swapped.collect();
    ours.query_pairs_mut().clear().extend_pairs(swapped);
    let answer = victim.callback(&ours).await.expect(303);
    assert_eq!(answer.header("location"), Some(INVALID));
}

#[tokio::test]
async fn return_path_is_one_of_this_site() {
    let app = App::start().await;
    for path in ["//evil.example", "https://evil.example", "/\\evil", "x"] {
        let answer = app.get(&format!("/api/auth/oauth/google/start?returnTo={path}")).await;
        assert_eq!(answer.complaints(), "returnTo INVALID", "{path}");
    }
    app.get("/api/auth/oauth/google/start?returnTo=/settings").await.expect(303);
}

#[tokio::test]
async fn ticket_is_needed_and_expires_and_opens_nowhere_else() {
    let app = App::start().await;
    let mut browser = OauthBrowser::new(&app);
    let refused = "422 AUTHORIZATION_INVALID";
    assert_eq!(browser.complete(json!({ "region": "us" })).await.brief(), refused);
    browser.authorize("google", &ProviderPersona::new("ada-ticket")).await;
    let ticket = browser.jar["__Host-identity"].clone();
    let mut changed = browser.clone();
    for text in ["", "x", &ticket[1..], &ticket.replace(&ticket[60..62], "00")] {
        changed.jar.insert("__Host-identity".to_owned(), text.to_owned());
        assert_eq!(changed.complete(json!({ "region": "us" })).await.brief(), refused);
    }
    let cross = browser.request(Method::POST, "/api/auth/oauth/complete").json(&json!({ "region": "us" }));
    let cross = app.send(cross.header("sec-fetch-site", "same-site")).await;
    assert_eq!(cross.brief(), "403 CSRF_TOKEN_REQUIRED");
    let mut late = browser.clone();
    app.advance(600).await;
    assert_eq!(late.complete(json!({ "region": "us" })).await.brief(), refused);
    browser.authorize("google", &ProviderPersona::new("ada-ticket")).await;
    browser.complete_at_home().await.expect(200);
}
