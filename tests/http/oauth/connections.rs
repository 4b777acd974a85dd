//! Connected accounts.

use domain::region::Region;
use futures::future::join_all;
use serde_json::Value;
use tests::{App, OauthBrowser, Person, ProviderPersona, json};

async fn connected(who: &Person) -> Vec<String> {
    let ways = who.get("/api/auth/connections").await.expect(200);
    let all = ways.at("/connections").as_array().unwrap().iter();
    all.map(|connection| connection["provider"].as_str().unwrap().to_owned()).collect()
}

async fn connect(who: &Person, provider: &str, persona: &ProviderPersona) {
    let mut browser = OauthBrowser::new(&who.app);
    browser.authorize_for(who, provider, persona).await;
    browser.connect(who).await.expect(200);
}

#[tokio::test]
async fn accounts_are_connected_used_and_disconnected_until_the_last() {
    let app = App::start().await;
    let ada = app.google_user("ada-connections").await;
    let github =
        ProviderPersona { email: "other@people.example".to_owned(), ..ProviderPersona::new("ada-at-github") };
    connect(&ada, "github", &github).await;
    app.mail_of_kind(&ada.email, "provider-connected").await;
    assert_eq!(connected(&ada).await, ["github", "google"]);
    let mut browser = OauthBrowser::new(&app);
    browser.authorize("github", &github).await;
    let tokens = browser.complete(json!({})).await.expect(200);
    assert_eq!(Person::new(app.clone(), "ada", &ada.email, &tokens).id(), ada.id());
    ada.delete("/api/auth/connections/google").await.expect(200);
    app.mail_of_kind(&ada.email, "provider-disconnected").await;
    assert_eq!(ada.delete("/api/auth/connections/google").await.brief(), "404 NOT_FOUND");
    assert_eq!(ada.delete("/api/auth/connections/github").await.brief(), "409 LAST_SIGN_IN_METHOD");
    assert_eq!(connected(&ada).await, ["github"]);
    // The verified address alone brings back none that was disconnected; its owner does.
    let google = ProviderPersona::new("ada-connections");
    browser.authorize("google", &google).await;
    assert_eq!(browser.complete_at_home().await.brief(), "409 PROVIDER_DISCONNECTED");
    let history = ada.activity().await;
    assert_eq!(history[..2], ["updated security Google disconnected", "updated security GitHub connected"]);
    connect(&ada, "google", &google).await;
    ada.delete("/api/auth/connections/google").await.expect(200);
    connect(&ada, "google", &google).await;
    browser.authorize("google", &google).await;
    browser.complete(json!({})).await.expect(200);
}

#[tokio::test]
async fn export_lists_connected_accounts_without_the_identity() {
    let app = App::start().await;
    let ada = app.google_user("ada-takes-out").await;
    connect(&ada, "github", &ProviderPersona::new("ada-takes-out-github")).await;
    let export: Value = serde_json::from_slice(&ada.export("json").await).unwrap();
    let all = export["account"]["connectedAccounts"].as_array().unwrap();
    let providers: Vec<&Value> = all.iter().map(|account| &account["provider"]).collect();
    assert_eq!(providers, ["github", "google"]);
    for account in all {
        assert!(account["connectedAt"].is_string());
        assert_eq!(account.as_object().unwrap().len(), 2, "{account}");
    }
    // Nor does an account without one list any.
    let bob = app.user("bob-takes-out").await;
    let export: Value = serde_json::from_slice(&bob.export("json").await).unwrap();
    assert_eq!(export["account"]["connectedAccounts"], json!([]));
}

#[tokio::test]
async fn connecting_twice_changes_nothing_and_another_one_is_refused() {
    let app = App::start().await;
    let ada = app.user("ada-twice").await;
    let persona = ProviderPersona::new("ada-twice-google");
    connect(&ada, "google", &persona).await;
    connect(&ada, "google", &persona).await;
    let mut browser = OauthBrowser::new(&app);
    browser.authorize_for(&ada, "google", &ProviderPersona::new("ada-second-google")).await;
    assert_eq!(browser.connect(&ada).await.brief(), "409 PROVIDER_CONNECTED");
    assert_eq!(connected(&ada).await, ["google"]);
    // The refused one is free for somebody else.
    let bob = app.user("bob-second-google").await;
    browser.authorize_for(&bob, "google", &ProviderPersona::new("ada-second-google")).await;
    browser.connect(&bob).await.expect(200);
}

#[tokio::test]
async fn connecting_and_disconnecting_need_a_recent_sign_in() {
    let app = App::start().await;
    let ada = app.user("ada-stale").await;
    connect(&ada, "google", &ProviderPersona::new("ada-stale")).await;
    app.advance(16 * 60).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-stale", &ada.email, &tokens);
    assert_eq!(ada.delete("/api/auth/connections/google").await.brief(), "403 STEP_UP_REQUIRED");
    let mut browser = OauthBrowser::new(&app);
    browser.authorize_for(&ada, "github", &ProviderPersona::new("ada-stale")).await;
    assert_eq!(browser.connect(&ada).await.brief(), "403 STEP_UP_REQUIRED");
    ada.step_up().await;
    browser.connect(&ada).await.expect(200);
    ada.delete("/api/auth/connections/google").await.expect(200);
}

#[tokio::test]
async fn disconnected_identity_is_free_for_another_account_in_another_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (
        app.living_in(Region::Eu).user("ada-frees").await,
        app.living_in(Region::Ap).user("bob-takes").await,
    );
    let persona = ProviderPersona::new("handed-on");
    connect(&ada, "github", &persona).await;
    ada.delete("/api/auth/connections/github").await.expect(200);
    crate::privacy::until_delivered(&app, "the identity is not free", || async {
        let mut browser = OauthBrowser::new(&bob.app);
        browser.authorize_for(&bob, "github", &persona).await;
        browser.connect(&bob).await.status == 200
    })
    .await;
    assert_eq!((connected(&ada).await.len(), connected(&bob).await.len()), (0, 1));
}

/// A double click on the last button of a new account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_ticket_completed_twice_at_once_opens_one_account() {
    let app = App::start().await;
    for round in 0..crate::many::number("ACCOUNT_TEST_ROUNDS", 10) {
        let app = app.in_network(&format!("double-click-{round}"));
        let persona = ProviderPersona::new(&format!("double-click-{round}"));
        let mut first = OauthBrowser::new(&app);
        first.authorize("google", &persona).await;
        let mut second = first.clone();
        let answers = [first.complete_at_home(), second.complete_at_home()];
        let people = join_all(answers).await.into_iter().map(|answer| {
            let tokens = answer.expect(200);
            Person::new(app.clone(), "ada", &persona.email, &tokens).id()
        });
        let people: Vec<_> = people.collect();
        assert_eq!(people[0], people[1], "round {round}");
    }
}

/// The last two ways to sign in, removed at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_two_ways_removed_at_once_leave_one() {
    let app = App::start().await;
    let ada = app.google_user("ada-last-two").await;
    let github = ProviderPersona::new("ada-last-two");
    for round in 0..crate::many::number("ACCOUNT_TEST_ROUNDS", 10) {
        let missing = if connected(&ada).await == ["google"] { "github" } else { "google" };
        if connected(&ada).await.len() == 1 {
            connect(&ada, missing, &github).await;
        }
        let paths = ["/api/auth/connections/google", "/api/auth/connections/github"];
        let answers = join_all(paths.map(|path| ada.delete(path))).await;
        let mut briefs: Vec<String> = answers.iter().map(tests::Answer::brief).collect();
        briefs.sort();
        assert_eq!(briefs, ["200", "409 LAST_SIGN_IN_METHOD"], "round {round}");
        assert_eq!(connected(&ada).await.len(), 1);
    }
}

/// The first sign-in with one identity in two regions at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn first_sign_in_in_two_regions_at_once_makes_one_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    for round in 0..crate::many::number("ACCOUNT_TEST_ROUNDS", 10) {
        let app = app.in_network(&format!("at-once-{round}"));
        let persona = ProviderPersona::new(&format!("at-once-{round}"));
        let mut browsers = Vec::new();
        for region in [Region::Us, Region::Eu] {
            let mut browser = OauthBrowser::new(&app.living_in(region));
            browser.authorize("google", &persona).await;
            browsers.push(browser);
        }
        let answers = join_all(browsers.iter_mut().map(OauthBrowser::complete_at_home)).await;
        let good = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(
            good >= 1,
            "round {round}: {:?}",
            answers.iter().map(tests::Answer::brief).collect::<Vec<_>>()
        );
        let others = answers.iter().filter(|answer| answer.status != 200);
        for other in others {
            assert!(
                ["409 IDENTITY_TAKEN", "503 UNAVAILABLE"].contains(&other.brief().as_str()),
                "{}",
                other.text
            );
        }
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        let winner = Person::new(app.clone(), "x", &persona.email, winner).id();
        app.replicated().await;
        // From everywhere the identity leads to the one account.
        for region in Region::ALL {
            let mut browser = OauthBrowser::new(&app.living_in(region));
            browser.authorize("google", &persona).await;
            crate::privacy::until("the account is not found", || {
                let mut browser = browser.clone();
                async move { browser.complete_at_home().await.status == 200 }
            })
            .await;
            let tokens = browser.complete_at_home().await.expect(200);
            assert_eq!(Person::new(app.clone(), "x", &persona.email, &tokens).id(), winner);
        }
    }
}
