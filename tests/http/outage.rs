//! While a region is down, and with it the directory's authority, the others go on. The whole suite also runs in such an outage
//! (`tests/run`); these tests show which requests can't work then, and that their answers say so.
//!
//! Not run in outages: it chooses its regions.

use domain::region::Region;
use tests::{Answer, App, PASSWORD, Person, json, outage};

/// It says that it can't be had right now, and when to come back.
fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{}", answer.text);
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
}

/// A day of somebody's: everything but claiming names.
async fn lives_on(who: &Person, other: &Person) {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    let who = Person::new(who.app.clone(), &who.handle, &who.email, &tokens);
    who.post("/api/auth/step-up", json!({ "password": PASSWORD })).await.expect(200);
    who.patch("/api/settings", json!({ "company": "Still here" })).await.expect(200);
    let (id, _) = who.make_key("in an outage").await;
    let key = who.with_api_key("another").await;
    assert_eq!(
        who.get("/api/api-keys?expand=value").await.expect(200).at("/keys").as_array().unwrap().len(),
        2
    );
    // Through the endpoint of another region that is up, too.
    for way in [who.app.home(), other.app.home()] {
        key.by_way_of(way).get("/api/account/summary").await.expect(200);
        who.by_way_of(way).get("/api/settings").await.expect(200);
        let profile = who.app.by_way_of(way).get(&format!("/api/users?username={}", who.handle)).await;
        assert_eq!(profile.expect(200).at("/user/company"), "Still here");
        who.app.by_way_of(way).sign_in(&who.email, PASSWORD).await.expect(200);
    }
    assert_eq!(who.get(&format!("/api/settings?owner={}", other.handle)).await.brief(), "404 NOT_FOUND");
    who.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    who.post("/api/activity/mark-seen", json!({ "all": true })).await.expect(200);
    assert_eq!(who.activity().await[0], "deleted api_key in an outage");
    let next = who.app.post("/api/auth/refresh", json!({ "refreshToken": who.refresh })).await.expect(200);
    let who = Person::new(who.app.clone(), &who.handle, &who.email, &next);
    who.post("/api/auth/sign-out", json!({})).await.expect(200);
}

#[tokio::test]
async fn authority_outage_leaves_other_regions_working() {
    let app = App::start().await.living_in(Region::Us);
    let (eu, ap) = (app.living_in(Region::Eu), app.living_in(Region::Ap));
    let (una, ewa, anh) = (app.user("una-o").await, eu.user("ewa-o").await, ap.user("anh-o").await);
    let newcomer = eu.newcomer("new-o").await;
    eu.sign_up("waiting@people.example").await.expect(202);
    let code = eu.code("waiting@people.example").await;
    app.faults(json!(outage(Region::Us))).await;
    lives_on(&ewa, &anh).await;
    lives_on(&anh, &ewa).await;
    // Names can't be claimed through any endpoint,
    let onboard = json!({ "username": "new-o", "displayName": "N" });
    let verify = json!({ "email": "waiting@people.example", "code": code, "password": PASSWORD });
    for way in [Region::Eu, Region::Ap] {
        is_unavailable(&newcomer.by_way_of(way).post("/api/onboarding", onboard.clone()).await);
        is_unavailable(&eu.by_way_of(way).post("/api/auth/verify", verify.clone()).await);
        is_unavailable(&eu.by_way_of(way).get("/api/username/check?username=is-it-free").await);
    }
    // nor can the accounts of the region that is down be used.
    for way in Region::ALL {
        let una = una.by_way_of(way);
        is_unavailable(&una.get("/api/settings").await);
        is_unavailable(&una.app.sign_in(&una.email, PASSWORD).await);
        is_unavailable(&una.app.post("/api/auth/refresh", json!({ "refreshToken": una.refresh })).await);
        is_unavailable(&una.app.get("/api/users?username=una-o").await);
        is_unavailable(&una.app.sign_up("more@people.example").await);
    }
    // A name that another has is known from the replica.
    let taken = ap.get("/api/username/check?username=ewa-o").await.expect(200);
    assert_eq!(taken.at("/available"), false);
    app.no_faults().await;
    newcomer.post("/api/onboarding", onboard).await.expect(201);
    eu.post("/api/auth/verify", verify).await.expect(200);
    una.get("/api/settings").await.expect(200);
}
