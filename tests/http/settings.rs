//! The profile and what others see of it.

use domain::{region::Region, resource::Kind, role::Role};
use insta::assert_snapshot;
use reqwest::Method;
use tests::{App, Person, json, path_of};

use crate::fixtures::billing::charges;

#[tokio::test]
async fn patch_changes_named_settings_with_one_history_line() {
    let app = App::start().await;
    let ada = app.user("ada3").await;
    let patch = json!({ "bio": "I build engines.", "github": "@ada", "website": "https://ada.example" });
    assert_snapshot!(ada.patch("/api/settings", patch.clone()).await.expect(200).text, @r#"{"success":true}"#);
    ada.patch("/api/settings", patch).await.expect(200);
    ada.post("/api/settings", json!({ "bio": null })).await.expect(200);
    let settings = ada.get("/api/settings").await.expect(200);
    assert_eq!(settings.at("/bio"), &json!(null));
    assert_eq!(settings.at("/socials/github"), "https://github.com/ada");
    assert_eq!(settings.at("/displayName"), "ADA3");
    assert_eq!(
        ada.activity().await,
        ["updated settings ada3", "updated settings ada3", "completed onboarding ada3"]
    );
    let events = ada.get("/api/activity").await.expect(200);
    let change = events.at("/events/0/metadata/changes");
    assert_eq!(change, &json!({ "bio": { "from": "I build engines.", "to": null } }));
}

#[tokio::test]
async fn wrong_values_are_refused_together_and_change_nothing() {
    let app = App::start().await;
    let bob = app.user("bob3").await;
    let before = bob.get("/api/settings").await.expect(200).text;
    let patch = json!({
        "displayName": "", "bio": "short", "useCase": "World Domination", "iconColor": "red", "github": "https://evil.example/x",
        "website": "javascript:alert(1)", "username": "other", "email": "x@y.zz",
    });
    let answer = bob.patch("/api/settings", patch).await;
    assert_eq!(answer.brief(), "400 VALIDATION_ERROR");
    let mut fields: Vec<String> = answer.complaints().split(", ").map(str::to_owned).collect();
    fields.sort();
    assert_snapshot!(fields.join("\n"), @r"
    bio INVALID
    displayName INVALID
    email UNKNOWN
    github INVALID
    iconColor INVALID
    useCase INVALID
    username UNKNOWN
    website INVALID
    ");
    assert_eq!(bob.get("/api/settings").await.expect(200).text, before);
    assert_eq!(bob.activity().await.len(), 1);
}

#[tokio::test]
async fn parallel_patches_of_different_fields_all_hold() {
    let app = App::start().await;
    let carol = app.user("carol3").await;
    let patches = [
        json!({ "company": "One" }),
        json!({ "bio": "Ten letters at least." }),
        json!({ "github": "carol" }),
        json!({ "twitter": "carol" }),
        json!({ "iconColor": "#112233" }),
        json!({ "iconLetter": "C" }),
    ];
    let all = patches.into_iter().map(|patch| {
        let carol = carol.clone();
        async move { carol.patch("/api/settings", patch).await.expect(200) }
    });
    futures::future::join_all(all).await;
    let settings = carol.get("/api/settings").await.expect(200);
    for field in ["/company", "/bio", "/socials/github", "/socials/twitter", "/iconColor", "/iconLetter"] {
        assert!(settings.at(field).is_string(), "{field} in {}", settings.text);
    }
    assert_eq!(carol.activity().await.len(), 7);
}

#[tokio::test]
async fn anybody_sees_a_public_profile_and_never_an_address() {
    let app = App::start().await;
    let dave = app.user("dave3").await;
    dave.patch("/api/settings", json!({ "bio": "I like long walks.", "company": "Walks" })).await.expect(200);
    let profile = app.get("/api/users?username=dave3").await.expect(200);
    assert_eq!(profile.at("/user/fullName"), "DAVE3");
    assert_eq!(profile.at("/user/bio"), "I like long walks.");
    assert_eq!(profile.at("/user/followerCount"), 0);
    assert!(!profile.text.contains("people.example"));
    assert_eq!(app.get("/api/users?username=nobody").await.brief(), "404 NOT_FOUND");
    assert_eq!(app.get("/api/users").await.complaints(), "username REQUIRED");
}

#[tokio::test]
async fn null_is_refused_where_a_value_cannot_be_taken_away() {
    let app = App::start().await;
    let eve = app.user("eve3").await;
    let before = eve.get("/api/settings").await.expect(200).text;
    for (patch, complaint) in [
        (json!({ "displayName": null }), "displayName INVALID"),
        (json!({ "displayName": null, "bio": "I build engines." }), "displayName INVALID"),
        (json!({ "earlyAccess": null }), "earlyAccess INVALID"),
    ] {
        for answer in
            [eve.patch("/api/settings", patch.clone()).await, eve.post("/api/settings", patch).await]
        {
            assert_eq!(
                (answer.brief().as_str(), answer.complaints().as_str()),
                ("400 VALIDATION_ERROR", complaint)
            );
        }
    }
    assert_eq!(eve.get("/api/settings").await.expect(200).text, before);
    let project = eve.make(Kind::Project, "null").await;
    for member in ["slug", "name", "visibility"] {
        let answer = eve.patch(&path_of(&project), json!({ member: null })).await;
        assert_eq!(answer.complaints(), format!("{member} INVALID"));
    }
    eve.patch(&path_of(&project), json!({ "description": null })).await.expect(200);
    let nothing = json!({
        "company": null, "useCase": null, "bio": null, "iconColor": null, "iconLetter": null, "github": null,
        "linkedin": null, "twitter": null, "youtube": null, "scholar": null, "discord": null, "website": null,
    });
    eve.patch("/api/settings", nothing).await.expect(200);
}

#[tokio::test]
async fn capitals_in_handle_look_ups_are_folded() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-fold").await;
    for typed in ["ada-fold", "Ada-Fold", "ADA-FOLD", "Ａda－fold"] {
        let ask = async |who: Option<&Person>, path: &str, name: &str| {
            let request = app.request(Method::GET, path).query(&[(name, typed)]);
            let request = if let Some(who) = who { request.bearer_auth(&who.token) } else { request };
            app.send(request).await
        };
        let profile = ask(None, "/api/users", "username").await.expect(200);
        assert_eq!(profile.at("/user/username"), "ada-fold", "{typed}");
        let free = ask(None, "/api/username/check", "username").await.expect(200);
        assert_eq!(
            (free.at("/available"), free.at("/username")),
            (&json!(false), &json!("ada-fold")),
            "{typed}"
        );
        let own = ask(Some(&ada), "/api/settings", "owner").await.expect(200);
        assert_eq!(own.at("/username"), "ada-fold", "{typed}");
        let ci = ada.with_api_key("ci").await;
        ask(Some(&ci), "/api/projects", "owner").await.expect(200);
    }
    for (path, status) in [
        ("/api/users?username=Ada-Fald", "404 NOT_FOUND"),
        ("/api/users?username=Ada_Fold", "400 VALIDATION_ERROR"),
        ("/api/username/check?username=Settings", "400 VALIDATION_ERROR"),
        ("/api/settings?owner=Ada-Fald", "404 NOT_FOUND"),
        ("/api/settings?owner=Ada_Fold", "404 NOT_FOUND"),
    ] {
        assert_eq!(ada.get(path).await.brief(), status, "{path}");
    }
    let free = app.get("/api/username/check?username=Ada-Free").await.expect(200);
    assert_eq!((free.at("/available"), free.at("/username")), (&json!(true), &json!("ada-free")));
}

#[tokio::test]
async fn capitals_in_handles_of_other_regions_are_folded() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (eu, ap) = (app.living_in(Region::Eu), app.living_in(Region::Ap));
    let (host, guest) = (eu.user("host-fold").await, ap.user("guest-fold").await);
    app.replicated().await;
    assert_eq!(ap.get("/api/users?username=HOST-fold").await.expect(200).at("/user/username"), "host-fold");
    host.let_in(&guest, Role::Viewer).await;
    for owner in ["host-fold", "Host-Fold"] {
        let settings = guest.get(&format!("/api/settings?owner={owner}")).await.expect(200);
        assert_eq!(settings.at("/username"), "host-fold");
    }
}

#[tokio::test]
async fn profile_in_workspace_record_is_read_and_changed() {
    let app = App::start().await;
    let erin = app.user("erin3").await;
    erin.patch("/api/settings", json!({ "bio": "I like long walks." })).await.expect(200);
    let read = async || {
        let paths = ["/api/settings", "/api/account/summary", "/api/users?username=erin3", "/api/activity"];
        futures::future::join_all(paths.map(|path| erin.get(path)))
            .await
            .into_iter()
            .map(|it| it.expect(200).text)
            .collect::<Vec<_>>()
    };
    let before = read().await;
    erin.store_profile_in_workspace().await;
    assert_eq!(read().await, before);
    let patches = [json!({ "company": "Walks" }), json!({ "bio": null }), json!({ "iconLetter": "E" })];
    let patch = async |patch| erin.patch("/api/settings", patch).await.expect(200);
    futures::future::join_all(patches.into_iter().map(patch)).await;
    let settings = erin.get("/api/settings").await.expect(200);
    assert_eq!(settings.at("/company"), "Walks");
    assert_eq!(settings.at("/iconLetter"), "E");
    assert!(settings.at("/bio").is_null());
    assert_eq!(erin.activity().await.len(), 5);
}

#[tokio::test]
async fn summary_shows_what_the_wallet_has_at_that_time() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-cents").await;
    let key = ada.with_api_key("ci").await;
    let shows = async |cents: i64| {
        for caller in [&ada, &key] {
            let summary = caller.get("/api/account/summary").await.expect(200);
            assert_eq!(summary.at("/creditsCents"), cents);
        }
    };
    shows(2_500).await;
    // Cents are rounded down.
    charges(&ada, "small", 15_000).await.expect(200);
    shows(2_498).await;
    let expires = app.now().await.saturating_add(jiff::SignedDuration::from_secs(60)).unwrap();
    let gift = json!({
        "workspace": ada.workspace(), "reference": "gift", "amountMicroUsd": 1_000_000,
        "expiresAt": expires.to_string(), "reason": "For a minute",
    });
    app.as_service(Method::POST, "/internal/wallets/adjustments", gift).await.expect(200);
    shows(2_598).await;
    // Nobody has to post that it expired.
    app.advance(60).await;
    shows(2_498).await;
    charges(&ada, "dear", 30_000_000).await.expect(200);
    shows(-502).await;
}
