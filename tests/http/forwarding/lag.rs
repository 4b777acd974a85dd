//! What works before the directory's replicas know of an account.

use super::*;

async fn replication(app: &App, paused: bool) {
    let answer = app.post("/_local/replication", json!({ "paused": paused })).await.expect(200);
    assert_eq!(answer.at("/paused"), paused);
}

/// Asks until the answer is this.
async fn until(status: u16, ask: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..500 {
        let answer = ask().await;
        if answer.status == status {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{status} did not come");
}

#[tokio::test]
async fn a_new_account_works_at_home_before_any_replica_knows_of_it() {
    let app = App::start().await;
    replication(&app, true).await;
    let eu = app.living_in(Region::Eu);
    let ada = eu.user("ada-e").await;
    for path in ["/api/settings", "/api/settings?owner=ada-e", "/api/users?username=ada-e"] {
        assert!(ada.get(path).await.expect(200).text.contains("ada-e"));
    }
    ada.patch("/api/settings", json!({ "company": "Lamps" })).await.expect(200);
    eu.sign_in(&ada.email, PASSWORD).await.expect(200);
    let ci = ada.with_api_key("ci").await;
    for way in Region::ALL {
        // Tokens and keys name their home themselves.
        for person in [&ada, &ci] {
            let summary = person.by_way_of(way).get("/api/account/summary?owner=ada-e").await.expect(200);
            assert_eq!(summary.at("/username"), "ada-e");
        }
        let refresh = json!({ "refreshToken": ada.refresh });
        eu.by_way_of(way).post("/api/auth/refresh", refresh).await.expect(200);
    }
}

#[tokio::test]
async fn profile_is_found_elsewhere_after_replication() {
    let app = App::start().await;
    replication(&app, true).await;
    let ada = app.living_in(Region::Eu).user("ada-e").await;
    let ap = app.by_way_of(Region::Ap);
    let profile = async || ap.get("/api/users?username=ada-e").await;
    assert_eq!(profile().await.brief(), "404 NOT_FOUND");
    // The authority has no replica that could lag.
    assert_eq!(app.by_way_of(Region::AUTHORITY).get("/api/users?username=ada-e").await.status, 200);
    replication(&app, false).await;
    assert_eq!(until(200, profile).await.at("/user/fullName"), "ADA-E");
    until(200, async || ap.sign_in(&ada.email, PASSWORD).await).await;
}

#[tokio::test]
async fn a_handle_is_taken_everywhere_as_soon_as_it_is_claimed() {
    let app = App::start().await;
    replication(&app, true).await;
    let (eu, ap) = (app.living_in(Region::Eu), app.living_in(Region::Ap));
    eu.user("ada-e").await;
    for way in Region::ALL {
        let check =
            app.by_way_of(way).get("/api/username/check?username=ada-e&suggest=true").await.expect(200);
        assert_eq!(check.body, json!({ "available": false, "username": "ada-e-2" }), "through {way}");
    }
    let late = ap.newcomer("late-a").await;
    let form = json!({ "username": "ada-e", "displayName": "L" });
    assert_eq!(late.post("/api/onboarding", form).await.brief(), "409 USERNAME_TAKEN");
    late.post("/api/onboarding", json!({ "username": "late-a", "displayName": "L" })).await.expect(201);
}
