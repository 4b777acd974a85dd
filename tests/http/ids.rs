//! An id of any form that names nothing: the answer is the one to an id of something that is hidden or gone.

use domain::resource::Kind;
use reqwest::Method;
use tests::{Answer, App, FILE_TYPE, Person, Value, json};

/// Texts that are no ids of this platform.
fn malformed() -> [String; 7] {
    let texts = ["507f1f77bcf86cd799439011", "", " ", "model_", "\u{0}", "../..", "9007199254740993"];
    let mut texts = texts.map(str::to_owned);
    texts[3] = "x".repeat(3_000);
    texts
}

/// What an answer says, but for the request's id.
fn said(answer: &Answer) -> (u16, String, usize) {
    let mut body = answer.body.clone();
    body["requestId"] = Value::Null;
    (answer.status, body.to_string(), answer.headers.len())
}

/// Every request that names something by an id, of the id `{id}`.
async fn ask(who: &Person, name: &str, id: &str) -> Answer {
    let in_trash = json!({ "id": id, "type": "model" });
    let query = |path: &str, name: &str| {
        let url = reqwest::Url::parse_with_params("http://x/", [(name, id)]).unwrap();
        format!("{path}?{}", url.query().unwrap())
    };
    match name {
        "key" => who.delete(&query("/api/api-keys", "keyId")).await,
        "budget" => who.patch("/api/api-keys", json!({ "id": id, "monthlyBudgetCents": 1 })).await,
        "job" => who.get(&query("/api/gdpr", "jobId")).await,
        "models of a project" => who.get(&query("/api/models", "projectId")).await,
        "restore" => who.post("/api/trash", in_trash).await,
        "purge" => who.send(Method::DELETE, "/api/trash", Some(in_trash)).await,
        "upload" => who.complete(id).await,
        "asset" => {
            let form = json!({
                "assetType": "models", "assetId": id, "filename": "a.pt", "contentType": FILE_TYPE, "totalBytes": 1,
            });
            who.post("/api/upload/signed-url", form).await
        }
        "project" => who.post("/api/models", json!({ "slug": "x", "name": "x", "projectId": id })).await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn id_of_any_form_that_names_nothing_is_not_found() {
    let app = App::start().await;
    let (ada, eve) = (app.user("ada30").await, app.user("eve30").await);
    let (project, model) = (ada.make(Kind::Project, "p").await, ada.make(Kind::Model, "m").await);
    let (trashed, key) = (ada.make(Kind::Model, "t").await, ada.make_key("ci").await.0);
    ada.trash(&trashed).await.expect(200);
    let upload = ada.begin_upload(&model, 1).await.expect(200).text_at("/sessionId");
    let job = ada.post("/api/gdpr", json!({ "action": "export" })).await.expect(202).text_at("/jobId");
    for (name, hidden) in [
        ("key", &key),
        ("budget", &key),
        ("job", &job),
        ("models of a project", &project),
        ("project", &project),
        ("restore", &trashed),
        ("purge", &trashed),
        ("upload", &upload),
        ("asset", &model),
    ] {
        let hidden = ask(&eve, name, hidden).await;
        assert_eq!(hidden.brief(), "404 NOT_FOUND", "{name}");
        for id in malformed() {
            assert_eq!(said(&ask(&eve, name, &id).await), said(&hidden), "{name} {id}");
        }
    }
    assert_eq!((eve.activity().await.len(), ada.in_trash().await), (1, vec!["t".to_owned()]));
}

#[tokio::test]
async fn id_in_a_path_may_have_any_form() {
    let app = App::start().await;
    let bob = app.user("bob30").await;
    for kind in Kind::ALL {
        for id in ["507f1f77bcf86cd799439011", "x", "%00", "%2e%2e%2fmodels", "%F0%9F%98%80"] {
            let path = format!("/api/{}/{id}", kind.plural());
            assert_eq!(bob.get(&path).await.brief(), "404 NOT_FOUND", "{path}");
            assert_eq!(bob.delete(&path).await.brief(), "404 NOT_FOUND", "{path}");
            assert_eq!(bob.patch(&path, json!({ "name": "x" })).await.brief(), "404 NOT_FOUND", "{path}");
        }
    }
}

#[tokio::test]
async fn other_mistakes_are_named_before_an_id_that_names_nothing() {
    let app = App::start().await;
    let carol = app.user("carol30").await;
    for id in ["507f1f77bcf86cd799439011", "model_01m858qy4a1ar9by88nhafn40x"] {
        let form = json!({ "id": id, "type": "models" });
        assert_eq!(carol.post("/api/trash", form).await.complaints(), "type INVALID");
        assert_eq!(carol.post("/api/trash", json!({ "id": id })).await.complaints(), "type REQUIRED");
    }
    assert_eq!(
        carol.post("/api/trash", json!({ "id": 7, "type": "model" })).await.complaints(),
        "id INVALID"
    );
}

#[tokio::test]
async fn unknown_event_ids_are_ignored() {
    let app = App::start().await;
    let dan = app.user("dan30").await;
    let event = dan.get("/api/activity").await.expect(200).text_at("/events/0/_id");
    let ids = json!(["507f1f77bcf86cd799439011", "", "evt_01m858qy4a1ar9by88nhafn40x", event]);
    dan.post("/api/activity/mark-seen", json!({ "eventIds": ids })).await.expect(200);
    dan.post("/api/activity/archive", json!({ "eventIds": ids })).await.expect(200);
    let archived = dan.get("/api/activity?archived=true").await.expect(200);
    assert_eq!((archived.at("/events/0/_id"), archived.at("/events/0/seen")), (&json!(event), &json!(true)));
    let many = json!({ "eventIds": vec!["x"; 1_001] });
    assert_eq!(dan.post("/api/activity/mark-seen", many).await.complaints(), "eventIds INVALID");
}
