//! What a stranger could do with a provider's account.

use tests::{App, OauthBrowser, PASSWORD, ProviderPersona, json};

#[tokio::test]
async fn unverified_address_of_a_victim_gives_nothing() {
    let app = App::start().await;
    let victim = app.user("victim-unverified").await;
    for provider in ["google", "github"] {
        let mut browser = OauthBrowser::new(&app);
        browser.authorize(provider, &ProviderPersona::new("victim-unverified").unverified()).await;
        let refused = browser.complete_at_home().await;
        assert_eq!(refused.brief(), "422 PROVIDER_EMAIL_UNVERIFIED");
        // Nobody learns whether the address has an account.
        let mut browser = OauthBrowser::new(&app);
        browser.authorize(provider, &ProviderPersona::new("nobody-unverified").unverified()).await;
        let unknown = browser.complete_at_home().await;
        assert_eq!(unknown.at("/detail"), refused.at("/detail"));
    }
    let ways = victim.get("/api/auth/connections").await.expect(200);
    assert_eq!(ways.body, json!({ "connections": [], "hasPassword": true }));
}

#[tokio::test]
async fn planted_sign_up_is_worth_nothing_when_the_owner_comes_by_google() {
    let app = App::start().await;
    // The attacker signs up with the victim's address and chooses the password. The code never reaches them.
    app.sign_up("planted@people.example").await.expect(202);
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &ProviderPersona::new("planted")).await;
    browser.complete_at_home().await.expect(200);
    assert_eq!(app.sign_in("planted@people.example", PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
    // Even if the owner is talked into entering the code.
    let code = app.code("planted@people.example").await;
    let form = json!({ "email": "planted@people.example", "code": code, "password": PASSWORD });
    assert!(app.post("/api/auth/verify", form).await.status >= 400);
    assert_eq!(app.sign_in("planted@people.example", PASSWORD).await.brief(), "401 INVALID_CREDENTIALS");
}

#[tokio::test]
async fn identity_is_the_subject_and_not_the_address() {
    let app = App::start().await;
    let first = app.google_user("changes-address").await;
    let persona = ProviderPersona {
        email: "new-address@people.example".to_owned(),
        ..ProviderPersona::new("changes-address")
    };
    // The same person with another address at the provider, even an unverified one.
    for persona in [persona.clone(), persona.unverified()] {
        let mut browser = OauthBrowser::new(&app);
        browser.authorize("google", &persona).await;
        let tokens = browser.complete(json!({})).await.expect(200);
        let again = tests::Person::new(app.clone(), "x", &first.email, &tokens);
        assert_eq!(again.id(), first.id());
        assert_eq!(again.get("/api/settings").await.expect(200).text_at("/email"), first.email);
    }
    // Another person who has the address by now, at the same provider.
    let successor =
        ProviderPersona { subject: "424242".to_owned(), ..ProviderPersona::new("changes-address") };
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &successor).await;
    assert_eq!(browser.complete_at_home().await.brief(), "409 PROVIDER_CONNECTED");
}

#[tokio::test]
async fn one_persons_ticket_connects_to_no_other_session() {
    let app = App::start().await;
    let (ada, eve) = (app.user("ada-ticket-owner").await, app.user("eve-ticket-owner").await);
    let mut browser = OauthBrowser::new(&app);
    let persona = ProviderPersona::new("eve-at-github");
    browser.authorize_for(&eve, "github", &persona).await;
    // A page of another site has the victim's browser send the request: it has no cookie of eve's browser.
    let mut victim = OauthBrowser::new(&app);
    assert_eq!(victim.connect(&ada).await.brief(), "422 AUTHORIZATION_INVALID");
    // Somebody else signs in at eve's browser, which still has the ticket.
    assert_eq!(browser.connect(&ada).await.brief(), "422 AUTHORIZATION_INVALID");
    browser.connect(&eve).await.expect(200);
    // Now it is eve's, and nobody else's.
    let mut browser = OauthBrowser::new(&app);
    browser.authorize_for(&ada, "github", &persona).await;
    assert_eq!(browser.connect(&ada).await.brief(), "409 IDENTITY_TAKEN");
    browser.authorize("github", &persona).await;
    let tokens = browser.complete(json!({})).await.expect(200);
    assert_eq!(tests::Person::new(app, "eve", &eve.email, &tokens).id(), eve.id());
}

#[tokio::test]
async fn ticket_does_only_what_it_was_begun_for() {
    let app = App::start().await;
    let ada = app.user("ada-purpose").await;
    let persona = ProviderPersona::new("ada-purpose-google");
    // One that signs in connects nothing: it may be of another person at this browser.
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("google", &persona).await;
    assert_eq!(browser.connect(&ada).await.brief(), "422 AUTHORIZATION_INVALID");
    // One that connects signs nobody in and opens no account.
    browser.authorize_for(&ada, "google", &persona).await;
    assert_eq!(browser.complete_at_home().await.brief(), "422 AUTHORIZATION_INVALID");
    browser.connect(&ada).await.expect(200);
    browser.authorize("google", &persona).await;
    browser.complete(json!({})).await.expect(200);
}

#[tokio::test]
async fn connecting_begins_with_a_session_only() {
    let app = App::start().await;
    let ada = app.user("ada-begins").await;
    let path = "/api/auth/oauth/google/start?link=true";
    let with = |token: &str| app.request(reqwest::Method::GET, path).bearer_auth(token);
    assert_eq!(app.get(path).await.brief(), "401 UNAUTHORIZED");
    let key = ada.post("/api/api-keys", json!({ "name": "robot" })).await.expect(201).text_at("/key");
    for token in ["nonsense", key.as_str()] {
        assert_eq!(app.send(with(token)).await.brief(), "401 UNAUTHORIZED");
    }
    app.send(with(&ada.token)).await.expect(303);
    // A session of another region, too.
    app.living_in(domain::region::Region::Ap).send(with(&ada.token)).await.expect(303);
}
