//! Signing in with Google and GitHub, against the providers of the local platform.
//!
//! Not run in outages: it claims names all the time.

mod attacks;
mod connections;
mod doubles;
mod refusals;
mod scripted;

use domain::region::Region;
use reqwest::Method;
use tests::{App, OauthBrowser, PASSWORD, Person, ProviderPersona, json};

const PROVIDERS: [&str; 2] = ["google", "github"];

#[tokio::test]
async fn new_person_gets_an_account_in_the_chosen_region_and_signs_in_from_all() {
    tests::needs_every_region!();
    let app = App::start().await;
    for (n, provider) in PROVIDERS.into_iter().enumerate() {
        let persona = ProviderPersona::new(&format!("ada-{provider}"));
        let home = app.living_in(Region::ALL[n + 1]);
        let mut browser = OauthBrowser::new(&home.by_way_of(Region::Us));
        browser.authorize(provider, &persona).await;
        let unknown = browser.complete(json!({})).await;
        assert_eq!(unknown.brief(), "422 REGION_REQUIRED");
        let tokens = browser.complete(json!({ "region": home.home() })).await.expect(200);
        assert_eq!(tokens.at("/region"), &json!(home.home()));
        assert_eq!(tokens.at("/onboarded"), false);
        assert!(!browser.jar.contains_key("__Host-identity"), "the ticket is gone");
        let who = Person::new(home.clone(), "ada", &persona.email, &tokens);
        let form = json!({ "username": format!("ada-by-{provider}"), "displayName": "Ada" });
        who.post("/api/onboarding", form).await.expect(201);
        app.replicated().await;
        for way in Region::ALL {
            let mut browser = OauthBrowser::new(&app.by_way_of(way));
            browser.authorize(provider, &persona).await;
            // A region that is named is ignored: the account has one.
            let again = browser.complete(json!({ "region": "us" })).await.expect(200);
            assert_eq!((again.at("/region"), again.at("/onboarded")), (&json!(home.home()), &json!(true)));
            let again = Person::new(app.by_way_of(way), "ada", &persona.email, &again);
            assert_eq!(again.id(), who.id());
            assert_eq!(again.get("/api/settings").await.expect(200).text_at("/email"), persona.email);
        }
    }
}

#[tokio::test]
async fn browser_gets_cookies_and_no_token() {
    let app = App::start().await;
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &ProviderPersona::new("eve-cookies")).await;
    let form = json!({ "region": app.home() });
    let request = browser.request(Method::POST, "/api/auth/oauth/complete?session=cookie").json(&form);
    let answer = app.claiming(browser.send(request)).await.expect(200);
    assert!(answer.at("/accessToken").is_null() && answer.at("/refreshToken").is_null());
    for name in ["__Host-session", "__Host-refresh", "__Host-device"] {
        assert!(browser.jar.contains_key(name), "{name}");
    }
    let session = browser.request(Method::GET, "/api/auth/session");
    assert_eq!(browser.send(session).await.expect(200).at("/onboarded"), false);
}

#[tokio::test]
async fn cookies_of_an_authorization_are_bound_and_short() {
    let app = App::start().await;
    let mut browser = OauthBrowser::new(&app);
    let path = "/api/auth/oauth/google/start?returnTo=/settings?tab=security";
    let answer = browser.send(browser.request(Method::GET, path)).await.expect(303);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-oauth=")
            && cookie.ends_with("; Path=/; Max-Age=600; Secure; HttpOnly; SameSite=Lax")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let page = answer.header("location").unwrap().parse().unwrap();
    let back = browser.consent(&page, &ProviderPersona::new("bob-cookies")).await;
    let answer = browser.callback(&back).await.expect(303);
    assert_eq!(answer.header("location"), Some("/settings?tab=security&provider=google"));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.starts_with("__Host-identity=") && cookie.ends_with("; Secure; HttpOnly; SameSite=Strict")
    );
    // Nothing that the provider said can be read in it.
    assert!(!cookie.contains("people") && !answer.text.contains("people"));
}

#[tokio::test]
async fn verified_address_of_both_sides_connects_the_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let eu = app.living_in(Region::Eu);
    let ada = eu.user("ada-linked").await;
    app.replicated().await;
    let mut browser = OauthBrowser::new(&app.by_way_of(Region::Ap));
    browser.authorize("google", &ProviderPersona::new("ada-linked")).await;
    let tokens = browser.complete(json!({ "region": "ap" })).await.expect(200);
    let again = Person::new(app.clone(), "ada-linked", &ada.email, &tokens);
    assert_eq!(again.id(), ada.id());
    assert_eq!(tokens.at("/region"), "eu");
    app.mail_of_kind(&ada.email, "provider-connected").await;
    let line = "updated security Google connected by its verified address";
    assert!(ada.activity().await.contains(&line.to_owned()));
    let ways = ada.get("/api/auth/connections").await.expect(200);
    assert_eq!(ways.at("/hasPassword"), true);
    assert_eq!(ways.text_at("/connections/0/provider"), "google");
    // The password still works.
    eu.sign_in(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn account_without_a_password_sets_one_by_mail() {
    let app = App::start().await;
    let ada = app.google_user("ada-first-password").await;
    assert_eq!(app.sign_in(&ada.email, PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    let token = crate::password::token(&app, &ada.email).await;
    crate::password::reset(&app, &token, crate::password::NEW).await.expect(200);
    app.sign_in(&ada.email, crate::password::NEW).await.expect(200);
}

#[tokio::test]
async fn identity_of_a_deleted_account_opens_another() {
    let app = App::start().await;
    let ada = app.google_user("ada-deleted").await;
    crate::privacy::erase(&ada).await;
    app.replicated().await;
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &ProviderPersona::new("ada-deleted")).await;
    assert_eq!(browser.complete(json!({})).await.brief(), "422 REGION_REQUIRED");
    let tokens = browser.complete_at_home().await.expect(200);
    assert_ne!(Person::new(app, "ada-deleted", &ada.email, &tokens).id(), ada.id());
}

#[tokio::test]
async fn account_that_is_being_deleted_lets_nobody_in() {
    let app = App::start().await;
    let ada = app.google_user("ada-leaving").await;
    ada.ask_to_be_deleted().await.expect(202);
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &ProviderPersona::new("ada-leaving")).await;
    let answer = browser.complete(json!({})).await;
    assert!(answer.status >= 400, "{}", answer.text);
}
