//! Files on their way to storage, and what counts of them.

use domain::resource::Kind;
use tests::{App, FILE_TYPE, Person, Value, checks_signatures, json, path_of};

use crate::privacy;

const HOUR: i64 = 3_600;
/// The most bytes of one file: 5 GiB.
const LARGEST: u64 = 5 << 30;
/// The storage of the free plan: 100 GB.
const STORAGE: u64 = 100_000_000_000;

async fn storage(who: &Person) -> Value {
    who.get("/api/storage").await.expect(200).body
}

async fn stored(who: &Person) -> u64 {
    storage(who).await["usage"]["storage"]["current"].as_u64().unwrap()
}

#[tokio::test]
async fn a_file_counts_once_it_was_sent_and_completed() {
    let app = App::start().await;
    let ada = app.user("ada18").await;
    let (project, dataset) = (ada.make(Kind::Project, "yolo").await, ada.make(Kind::Dataset, "coco").await);
    let model = ada.make_in(&project, "nano").await;
    for (asset, content) in [(&dataset, "twelve bytes"), (&model, "seven b"), (&model, "and four more")] {
        let place = ada.begin_upload(asset, content.len() as u64).await.expect(200);
        let before = stored(&ada).await;
        app.put(&place, content).await.expect(200);
        assert_eq!(stored(&ada).await, before);
        let complete = ada.complete(&place.text_at("/sessionId")).await.expect(200);
        let file = json!({ "size": content.len(), "contentType": FILE_TYPE });
        assert_eq!(complete.body, json!({ "success": true, "file": file }));
    }
    let is = storage(&ada).await;
    let category = |bytes: u64, count: u64| json!({ "bytes": bytes, "count": count });
    let wanted = json!({
        "tier": "free", "region": app.home(), "username": "ada18", "updatedAt": is["updatedAt"],
        "usage": {
            "models": { "current": 1, "limit": 100, "percent": 1.0 },
            "storage": { "current": 32, "limit": STORAGE, "percent": 0.0 },
        },
        "breakdown": {
            "byCategory": { "datasets": category(12, 1), "models": category(20, 1), "exports": category(0, 0) },
            "topItems": [
                {
                    "_id": model, "name": "nano", "slug": "nano", "sizeBytes": 20, "type": "model",
                    "parentName": "yolo", "parentSlug": "yolo",
                },
                { "_id": dataset, "name": "coco", "slug": "coco", "sizeBytes": 12, "type": "dataset" },
            ],
        },
    });
    assert_eq!(is, wanted);
    let short = ada.get("/api/storage?details=false").await.expect(200);
    assert_eq!((short.at("/breakdown/topItems"), short.at("/usage")), (&json!([]), &wanted["usage"]));
    for (id, size) in [(&dataset, 12), (&model, 20), (&project, 20)] {
        assert_eq!(ada.get(&path_of(id)).await.expect(200).at("/sizeBytes"), size);
    }
    assert_eq!(app.file_keys().await.len(), 3);
    assert_eq!(
        ada.activity().await[..3],
        ["uploaded model nano", "uploaded model nano", "uploaded dataset coco"]
    );
    let newest = ada.get("/api/activity").await.expect(200);
    assert_eq!(newest.at("/events/0/metadata"), &json!({ "file": "file.zip", "sizeBytes": 13 }));
}

#[tokio::test]
async fn the_ten_largest_are_shown_largest_first() {
    let app = App::start().await;
    let bob = app.user("bob18").await;
    for n in 1..=12 {
        let dataset = bob.make(Kind::Dataset, &format!("n{n}")).await;
        bob.upload(&dataset, &"x".repeat(n)).await;
    }
    let top = storage(&bob).await["breakdown"]["topItems"].as_array().unwrap().clone();
    let names: Vec<&str> = top.iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["n12", "n11", "n10", "n9", "n8", "n7", "n6", "n5", "n4", "n3"]);
}

#[tokio::test]
async fn only_the_announced_file_is_accepted_once() {
    if !checks_signatures() {
        return;
    }
    let app = App::start().await;
    let carol = app.user("carol18").await;
    let dataset = carol.make(Kind::Dataset, "coco").await;
    let place = carol.begin_upload(&dataset, 5).await.expect(200);
    let session = place.text_at("/sessionId");
    for wrong in ["four", "sixsix", ""] {
        app.put(&place, wrong).await.expect(403);
    }
    for other in ["text/html", ""] {
        app.put_as(&place, "12345", "content-type", other).await.expect(403);
    }
    app.put_as(&place, "12345", "if-none-match", "").await.expect(403);
    assert_eq!((app.file_keys().await.len(), stored(&carol).await), (0, 0));
    assert_eq!(carol.complete(&session).await.brief(), "409 UPLOAD_INCOMPLETE");
    app.put(&place, "12345").await.expect(200);
    app.put(&place, "54321").await.expect(412);
    let first = carol.complete(&session).await.expect(200);
    assert_eq!(carol.complete(&session).await.expect(200).body, first.body);
    app.put(&place, "54321").await.expect(412);
    assert_eq!((app.file_keys().await.len(), stored(&carol).await), (1, 5));
    assert_eq!(carol.activity().await.iter().filter(|line| line.starts_with("uploaded")).count(), 1);
}

#[tokio::test]
async fn empty_file_is_stored_and_counts_as_nothing() {
    let app = App::start().await;
    let kim = app.user("kim18").await;
    let (dataset, model) = (kim.make(Kind::Dataset, "coco").await, kim.make(Kind::Model, "nano").await);
    for id in [&dataset, &model, &dataset] {
        let place = kim.begin_upload(id, 0).await.expect(200);
        assert_eq!(place.at("/headers/content-length"), "0");
        if checks_signatures() {
            app.put(&place, "x").await.expect(403);
        }
        app.put(&place, "").await.expect(200);
        let complete = kim.complete(&place.text_at("/sessionId")).await.expect(200);
        assert_eq!(complete.at("/file/size"), 0);
    }
    assert_eq!((app.file_keys().await.len(), stored(&kim).await), (3, 0));
    kim.upload(&dataset, "12345").await;
    kim.upload(&dataset, "").await;
    assert_eq!(kim.get(&path_of(&dataset)).await.expect(200).at("/sizeBytes"), 5);
    assert_eq!(storage(&kim).await["breakdown"]["topItems"].as_array().unwrap().len(), 1);
    kim.trash(&model).await.expect(200);
    kim.purge(&model).await.expect(200);
    // The removal sets off a run of its own.
    privacy::until("the file is not deleted", async || app.file_keys().await.len() == 4).await;
    assert_eq!(stored(&kim).await, 5);
}

#[tokio::test]
async fn content_type_with_parameters_is_sent_in_its_one_form() {
    let app = App::start().await;
    let lea = app.user("lea18").await;
    let dataset = lea.make(Kind::Dataset, "coco").await;
    for (given, kept) in [
        ("text/plain;charset=utf-8", "text/plain; charset=utf-8"),
        ("Text/CSV ; Header=\"present\";  charset=UTF-8", "text/csv; header=present; charset=UTF-8"),
        ("multipart/mixed; boundary=\"a b\"", "multipart/mixed; boundary=\"a b\""),
    ] {
        let form = json!({
            "assetType": "datasets", "assetId": dataset, "filename": "a.txt", "contentType": given, "totalBytes": 5,
        });
        let place = lea.post("/api/upload/signed-url", form).await.expect(200);
        assert_eq!(place.at("/headers/content-type"), kept);
        if checks_signatures() {
            app.put_as(&place, "12345", "content-type", "text/html").await.expect(403);
        }
        app.put(&place, "12345").await.expect(200);
        let complete = lea.complete(&place.text_at("/sessionId")).await.expect(200);
        assert_eq!(complete.at("/file/contentType"), kept);
    }
}

#[tokio::test]
async fn a_file_can_be_sent_for_an_hour_and_completed_for_a_day() {
    let app = App::start().await;
    app.stop_clock().await;
    let dave = app.user("dave18").await.with_api_key("ci").await;
    app.hold_purges().await;
    let dataset = dave.make(Kind::Dataset, "coco").await;
    let [sent, late] = [dave.begin_upload(&dataset, 5).await, dave.begin_upload(&dataset, 5).await];
    app.put(&sent.clone().expect(200), "12345").await.expect(200);
    app.advance(HOUR).await;
    if checks_signatures() {
        app.advance(1).await;
        app.put(&late.clone().expect(200), "12345").await.expect(403);
    }
    let (sent, late) = (sent.text_at("/sessionId"), late.text_at("/sessionId"));
    assert_eq!(dave.complete(&late).await.brief(), "409 UPLOAD_INCOMPLETE");
    app.advance(22 * HOUR).await;
    dave.complete(&sent).await.expect(200);
    app.advance(HOUR).await;
    dave.complete(&sent).await.expect(200);
    assert_eq!(dave.complete(&late).await.brief(), "409 CONFLICT");
    app.no_faults().await;
    app.run_worker("purge-trash").await;
    // The file stays; how it came is forgotten.
    assert_eq!(dave.complete(&late).await.brief(), "404 NOT_FOUND");
    assert_eq!(dave.complete(&sent).await.brief(), "404 NOT_FOUND");
    assert_eq!((app.file_keys().await.len(), stored(&dave).await), (1, 5));
}

#[tokio::test]
async fn uncompleted_upload_is_deleted_after_a_day() {
    let app = App::start().await;
    let erin = app.user("erin18").await.with_api_key("ci").await;
    let dataset = erin.make(Kind::Dataset, "coco").await;
    let place = erin.begin_upload(&dataset, 5).await.expect(200);
    app.put(&place, "12345").await.expect(200);
    assert_eq!(app.file_keys().await.len(), 1);
    app.advance(24 * HOUR + 1).await;
    // The schedule's own run may have come first.
    app.run_worker("purge-trash").await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
    assert_eq!(erin.complete(&place.text_at("/sessionId")).await.brief(), "404 NOT_FOUND");
    assert_eq!(stored(&erin).await, 0);
}

#[tokio::test]
async fn promised_bytes_count_until_they_are_swept() {
    let app = App::start().await;
    let frank = app.user("frank18").await;
    app.hold_purges().await;
    let key = frank.with_api_key("ci").await;
    let model = frank.make(Kind::Model, "large").await;
    let fits = STORAGE / LARGEST;
    for _ in 0..fits {
        frank.begin_upload(&model, LARGEST).await.expect(200);
    }
    assert_eq!(frank.begin_upload(&model, LARGEST).await.brief(), "403 PLAN_LIMIT_REACHED");
    let left = STORAGE - fits * LARGEST;
    assert_eq!(frank.begin_upload(&model, left + 1).await.brief(), "403 PLAN_LIMIT_REACHED");
    frank.begin_upload(&model, left).await.expect(200);
    assert_eq!(frank.begin_upload(&model, 1).await.brief(), "403 PLAN_LIMIT_REACHED");
    assert_eq!(stored(&frank).await, 0, "promised, but not stored");
    let shown = frank.get("/api/storage?expand=reserved").await.expect(200);
    assert_eq!(shown.at("/usage/reservedBytes"), STORAGE);
    app.advance(24 * HOUR + 1).await;
    assert_eq!(key.begin_upload(&model, 1).await.brief(), "403 PLAN_LIMIT_REACHED");
    app.no_faults().await;
    app.run_worker("purge-trash").await;
    for _ in 0..5 {
        key.begin_upload(&model, LARGEST).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_begins_ten_uploads_a_minute() {
    let app = App::start().await;
    app.stop_clock().await;
    let grace = app.user("grace18").await;
    let key = grace.with_api_key("ci").await;
    let dataset = key.make(Kind::Dataset, "coco").await;
    for _ in 0..10 {
        key.begin_upload(&dataset, 1).await.expect(200);
    }
    let refused = key.begin_upload(&dataset, 1).await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    // What else it does is counted apart, and so is what others do.
    key.get(&path_of(&dataset)).await.expect(200);
    grace.begin_upload(&dataset, 1).await.expect(200);
    app.advance(refused.header("retry-after").unwrap().parse().unwrap()).await;
    key.begin_upload(&dataset, 1).await.expect(200);
}

#[tokio::test]
async fn repeated_request_gets_the_same_upload_while_valid() {
    let app = App::start().await;
    app.stop_clock().await;
    let heidi = app.user("heidi18").await;
    let key = heidi.with_api_key("ci").await;
    let dataset = heidi.make(Kind::Dataset, "coco").await;
    let form = |bytes: u64| {
        json!({
            "assetType": "datasets", "assetId": dataset, "filename": "a.zip", "contentType": FILE_TYPE,
            "totalBytes": bytes,
        })
    };
    let path = "/api/upload/signed-url";
    let first = key.post_once(path, form(5), "k").await.expect(200);
    app.advance(600).await;
    let again = key.post_once(path, form(5), "k").await.expect(200);
    for same in ["/sessionId", "/expiresAt", "/headers"] {
        assert_eq!(again.at(same), first.at(same));
    }
    assert_eq!(key.post_once(path, form(6), "k").await.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    app.put(&again, "12345").await.expect(200);
    key.complete(&first.text_at("/sessionId")).await.expect(200);
    app.advance(HOUR).await;
    assert_eq!(key.post_once(path, form(5), "k").await.brief(), "409 CONFLICT");
    assert_eq!(stored(&key).await, 5);
}

#[tokio::test]
async fn upload_to_missing_asset_is_refused() {
    let app = App::start().await;
    let (ivan, other) = (app.user("ivan18").await, app.user("other18").await);
    let (dataset, model) = (ivan.make(Kind::Dataset, "coco").await, ivan.make(Kind::Model, "nano").await);
    let place = ivan.begin_upload(&dataset, 5).await.expect(200);
    let session = place.text_at("/sessionId");
    app.put(&place, "12345").await.expect(200);
    assert_eq!(other.complete(&session).await.brief(), "404 NOT_FOUND");
    assert_eq!(other.begin_upload(&dataset, 5).await.brief(), "404 NOT_FOUND");
    for id in [&dataset, &model] {
        ivan.trash(id).await.expect(200);
        assert_eq!(ivan.begin_upload(id, 5).await.brief(), "404 NOT_FOUND");
    }
    assert_eq!(ivan.complete(&session).await.brief(), "404 NOT_FOUND");
    ivan.restore(&dataset).await.expect(200);
    ivan.complete(&session).await.expect(200);
    assert_eq!(stored(&ivan).await, 5);
    let missing = session.replace(&session[session.len() - 4..], "zzzz");
    assert_eq!(ivan.complete(&missing).await.brief(), "404 NOT_FOUND");
    assert_eq!(ivan.complete("yesterday").await.brief(), "404 NOT_FOUND");
}

#[tokio::test]
async fn invalid_or_too_large_upload_is_refused() {
    let app = App::start().await;
    let judy = app.user("judy18").await;
    let (dataset, model) = (judy.make(Kind::Dataset, "coco").await, judy.make(Kind::Model, "nano").await);
    let project = judy.make(Kind::Project, "yolo").await;
    let form = |name: &str, value: Value| {
        let mut form = json!({
            "assetType": "datasets", "assetId": dataset, "filename": "a.zip", "contentType": FILE_TYPE,
            "totalBytes": 5,
        });
        form[name] = value;
        form
    };
    for (name, value, complaints) in [
        ("assetId", json!(7), "assetId INVALID"),
        ("assetType", json!("projects"), "assetType INVALID"),
        ("filename", json!("../a.zip"), "filename INVALID"),
        ("filename", json!(""), "filename INVALID"),
        ("contentType", json!("zip\r\nx: y"), "contentType INVALID"),
        ("contentType", json!("text/plain; charset=utf-8; charset=x"), "contentType INVALID"),
        ("totalBytes", json!(-1), "totalBytes INVALID"),
        ("totalBytes", json!(1.5), "totalBytes INVALID"),
        ("totalBytes", json!(LARGEST + 1), "totalBytes INVALID"),
        ("key", json!("x"), "key UNKNOWN"),
    ] {
        let refused = judy.post("/api/upload/signed-url", form(name, value.clone())).await;
        assert_eq!(refused.complaints(), complaints, "{name} = {value}");
    }
    for other in [model, project] {
        let refused = judy.post("/api/upload/signed-url", form("assetId", json!(other))).await;
        assert_eq!(refused.brief(), "404 NOT_FOUND", "there is no such dataset");
    }
    let too_large = judy.begin_upload(&dataset, 10_000_000_001).await;
    assert_eq!(too_large.brief(), "403 PLAN_LIMIT_REACHED");
    for _ in 0..STORAGE / LARGEST {
        judy.begin_upload(&dataset, LARGEST).await.expect(200);
    }
}
