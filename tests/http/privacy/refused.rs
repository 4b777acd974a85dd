//! Deletion needs confirmation and the right caller.

use domain::{role::Role, session};
use tests::{App, PASSWORD, Person, json};

use super::{SECOND_LOOK, everything::Everything, forgotten, looked_once};

async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

#[tokio::test]
async fn nothing_is_deleted_without_the_word() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada70").await;
    for form in [
        json!({ "action": "delete" }),
        json!({ "action": "delete", "confirmationWord": "" }),
        json!({ "action": "delete", "confirmationWord": "delete" }),
        json!({ "action": "delete", "confirmationWord": "DELETE " }),
        json!({ "action": "delete", "confirmationWord": ["DELETE"] }),
        json!({ "action": "delete", "confirmationWord": null }),
        json!({ "action": "Delete", "confirmationWord": "DELETE" }),
        json!({ "action": "delete", "confirmationWord": "DELETE", "force": true }),
        json!({ "action": "export", "confirmationWord": "DELETE" }),
        json!({ "confirmationWord": "DELETE" }),
    ] {
        assert_eq!(ada.post("/api/gdpr", form.clone()).await.status, 400, "{form}");
    }
    let key = ada.with_api_key("ci").await;
    assert_eq!(key.ask_to_be_deleted().await.brief(), "401 UNAUTHORIZED");
    ada.get("/api/settings").await.expect(200);
    assert!(ada.jobs().await.is_empty());
}

#[tokio::test]
async fn deletion_needs_a_recent_sign_in() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada71").await;
    ada.found_team("team71").await;
    let limit = session::STEP_UP.as_secs();
    app.advance(limit / 2).await;
    let refreshed = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &refreshed);
    app.advance(limit - limit / 2).await;
    for refused in [ada.ask_to_be_deleted().await, ada.ask_to_delete_team("team71").await] {
        assert_eq!(refused.brief(), "403 STEP_UP_REQUIRED");
    }
    ada.ask_for_export("zip").await.expect(202);
    ada.post("/api/auth/step-up", json!({ "password": PASSWORD })).await.expect(200);
    ada.ask_to_delete_team("team71").await.expect(202);
    looked_once(&ada).await;
    ada.ask_to_be_deleted().await.expect(202);
}

#[tokio::test]
async fn team_owner_must_delete_the_team_first() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada72").await;
    ada.found_team("team72").await;
    let member = app.user("bob72").await;
    ada.join(member.workspace(), Role::Admin).await;
    assert_eq!(ada.ask_to_be_deleted().await.brief(), "409 OWNS_TEAMS");
    ada.get("/api/settings").await.expect(200);
    ada.ask_to_delete_team("team72").await.expect(202);
    looked_once(&ada).await;
    // Being a member elsewhere is no reason.
    ada.ask_to_be_deleted().await.expect(202);
    assert_eq!(ada.get("/api/settings").await.status, 401);
}

#[tokio::test]
async fn only_owner_deletes_a_team_without_other_members() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let (ada, bob, mallory) = (app.user("ada73").await, app.user("bob73").await, app.user("mallory73").await);
    let team = ada.found_team("team73").await;
    let form = json!({ "slug": "shared", "name": "Shared" });
    let dataset = ada.post("/api/datasets?owner=team73", form).await.expect(201).text_at("/_id");
    let hidden = mallory.ask_to_delete_team("team73").await.expect(404);
    for missing in ["nobody73", "bob73", "NOT A HANDLE"] {
        let missing = mallory.ask_to_delete_team(missing).await.expect(404);
        assert_eq!(hidden.at("/detail"), missing.at("/detail"));
    }
    // Nor is a personal workspace a team, not even the caller's own.
    assert_eq!(ada.ask_to_delete_team("ada73").await.status, 404);
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        bob.join(team, role).await;
        assert_eq!(bob.ask_to_delete_team("team73").await.brief(), "403 FORBIDDEN", "{role:?}");
        assert_eq!(ada.ask_to_delete_team("team73").await.brief(), "409 TEAM_HAS_MEMBERS");
    }
    bob.leave(team).await;
    let own = ada.make(domain::resource::Kind::Dataset, "own").await;
    let job = ada.ask_to_delete_team("team73").await.expect(202).text_at("/jobId");
    assert_eq!(ada.get("/api/datasets?owner=team73").await.status, 404);
    looked_once(&ada).await;
    app.advance(SECOND_LOOK).await;
    let ada = again(&ada).await;
    ada.done(&job).await;
    let left = Everything::of(&app).await.name(&[dataset, team.to_string()]);
    // What the deletion was is known for a while, for who asked for it.
    assert!(left.iter().all(|item| item.contains("JOBS#")), "{left:?}");
    app.mail_of_kind(&ada.email, "team-deleted").await;
    ada.get(&tests::path_of(&own)).await.expect(200);
    ada.get("/api/settings").await.expect(200);
    let check = app.get("/api/username/check?username=team73").await.expect(200);
    assert_eq!(check.at("/available"), false);
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    app.advance(SECOND_LOOK).await;
    forgotten(&ada).await;
}
