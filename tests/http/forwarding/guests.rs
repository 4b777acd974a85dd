//! Members of a workspace whose own home is another region: theirs vouches for them.

use domain::role::Role;

use super::*;

/// Ada, who lives in `eu`, and Bob, who lives in `ap` and is a member of Ada's workspace.
async fn ada_and_bob(app: &App, role: Role) -> (Person, Person) {
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    let bob = app.living_in(Region::Ap).user("bob-a").await;
    ada.let_in(&bob, role).await;
    (ada, bob)
}

#[tokio::test]
async fn guest_may_do_what_the_role_allows_in_every_region() {
    let app = App::start().await;
    let (ada, bob) = ada_and_bob(&app, Role::Viewer).await;
    for way in Region::ALL {
        let bob = bob.by_way_of(way);
        let settings = bob.get("/api/settings?owner=ada-e").await.expect(200);
        assert_eq!(settings.at("/username"), "ada-e");
        assert!(settings.at("/email").is_null(), "{}", settings.text);
        assert_eq!(bob.get("/api/account/summary?owner=ada-e").await.expect(200).at("/username"), "ada-e");
        assert_eq!(bob.get("/api/activity?owner=ada-e").await.expect(200).at("/total"), 1);
        let patch = json!({ "company": format!("Through {way}") });
        let refused = bob.patch("/api/settings?owner=ada-e", patch.clone()).await;
        assert_eq!(refused.brief(), "403 FORBIDDEN");
        let refused = bob.get("/api/api-keys?owner=ada-e").await;
        assert_eq!(refused.text_at("/error"), "Workspace owner access required");
        let refused = bob.post("/api/api-keys?owner=ada-e", json!({ "name": "mine" })).await;
        assert_eq!(refused.brief(), "403 FORBIDDEN");
    }
    ada.let_in(&bob, Role::Admin).await;
    for way in Region::ALL {
        let patch = json!({ "company": format!("Through {way}") });
        bob.by_way_of(way).patch("/api/settings?owner=ada-e", patch.clone()).await.expect(200);
        assert_eq!(ada.get("/api/settings").await.expect(200).at("/company"), &patch["company"]);
    }
    let history = ada.get("/api/activity").await.expect(200);
    assert_eq!(
        (history.at("/total"), history.at("/events/0/userId")),
        (&json!(4), &json!(bob.id().to_string()))
    );
    assert_eq!(bob.activity().await, ["completed onboarding bob-a"]);
}

#[tokio::test]
async fn non_member_cannot_detect_other_regions_workspace() {
    let app = App::start().await;
    let (ada, bob) = ada_and_bob(&app, Role::Admin).await;
    let mallory = app.living_in(Region::Ap).user("mal-a").await;
    let key = bob.with_api_key("ci").await;
    for way in Region::ALL {
        for (person, handle) in [(&mallory, "mal-a"), (&key, "bob-a")] {
            let person = person.by_way_of(way);
            let ask = async |owner| person.get(&format!("/api/account/summary?owner={owner}")).await;
            let (hidden, missing) = (ask("ada-e").await, ask("nobody").await);
            assert_eq!(hidden.brief(), "404 NOT_FOUND", "{handle} through {way}");
            let unlimited =
                |text: String| text.lines().filter(|line| !line.contains("ratelimit")).collect::<String>();
            assert_eq!(unlimited(wire(&hidden, handle)), unlimited(wire(&missing, handle)));
        }
    }
    ada.put_out(&bob).await;
    for way in Region::ALL {
        assert_eq!(bob.by_way_of(way).get("/api/settings?owner=ada-e").await.brief(), "404 NOT_FOUND");
    }
}

#[tokio::test]
async fn signed_out_guest_is_refused_at_once() {
    let app = App::start().await;
    let (ada, bob) = ada_and_bob(&app, Role::Viewer).await;
    for way in Region::ALL {
        let tokens = app.living_in(Region::Ap).sign_in(&bob.email, PASSWORD).await.expect(200);
        let bob = Person::new(app.by_way_of(way), "bob-a", &bob.email, &tokens);
        bob.get("/api/settings?owner=ada-e").await.expect(200);
        bob.post("/api/auth/sign-out", json!({})).await.expect(200);
        for way in Region::ALL {
            assert_eq!(bob.by_way_of(way).get("/api/settings?owner=ada-e").await.brief(), "401 UNAUTHORIZED");
        }
    }
    bob.get("/api/settings?owner=ada-e").await.expect(200);
    ada.get("/api/settings").await.expect(200);
}

#[tokio::test]
async fn a_guest_is_there_while_both_regions_are() {
    let app = App::start().await;
    let (_, bob) = ada_and_bob(&app, Role::Viewer).await;
    for (down, way) in [(Region::Eu, Region::Ap), (Region::Ap, Region::Eu)] {
        app.faults(json!([{ "service": "dynamodb", "region": down, "kind": "refused", "times": 0 }])).await;
        let refused = bob.by_way_of(way).get("/api/settings?owner=ada-e").await;
        assert_eq!((refused.brief().as_str(), refused.header("retry-after")), ("503 UNAVAILABLE", Some("1")));
        app.no_faults().await;
        bob.by_way_of(way).get("/api/settings?owner=ada-e").await.expect(200);
    }
}
