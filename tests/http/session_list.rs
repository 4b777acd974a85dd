//! The list of a user's sessions, and ending them from another device.

use domain::region::Region;
use futures::future::join_all;
use tests::{Answer, App, PASSWORD, Person, Value, json};

/// Another device of somebody's.
async fn sign_in(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

async fn id(device: &Person) -> String {
    device.get("/api/auth/session").await.expect(200).text_at("/sessionId")
}

async fn listed(device: &Person) -> Vec<Value> {
    device.get("/api/auth/sessions").await.expect(200).at("/sessions").as_array().unwrap().clone()
}

async fn end(device: &Person, which: &str) -> Answer {
    device.delete(&format!("/api/auth/sessions/{which}")).await
}

#[tokio::test]
async fn sessions_are_listed_newest_first_and_the_current_one_is_marked() {
    let app = App::start().await;
    let laptop = app.user("ada-list").await;
    app.advance(60).await;
    let phone = sign_in(&laptop).await;
    let expected = [id(&phone).await, id(&laptop).await];
    for (device, current) in [(&phone, 0), (&laptop, 1)] {
        let sessions = listed(device).await;
        let ids: Vec<&Value> = sessions.iter().map(|session| &session["sessionId"]).collect();
        assert_eq!(ids, expected.iter().collect::<Vec<_>>());
        let marked: Vec<bool> = sessions.iter().map(|session| session["current"] == true).collect();
        assert_eq!(marked, [current == 0, current == 1]);
    }
    app.advance(300).await;
    let before = listed(&phone).await;
    app.post("/api/auth/refresh", json!({ "refreshToken": laptop.refresh })).await.expect(200);
    let after = listed(&phone).await;
    assert_eq!(before[0], after[0], "only the other session was refreshed");
    assert_eq!(before[1]["createdAt"], after[1]["createdAt"]);
    assert!(after[1]["lastSeenAt"].as_str() > before[1]["lastSeenAt"].as_str());
    assert!(after[1]["expiresAt"].as_str() > before[1]["expiresAt"].as_str());
}

#[tokio::test]
async fn newcomer_lists_and_ends_sessions_before_onboarding() {
    let app = App::start().await;
    let new = app.newcomer("new-list").await;
    let other = sign_in(&new).await;
    assert_eq!(listed(&new).await.len(), 2);
    end(&new, &id(&other).await).await.expect(200);
    assert_eq!(other.get("/api/auth/session").await.status, 401);
}

#[tokio::test]
async fn ended_session_is_refused_on_the_next_request_in_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let laptop = app.living_in(Region::Eu).user("bob-list").await;
    let phone = sign_in(&laptop).await;
    let lost = id(&phone).await;
    phone.get("/api/settings").await.expect(200);
    let answer = end(&laptop, &lost).await.expect(200);
    assert_eq!((answer.at("/success"), answer.at("/ended")), (&json!(true), &json!(1)));
    for region in Region::ALL {
        let away = phone.app.by_way_of(region);
        let there = Person { app: away.clone(), ..phone.clone() };
        for path in ["/api/settings", "/api/auth/session", "/api/auth/sessions", "/api/account/summary"] {
            assert_eq!(there.get(path).await.status, 401, "{region} {path}");
        }
        let refreshed = away.post("/api/auth/refresh", json!({ "refreshToken": phone.refresh })).await;
        assert_eq!(refreshed.status, 401, "{region}");
    }
    assert_eq!(end(&laptop, &lost).await.brief(), "404 NOT_FOUND", "it has ended");
    assert_eq!(listed(&laptop).await.len(), 1);
    end(&laptop, &id(&laptop).await).await.expect(200);
    assert_eq!(laptop.get("/api/settings").await.status, 401, "the current session ends like any other");
}

#[tokio::test]
async fn ending_the_others_keeps_the_current_session() {
    let app = App::start().await;
    let laptop = app.user("carol-list").await;
    let devices = join_all((0..4).map(|_| sign_in(&laptop))).await;
    let form = json!({ "email": laptop.email, "password": PASSWORD });
    app.post("/api/auth/sign-in?session=cookie", form).await.expect(200);
    assert_eq!(end(&laptop, "others").await.expect(200).at("/ended"), 5);
    for device in &devices {
        assert_eq!(device.get("/api/settings").await.status, 401);
    }
    laptop.get("/api/settings").await.expect(200);
    assert_eq!(listed(&laptop).await.len(), 1);
    assert_eq!(end(&laptop, "others").await.expect(200).at("/ended"), 0);
}

#[tokio::test]
async fn two_devices_that_end_the_others_at_once_leave_at_most_one() {
    let app = App::start().await;
    let laptop = app.user("dora-list").await;
    let phone = sign_in(&laptop).await;
    let (one, other) = tokio::join!(end(&laptop, "others"), end(&phone, "others"));
    for answer in [one, other] {
        assert!([200, 401].contains(&answer.status), "{}", answer.text);
    }
    let left = join_all([&laptop, &phone].map(|device| device.get("/api/auth/session"))).await;
    assert!(left.iter().filter(|answer| answer.status == 200).count() <= 1);
}

#[tokio::test]
async fn only_own_sessions_can_be_ended() {
    let app = App::start().await;
    let erin = app.user("erin-list").await;
    let stranger = app.user("stranger-list").await;
    let (_, key) = erin.make_key("ci").await;
    let foreign = id(&erin).await;
    let malformed = [foreign.to_uppercase(), "ses_".into(), "OTHERS".into(), "%00".into(), "user_1".into()];
    for which in [foreign.clone()].into_iter().chain(malformed) {
        assert_eq!(end(&stranger, &which).await.brief(), "404 NOT_FOUND", "{which}");
    }
    for path in ["/api/auth/sessions", &format!("/api/auth/sessions/{foreign}")] {
        for method in ["GET", "DELETE"] {
            let request = app.request(method.parse().unwrap(), path).bearer_auth(&key);
            assert!([401, 404].contains(&app.send(request).await.status), "{method} {path}");
        }
    }
    erin.get("/api/settings").await.expect(200);
    assert_eq!(listed(&erin).await.len(), 1);
}
