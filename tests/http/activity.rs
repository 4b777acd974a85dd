//! The history and its inbox.

use tests::{Answer, App, Person, json};

async fn with_keys(app: &App, handle: &str, count: usize) -> Person {
    let person = app.user(handle).await;
    for n in 0..count {
        person.make_key(&format!("key {n}")).await;
    }
    person
}

fn names(page: &Answer) -> Vec<String> {
    let events = page.at("/events").as_array().unwrap();
    events.iter().map(|event| event["resourceName"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_history_is_paged_by_cursor_and_by_number() {
    let app = App::start().await;
    let ada = with_keys(&app, "ada5", 6).await;
    let first = ada.get("/api/activity?limit=3").await.expect(200);
    assert_eq!(names(&first), ["key 5", "key 4", "key 3"]);
    assert_eq!((first.at("/total"), first.at("/unseenCount")), (&json!(7), &json!(7)));
    let next =
        ada.get(&format!("/api/activity?limit=3&cursor={}", first.text_at("/nextCursor"))).await.expect(200);
    assert_eq!(names(&next), ["key 2", "key 1", "key 0"]);
    let third = ada.get("/api/activity?limit=3&page=3").await.expect(200);
    assert_eq!(names(&third), ["ada5"]);
    assert!(third.at("/nextCursor").is_null());
    let event = first.at("/events/0");
    assert_eq!(event["userEmail"], "ada5@people.example");
    assert_eq!(event["userName"], "ADA5");
    assert_eq!((&event["seen"], &event["archived"]), (&json!(false), &json!(false)));
    for bad in ["cursor=AAAA", "page=0", "page=x", "limit=101", "from=yesterday", "archived=maybe", "x=1"] {
        let answer = ada.get(&format!("/api/activity?{bad}")).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
}

#[tokio::test]
async fn some_or_all_are_seen_and_archived_and_come_back() {
    let app = App::start().await;
    let bob = with_keys(&app, "bob5", 3).await;
    let page = bob.get("/api/activity").await.expect(200);
    let (newest, second) = (page.text_at("/events/0/_id"), page.text_at("/events/1/_id"));
    bob.post("/api/activity/mark-seen", json!({ "eventIds": [newest] })).await.expect(200);
    assert_eq!(bob.get("/api/activity").await.expect(200).at("/unseenCount"), 3);
    bob.post("/api/activity/archive", json!({ "eventIds": [second] })).await.expect(200);
    assert_eq!(names(&bob.get("/api/activity").await.expect(200)), ["key 2", "key 0", "bob5"]);
    assert_eq!(names(&bob.get("/api/activity?archived=true").await.expect(200)), ["key 1"]);
    app.advance(1).await;
    bob.post("/api/activity/archive", json!({ "all": true })).await.expect(200);
    assert!(names(&bob.get("/api/activity").await.expect(200)).is_empty());
    app.advance(1).await;
    bob.post("/api/activity/archive", json!({ "eventIds": [second], "archive": false })).await.expect(200);
    assert_eq!(names(&bob.get("/api/activity").await.expect(200)), ["key 1"]);
    bob.make_key("later").await;
    assert_eq!(names(&bob.get("/api/activity").await.expect(200)), ["later", "key 1"]);
    bob.post("/api/activity/mark-seen", json!({ "all": true })).await.expect(200);
    assert_eq!(bob.get("/api/activity").await.expect(200).at("/unseenCount"), 0);
    app.advance(1).await;
    bob.post("/api/activity/archive", json!({ "all": true, "archive": false })).await.expect(200);
    assert_eq!(bob.get("/api/activity").await.expect(200).at("/total"), 5);
}

#[tokio::test]
async fn marking_names_some_or_all_and_never_both_or_neither() {
    let app = App::start().await;
    let carol = app.user("carol5").await;
    let id = carol.get("/api/activity").await.expect(200).text_at("/events/0/_id");
    for path in ["/api/activity/mark-seen", "/api/activity/archive"] {
        for bad in [
            json!({}),
            json!({ "all": false }),
            json!({ "all": true, "eventIds": [id] }),
            json!({ "eventIds": ["x"] }),
        ] {
            assert_eq!(carol.post(path, bad).await.brief(), "400 VALIDATION_ERROR");
        }
        let many: Vec<String> = (0..1_001_u128).map(|n| format!("evt_{}", ulid(n))).collect();
        assert_eq!(carol.post(path, json!({ "eventIds": many })).await.brief(), "400 VALIDATION_ERROR");
        carol.post(path, json!({ "eventIds": &many[..1_000] })).await.expect(200);
        carol.post(path, json!({ "eventIds": [] })).await.expect(200);
    }
    assert_eq!(carol.get("/api/activity").await.expect(200).at("/unseenCount"), 1);
}

fn ulid(n: u128) -> String {
    ulid::Ulid::from_parts(1, n).to_string().to_ascii_lowercase()
}

#[tokio::test]
async fn nobody_marks_or_sees_events_of_others() {
    let app = App::start().await;
    let (dave, mallory) = (app.user("dave5").await, app.user("mallory5").await);
    let id = dave.get("/api/activity").await.expect(200).text_at("/events/0/_id");
    mallory.post("/api/activity/mark-seen", json!({ "eventIds": [id] })).await.expect(200);
    mallory.post("/api/activity/archive", json!({ "eventIds": [id] })).await.expect(200);
    let page = dave.get("/api/activity").await.expect(200);
    assert_eq!((page.at("/total"), page.at("/unseenCount")), (&json!(1), &json!(1)));
    assert_eq!(mallory.get("/api/activity?owner=dave5").await.brief(), "404 NOT_FOUND");
}

#[tokio::test]
async fn search_and_dates_narrow_the_list_and_the_last_thirty_days_are_the_default() {
    let app = App::start().await;
    let erin = with_keys(&app, "erin5", 2).await;
    assert_eq!(names(&erin.get("/api/activity?search=KEY%201").await.expect(200)), ["key 1"]);
    assert_eq!(names(&erin.get("/api/activity?search=onboard").await.expect(200)), ["erin5"]);
    assert_eq!(names(&erin.get("/api/activity?search=zzz").await.expect(200)), Vec::<String>::new());
    app.advance(31 * 86_400).await;
    let tokens = app.sign_in(&erin.email, tests::PASSWORD).await.expect(200);
    let erin = Person::new(app.clone(), "erin5", &erin.email, &tokens);
    assert!(names(&erin.get("/api/activity").await.expect(200)).is_empty());
    let all = erin.get("/api/activity?from=2020-01-01T00:00:00Z").await.expect(200);
    assert_eq!(all.at("/total"), 3);
    let none =
        erin.get("/api/activity?start=2020-01-01T00:00:00Z&end=2020-02-01T00:00:00Z").await.expect(200);
    assert_eq!(none.at("/total"), 0);
}
