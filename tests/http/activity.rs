//! The history and its inbox.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, COUNTED, ResourceType},
    id::EventId,
};
use tests::{Answer, App, Person, Value, json};

use crate::many;

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
        for bad in [json!({}), json!({ "all": false }), json!({ "all": true, "eventIds": [id] })] {
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
async fn list_is_filtered_by_search_and_dates() {
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
    let ever = erin.get("/api/activity?from=2020-01-01&to=9999-12-31T23:59:59Z").await.expect(200);
    assert_eq!(ever.at("/total"), 3);
    let none =
        erin.get("/api/activity?start=2020-01-01T00:00:00Z&end=2020-02-01T00:00:00Z").await.expect(200);
    assert_eq!(none.at("/total"), 0);
}

/// Gives somebody so many more events, of the last hours and a second apart. Their ids, the newest first.
async fn remember(who: &Person, count: usize) -> Vec<String> {
    let (now, actor) = (who.app.now().await.as_second(), Actor { user: who.id(), key: None });
    let ids = (0..count).map(|n| EventId::floor(Timestamp::from_second(now - 60 - n as i64).unwrap()));
    let ids: Vec<EventId> = ids.collect();
    let event = |id: &EventId| {
        let event =
            ActivityEvent::new(*id, who.workspace(), actor, Action::Completed, ResourceType::Training);
        event.about("run", format!("run {id}"))
    };
    many::remember(&who.app, ids.iter().map(event)).await;
    ids.iter().map(ToString::to_string).collect()
}

/// All events of the inbox or the archive, page by page, and what each page counts as unseen.
async fn all_pages(who: &Person, archived: bool) -> (Vec<Value>, Vec<usize>) {
    let (mut events, mut counts, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/api/activity?limit=100&archived={archived}{cursor}");
        let page = who.get(&path).await.expect(200);
        events.extend(page.at("/events").as_array().unwrap().clone());
        counts.push(page.at("/unseenCount").as_u64().unwrap() as usize);
        let Some(next) = page.at("/nextCursor").as_str() else { return (events, counts) };
        cursor = format!("&cursor={next}");
    }
}

/// The counts of unseen events equal what the inbox lists; how many it lists.
async fn check_counts(who: &Person, what: &str) -> usize {
    let (inbox, mut counts) = all_pages(who, false).await;
    counts.extend(all_pages(who, true).await.1);
    let unseen = inbox.iter().filter(|event| event["seen"] == false).count();
    assert!(counts.iter().all(|count| *count == unseen.min(COUNTED)), "{what}: {counts:?} of {unseen}");
    let total = who.get("/api/activity").await.expect(200).at("/total").as_u64().unwrap() as usize;
    assert!(
        total == inbox.len() || (COUNTED..inbox.len()).contains(&total),
        "{what}: {total} of {}",
        inbox.len()
    );
    unseen
}

async fn archive(who: &Person, events: &[String], archive: bool) {
    let form = json!({ "eventIds": events, "archive": archive });
    who.post("/api/activity/archive", form).await.expect(200);
}

#[tokio::test]
async fn unseen_events_older_than_a_hundred_archived_ones_are_counted() {
    let app = App::start().await;
    let ada = app.user("ada-counts").await;
    let events = remember(&ada, 130).await;
    assert_eq!(check_counts(&ada, "131 events").await, 131);
    let page = ada.get("/api/activity?limit=100").await.expect(200);
    let newest = page.at("/events").as_array().unwrap();
    let newest: Vec<String> = newest.iter().map(|event| event["_id"].as_str().unwrap().to_owned()).collect();
    archive(&ada, &newest, true).await;
    assert_eq!(check_counts(&ada, "100 archived").await, 31);
    ada.post("/api/activity/mark-seen", json!({ "eventIds": &events[120..] })).await.expect(200);
    assert_eq!(check_counts(&ada, "10 of the oldest seen").await, 21);
}

#[tokio::test]
async fn counts_equal_the_lists_after_any_marks() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-marks").await;
    let events = remember(&ada, 259).await;
    let some = |from: usize, to: usize| json!({ "eventIds": &events[from..to] });
    let all = |archive: bool| json!({ "all": true, "archive": archive });
    let archive = |from, to, archive| json!({ "eventIds": &events[from..to], "archive": archive });
    let said = [
        ("archive", archive(0, 110, true)),
        ("mark-seen", some(150, 259)),
        ("archive", archive(20, 30, false)),
        ("archive", all(true)),
        ("archive", archive(100, 259, false)),
        ("mark-seen", some(0, 40)),
        ("archive", all(false)),
        ("archive", archive(0, 130, true)),
        ("mark-seen", json!({ "all": true })),
        ("archive", archive(60, 61, false)),
    ];
    let mut unseen = vec![check_counts(&ada, "all new").await];
    for (nth, (path, form)) in said.into_iter().enumerate() {
        app.advance(1).await;
        ada.post(&format!("/api/activity/{path}"), form).await.expect(200);
        unseen.push(check_counts(&ada, &format!("after {nth}")).await);
    }
    assert_eq!(unseen, [260, 150, 41, 51, 0, 50, 50, 111, 21, 0, 0]);
    app.advance(1).await;
    ada.make_key("later").await;
    assert_eq!(check_counts(&ada, "one more").await, 1);
}

#[tokio::test]
async fn a_request_looks_at_a_thousand_events_at_most() {
    let app = App::start().await;
    let ada = app.user("ada-bounds").await;
    let events = remember(&ada, 1_150).await;
    for some in events[..1_000].chunks(500) {
        archive(&ada, some, true).await;
    }
    let since = app.last_call().await;
    let page = ada.get("/api/activity?limit=100").await.expect(200);
    let queries = app.calls_of("activity-list", since).await;
    let queries = queries.iter().filter(|call| call["operation"] == "Query").count();
    // Ten of events and ten of marks.
    assert!((20..=21).contains(&queries), "{queries}");
    // The newest thousand and one have one that is not in the archive: the event of the onboarding.
    assert_eq!((page.at("/unseenCount"), page.at("/total")), (&json!(1), &json!(1)));
    let next = format!("/api/activity?limit=100&cursor={}", page.text_at("/nextCursor"));
    let next = ada.get(&next).await.expect(200);
    assert_eq!(next.at("/events").as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn date_alone_means_its_whole_day_in_utc() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-03-01T23:59:59.5Z".parse().unwrap()).await;
    let gina = with_keys(&app, "gina5", 1).await;
    let total = async |query: &str| {
        gina.get(&format!("/api/activity?{query}")).await.expect(200).at("/total").clone()
    };
    for (query, count) in [
        ("from=2027-03-01", 2),
        ("to=2027-03-01", 2),
        ("from=2027-03-01&to=2027-03-01", 2),
        ("start=2027-03-01&end=2027-03-01", 2),
        ("from=2027-03-02", 0),
        ("to=2027-02-28", 0),
        ("from=2027-03-01T23:59:59.500Z&to=2027-03-01T23:59:59.500Z", 2),
        ("from=0001-01-01&to=9999-12-31", 2),
        ("to=9999-12-31T23:59:59Z", 2),
    ] {
        assert_eq!(total(query).await, count, "{query}");
    }
    for (query, complaints) in [
        ("from=2027-03-32", "from INVALID"),
        ("end=2027-02-29", "end INVALID"),
        ("to=10000-01-01", "to INVALID"),
        ("from=2027-03-02&to=2027-03-01", "from INVALID"),
        ("from=2027-03-01&start=2027-03-01", "start INVALID"),
        ("to=2027-03-01&end=2027-03-01", "end INVALID"),
        ("from=2027-03-01&from=2027-03-01", "from INVALID"),
    ] {
        assert_eq!(gina.get(&format!("/api/activity?{query}")).await.complaints(), complaints, "{query}");
    }
}
