//! Transfers of teams.

use super::*;

#[tokio::test]
async fn transferred_team_has_the_new_owner_and_the_old_one_as_admin() {
    let app = App::start().await;
    let ada = app.user("ada-transfer").await;
    let team = ada.found_team("team-transfer").await;
    let bob = member(&app, "bob-transfer", team, Role::Viewer).await;
    let form = json!({ "targetUserId": bob.id() });
    let path = transfer_path("team-transfer");
    let done = ada.post_once(&path, form.clone(), "once").await.expect(200);
    assert_eq!(done.body, json!({ "success": true }));
    // The former owner repeats the request.
    assert_eq!(ada.post_once(&path, form.clone(), "once").await.expect(200).body, done.body);
    assert_eq!(ada.post_once(&path, form, "another").await.brief(), "403 FORBIDDEN");
    let stored = stored(&app, team).await;
    assert_eq!(stored.owner, bob.id().to_string());
    assert_eq!((stored.role(&ada), stored.role(&bob)), (Some("admin"), Some("owner")));
    let lines = bob.activity_of("team-transfer").await;
    assert_eq!(lines.iter().filter(|line| *line == "updated team bob-transfer").count(), 1);
    assert_eq!(ada.get("/api/api-keys?owner=team-transfer").await.brief(), "403 FORBIDDEN");
    bob.get("/api/api-keys?owner=team-transfer").await.expect(200);
    leave(&ada, "team-transfer").await.expect(200);
}

#[tokio::test]
async fn transfer_needs_a_recent_sign_in() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-stale").await;
    let team = ada.found_team("team-stale").await;
    let bob = member(&app, "bob-stale", team, Role::Editor).await;
    app.advance(599).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-stale", &ada.email, &tokens);
    app.advance(301).await;
    assert_eq!(transfer(&ada, "team-stale", bob.id()).await.brief(), "403 STEP_UP_REQUIRED");
    ada.step_up().await;
    transfer(&ada, "team-stale", bob.id()).await.expect(200);
}

#[tokio::test]
async fn transfer_to_an_owner_of_five_teams_is_refused() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-sixth").await, app.user("bob-sixth").await);
    let team = ada.found_team("the-sixth").await;
    bob.join(team, Role::Admin).await;
    let mut others = Vec::new();
    for n in 0..5 {
        others.push(bob.found_team(&format!("bobs-team{n}")).await);
    }
    assert_eq!(transfer(&ada, "the-sixth", bob.id()).await.brief(), "403 TEAM_LIMIT_REACHED");
    let stored = stored(&app, team).await;
    assert_eq!((stored.role(&ada), stored.role(&bob)), (Some("owner"), Some("admin")));
    // A team that is given away makes room for another.
    let eve = member(&app, "eve-sixth", others[0], Role::Viewer).await;
    transfer(&bob, "bobs-team0", eve.id()).await.expect(200);
    transfer(&ada, "the-sixth", bob.id()).await.expect(200);
}
