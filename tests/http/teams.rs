//! Creating and listing teams.
//!
//! Not run in outages: it claims names.

use std::collections::BTreeSet;

use domain::{region::Region, role::Role, team::MOST_OWNED};
use futures::future::join_all;
use tests::{App, Person, Value, json};

use crate::privacy::looked_once;

/// The caller's teams, as the list shows them.
pub async fn teams_of(who: &Person) -> Vec<Value> {
    who.get("/api/teams").await.expect(200).at("/teams").as_array().cloned().unwrap()
}

/// The usernames in a list.
fn usernames(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect()
}

/// Whether anybody could have this username now.
pub async fn is_available(app: &App, handle: &str) -> bool {
    app.replicated().await;
    let check = app.get(&format!("/api/username/check?username={handle}")).await.expect(200);
    check.at("/available").as_bool().unwrap()
}

/// Somebody who owns as many teams as one may: `<handle>-0` and so on.
async fn owner_of_most(app: &App, handle: &str) -> Person {
    let owner = app.user(handle).await;
    for n in 0..MOST_OWNED {
        owner.create_team(&format!("{handle}-{n}")).await;
    }
    owner
}

#[tokio::test]
async fn created_team_is_shown_and_recorded() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-creates").await;
    let form = json!({ "username": "the-lab", "fullName": " The  Lab " });
    let made = ada.post("/api/teams/create", form).await.expect(201);
    let team = json!({
        "userId": made.at("/team/userId"), "username": "the-lab", "fullName": made.at("/team/fullName"),
        "plan": "free", "region": app.home(), "role": "owner",
    });
    assert!(made.text_at("/team/userId").starts_with("ws_"));
    assert_eq!(made.body, json!({ "team": team }));
    assert_eq!(teams_of(&ada).await, [team]);
    assert_eq!(ada.activity_of("the-lab").await, ["created team the-lab"]);
    assert_eq!(ada.activity().await, ["completed onboarding ada-creates"]);
    for handle in ["the-lab", "THE-LAB"] {
        let profile = app.get(&format!("/api/users?username={handle}")).await.expect(200);
        assert_eq!(profile.at("/user/username"), "the-lab");
        assert_eq!(profile.at("/user/accountType"), "team");
    }
    assert!(!is_available(&app, "the-lab").await);
}

#[tokio::test]
async fn owner_works_in_new_team_and_strangers_see_nothing() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, mallory) = (app.user("ada-works").await, app.user("mal-works").await);
    ada.create_team("the-works").await;
    let settings = ada.get("/api/settings?owner=the-works").await.expect(200);
    assert_eq!(settings.at("/accountType"), "team");
    ada.patch("/api/settings?owner=the-works", json!({ "company": "Works Ltd" })).await.expect(200);
    let form = json!({ "slug": "yolo", "name": "Yolo" });
    ada.post("/api/projects?owner=the-works", form).await.expect(201);
    let listed = ada.get("/api/projects?owner=the-works").await.expect(200);
    assert!(listed.text.contains("yolo"), "{}", listed.text);
    assert!(!ada.get("/api/projects").await.expect(200).text.contains("yolo"));
    let key =
        ada.post("/api/api-keys?owner=the-works", json!({ "name": "ci" })).await.expect(201).text_at("/key");
    let summary = Person { token: key, ..ada.clone() }.get("/api/account/summary").await.expect(200);
    assert_eq!(summary.at("/username"), "the-works");
    assert_eq!((summary.at("/accountType"), summary.at("/creditsCents")), (&json!("team"), &json!(0)));
    assert_eq!((summary.at("/counts/projects"), summary.at("/teams")), (&json!(1), &json!([])));
    for path in ["settings", "projects", "api-keys", "activity"] {
        let hidden = mallory.get(&format!("/api/{path}?owner=the-works")).await;
        assert_eq!(hidden.brief(), "404 NOT_FOUND", "{path}");
    }
    assert_eq!(teams_of(&mallory).await, Vec::<Value>::new());
}

#[tokio::test]
async fn team_lives_in_the_region_of_its_owner() {
    tests::needs_every_region!();
    let app = App::start().await;
    for home in Region::ALL {
        let owner = app.living_in(home).user(&format!("owner-{home}")).await;
        for (n, way) in Region::ALL.into_iter().enumerate() {
            let owner = owner.by_way_of(way);
            let made = owner.ask_for_team(&format!("team-{home}-{n}")).await.expect(201);
            assert_eq!(made.at("/team/region"), home.as_str());
            assert_eq!(teams_of(&owner).await.len(), n + 1);
        }
    }
}

#[tokio::test]
async fn repeated_request_answers_with_the_same_team() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-repeats").await;
    let create = async |handle: &str| {
        let form = json!({ "username": handle, "fullName": "Again" });
        ada.post_once("/api/teams/create", form, "the-key").await
    };
    let first = create("the-repeated").await.expect(201);
    let second = create("the-repeated").await.expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(teams_of(&ada).await.len(), 1);
    assert_eq!(ada.activity_of("the-repeated").await.len(), 1);
    assert_eq!(create("another-team").await.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    // Without a key, the username is taken: by the caller's own team.
    assert_eq!(ada.ask_for_team("the-repeated").await.brief(), "409 USERNAME_TAKEN");
    ada.ask_to_delete_team("the-repeated").await.expect(202);
    assert_eq!(create("the-repeated").await.brief(), "404 NOT_FOUND");
}

#[tokio::test]
async fn failed_request_does_not_keep_the_handle_from_its_sender() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    // The id of the team changes every hour: the first retry is in another hour.
    let hour = 3_600;
    app.advance(2 * hour - app.now().await.as_second().rem_euclid(hour) - 30).await;
    let (ada, bob) = (app.user("ada-fails").await, app.user("bob-fails").await);
    for n in 0..2 {
        let handle = format!("the-failed-{n}");
        let fault = json!({
            "service": "dynamodb", "operation": "TransactWriteItems", "function": "teams-create",
            "kind": "refused", "times": 0, "nth": 2,
        });
        app.faults(json!([fault])).await;
        assert_eq!(ada.ask_for_team(&handle).await.status, 503);
        app.no_faults().await;
        app.advance(60).await;
        assert_eq!(bob.ask_for_team(&handle).await.brief(), "409 USERNAME_TAKEN");
        ada.ask_for_team(&handle).await.expect(201);
    }
    assert_eq!(teams_of(&ada).await.len(), 2);
}

#[tokio::test]
async fn taken_and_invalid_handles_and_unknown_fields_are_refused() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-takes").await;
    app.user("bob-takes").await;
    app.living_in(Region::ALL.into_iter().find(|region| *region != app.home()).unwrap())
        .user("una-takes")
        .await;
    ada.create_team("the-taken").await;
    for taken in ["the-taken", "ada-takes", "bob-takes", "una-takes"] {
        assert_eq!(ada.ask_for_team(taken).await.brief(), "409 USERNAME_TAKEN", "{taken}");
    }
    for bad in ["The-Lab", "lab", "-the-lab", "the--lab", "settings", "thé-lab"] {
        let refused = ada.ask_for_team(bad).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{bad}");
        assert_eq!(refused.complaints(), "username INVALID", "{bad}");
    }
    for form in [
        json!({ "username": "the-lab" }),
        json!({ "fullName": "The Lab" }),
        json!({ "username": "the-lab", "fullName": "" }),
        json!({ "username": "the-lab", "fullName": "\u{202e}x" }),
        json!({ "username": "the-lab", "fullName": "The Lab", "plan": "pro" }),
    ] {
        let refused = ada.post("/api/teams/create", form.clone()).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{form}");
    }
    assert_eq!(usernames(&json!(teams_of(&ada).await)), ["the-taken"]);
    assert!(is_available(&app, "the-lab").await);
}

#[tokio::test]
async fn sixth_team_is_refused_and_deleting_one_makes_room() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = owner_of_most(&app, "ada-most").await;
    assert_eq!(ada.ask_for_team("one-too-many").await.brief(), "403 TEAM_LIMIT_REACHED");
    assert!(is_available(&app, "one-too-many").await, "a refused team reserves no username");
    // Teams in which the user is only a member do not count.
    let bob = app.user("bob-most").await;
    let of_bob = bob.found_team("of-bob-most").await;
    ada.join(of_bob, Role::Admin).await;
    assert_eq!(teams_of(&ada).await.len(), MOST_OWNED + 1);
    ada.ask_to_delete_team("ada-most-2").await.expect(202);
    // Its own username stays reserved.
    assert_eq!(ada.ask_for_team("ada-most-2").await.brief(), "409 USERNAME_TAKEN");
    ada.create_team("one-too-many").await;
    assert_eq!(ada.ask_for_team("and-one-more").await.brief(), "403 TEAM_LIMIT_REACHED");
    looked_once(&ada).await;
    assert_eq!(ada.ask_for_team("ada-most-2").await.brief(), "403 TEAM_LIMIT_REACHED");
    let mut left = usernames(&json!(teams_of(&ada).await));
    left.sort();
    assert_eq!(left, ["ada-most-0", "ada-most-1", "ada-most-3", "ada-most-4", "of-bob-most", "one-too-many"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_created_at_once_never_exceed_the_limit() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-at-once").await;
    let handles: Vec<String> = (0..=MOST_OWNED).map(|n| format!("at-once-{n}")).collect();
    let answers = join_all(handles.iter().map(|handle| ada.ask_for_team(handle))).await;
    let allowed = ["201", "403 TEAM_LIMIT_REACHED", "503 UNAVAILABLE"];
    assert!(answers.iter().all(|answer| allowed.contains(&answer.brief().as_str())), "{answers:?}");
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert!((1..=MOST_OWNED).contains(&created), "{created}");
    for (handle, _) in handles.iter().zip(&answers).filter(|(_, answer)| answer.status == 403) {
        assert!(is_available(&app, handle).await, "{handle}");
    }
    // Those that gave way succeed now, up to the limit.
    for handle in &handles {
        ada.ask_for_team(handle).await;
    }
    let all: BTreeSet<String> = usernames(&json!(teams_of(&ada).await)).into_iter().collect();
    assert_eq!(all.len(), MOST_OWNED);
}

#[tokio::test]
async fn team_without_a_plan_is_open_to_its_owner_only() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-unpaid").await, app.user("bob-unpaid").await);
    let team = ada.create_team("the-unpaid").await;
    bob.join(team, Role::Admin).await;
    let dataset = json!({ "slug": "a-dataset", "name": "A dataset" });
    for _ in 0..2 {
        for path in ["settings", "datasets", "activity", "account/summary"] {
            let refused = bob.get(&format!("/api/{path}?owner=the-unpaid")).await;
            assert_eq!(refused.brief(), "403 TEAM_INACTIVE", "{path}");
        }
        let refused = bob.post("/api/datasets?owner=the-unpaid", dataset.clone()).await;
        assert_eq!(refused.brief(), "403 TEAM_INACTIVE");
        let [of_bob, of_ada] = [teams_of(&bob).await, teams_of(&ada).await];
        assert_eq!(
            (&of_bob[0]["deniedReason"], &of_bob[0]["role"]),
            (&json!("planInactive"), &json!("admin"))
        );
        assert!(of_ada[0].get("deniedReason").is_none(), "{of_ada:?}");
        ada.get("/api/settings?owner=the-unpaid").await.expect(200);
        ada.pays(team).await;
        bob.get("/api/settings?owner=the-unpaid").await.expect(200);
        let open = teams_of(&bob).await;
        assert!(open[0].get("deniedReason").is_none(), "{open:?}");
        assert_eq!(open[0]["plan"], "pro");
        ada.stops_paying(team).await;
    }
}

#[tokio::test]
async fn session_and_summary_list_the_teams() {
    tests::needs_every_region!();
    let app = App::start().await;
    let (ada, bob) = (app.user("middle-ada").await, app.user("bob-lists").await);
    // In the order of usernames, not of creation; the owner's own name is between them.
    ada.create_team("the-zoo").await;
    let shared = bob.found_team("an-ark").await;
    ada.join(shared, Role::Editor).await;
    // A personal workspace of somebody else is no team.
    bob.let_in(&ada, Role::Viewer).await;
    let listed = json!(teams_of(&ada).await);
    assert_eq!(usernames(&listed), ["an-ark", "the-zoo"]);
    assert_eq!((&listed[0]["role"], &listed[1]["role"]), (&json!("editor"), &json!("owner")));
    let session = ada.get("/api/auth/session").await.expect(200);
    assert_eq!(usernames(session.at("/workspaces")), ["middle-ada", "an-ark", "the-zoo"]);
    let ark = json!({
        "username": "an-ark", "accountType": "team", "region": app.home(), "plan": "pro", "role": "editor",
    });
    assert_eq!(session.at("/workspaces/1"), &ark);
    for owner in ["middle-ada", "an-ark", "the-zoo", "bob-lists"] {
        let summary = ada.get(&format!("/api/account/summary?owner={owner}")).await.expect(200);
        assert_eq!((summary.at("/username"), summary.at("/teams")), (&json!(owner), &listed));
    }
    assert_eq!(ada.get("/api/account/summary").await.expect(200).at("/teams"), &listed);
    let key = ada.with_api_key("ci").await;
    assert_eq!(key.get("/api/account/summary").await.expect(200).at("/teams"), &json!([]));
    assert_eq!(key.get("/api/teams").await.brief(), "401 UNAUTHORIZED");
    ada.leave(shared).await;
    assert_eq!(usernames(&json!(teams_of(&ada).await)), ["the-zoo"]);
}

#[tokio::test]
async fn newcomer_creates_no_team_and_has_none() {
    tests::needs_every_region!();
    let app = App::start().await;
    let newcomer = app.newcomer("new-to-teams").await;
    assert_eq!(newcomer.ask_for_team("too-early").await.brief(), "403 ONBOARDING_REQUIRED");
    assert!(is_available(&app, "too-early").await);
    assert_eq!(teams_of(&newcomer).await, Vec::<Value>::new());
    let session = newcomer.get("/api/auth/session").await.expect(200);
    assert_eq!(session.at("/workspaces"), &json!([]));
}

#[tokio::test]
async fn owner_deletes_the_teams_before_the_account() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-leaves").await;
    for handle in ["first-of-ada", "second-of-ada"] {
        ada.create_team(handle).await;
    }
    for handle in ["first-of-ada", "second-of-ada"] {
        assert_eq!(ada.ask_to_be_deleted().await.brief(), "409 OWNS_TEAMS");
        ada.ask_to_delete_team(handle).await.expect(202);
        looked_once(&ada).await;
    }
    assert_eq!(teams_of(&ada).await, Vec::<Value>::new());
    ada.ask_to_be_deleted().await.expect(202);
    assert_eq!(ada.ask_for_team("third-of-ada").await.brief(), "401 UNAUTHORIZED");
}

#[tokio::test]
async fn creations_of_a_user_are_limited_by_day() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-founds-all-day").await;
    // A refused name counts, too: the limit is checked before the name.
    for _ in 0..50 {
        assert_eq!(ada.ask_for_team(&ada.handle).await.brief(), "409 USERNAME_TAKEN");
    }
    let refused = ada.ask_for_team("a-free-name-today").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    app.user("bob-founds-today").await.create_team("a-free-name-today").await;
    app.advance(wait).await;
    let tokens = app.sign_in(&ada.email, tests::PASSWORD).await.expect(200);
    let ada = Person::new(app.clone(), &ada.handle, &ada.email, &tokens);
    ada.create_team("a-name-tomorrow").await;
}
