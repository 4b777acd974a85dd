//! The profile and what others see of it.

use insta::assert_snapshot;
use tests::{App, json};

#[tokio::test]
async fn a_patch_changes_what_it_names_and_tells_the_history_once() {
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
