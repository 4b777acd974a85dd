//! Projects, datasets and models.

mod limits;
mod lists;

use domain::{resource::Kind, role::Role};
use tests::{App, Person, Value, json, kind_of, names, path_of};

/// The names of a kind's resources.
async fn listed(who: &Person, kind: Kind) -> Vec<String> {
    let answer = who.get(&format!("/api/{}?limit=100", kind.plural())).await.expect(200);
    names(&answer, &format!("/{}", kind.plural()))
}

#[tokio::test]
async fn each_kind_is_made_read_and_listed_as_it_was_asked_for() {
    let app = App::start().await;
    let ada = app.user("ada15").await;
    for kind in Kind::ALL {
        let form = json!({
            "slug": "first", "name": "  The First ", "description": "What it is.\nAnd why.", "visibility": "public",
        });
        let of = format!("/api/{}", kind.plural());
        let made = ada.post(&of, form).await.expect(201);
        let (id, at) = (made.text_at("/_id"), made.at("/createdAt"));
        assert_eq!(kind_of(&id), kind);
        let mut row = json!({
            "_id": id, "slug": "first", "name": "The First", "description": "What it is.\nAnd why.",
            "visibility": "public", "sizeBytes": 0, "createdAt": at, "updatedAt": at,
        });
        if kind == Kind::Project {
            row["modelCount"] = json!(0);
        }
        assert_eq!(made.body, row);
        assert_eq!(ada.get(&path_of(&id)).await.expect(200).body, row);
        assert_eq!(ada.get(&of).await.expect(200).body, json!({ kind.plural(): [row] }));
        let least = ada.ask_for(kind, "second").await.expect(201);
        assert_eq!((least.at("/visibility"), least.at("/description")), (&json!("private"), &Value::Null));
    }
    let made = ["model", "dataset", "project"]
        .map(|kind| [format!("created {kind} second"), format!("created {kind} The First")]);
    let history = ada.activity().await;
    assert_eq!(history, [&made.concat()[..], &["completed onboarding ada15".to_owned()]].concat());
}

#[tokio::test]
async fn models_are_counted_and_listed_by_their_project() {
    let app = App::start().await;
    let bob = app.user("bob15").await;
    let (one, two) = (bob.make(Kind::Project, "one").await, bob.make(Kind::Project, "two").await);
    let first = bob.make_in(&one, "first").await;
    bob.make_in(&one, "second").await;
    bob.make_in(&two, "third").await;
    bob.make(Kind::Model, "loose").await;
    let of = async |project: &str| {
        names(&bob.get(&format!("/api/models?projectId={project}")).await.expect(200), "/models")
    };
    assert_eq!(of(&one).await, ["second", "first"]);
    assert_eq!(of(&two).await, ["third"]);
    assert_eq!(listed(&bob, Kind::Model).await, ["third", "second", "first", "loose"]);
    assert_eq!(bob.get(&path_of(&one)).await.expect(200).at("/modelCount"), 2);
    assert_eq!(bob.get(&path_of(&first)).await.expect(200).at("/projectId"), &json!(one));
    assert_eq!(listed(&bob, Kind::Project).await, ["two", "one"]);
}

#[tokio::test]
async fn slug_is_unique_within_its_parent() {
    let app = App::start().await;
    let (carol, dave) = (app.user("carol15").await, app.user("dave15").await);
    let project = carol.make(Kind::Project, "yolo").await;
    let other = carol.make(Kind::Project, "other").await;
    for kind in [Kind::Dataset, Kind::Model] {
        carol.make(kind, "yolo").await;
    }
    for parent in [&project, &other] {
        carol.make_in(parent, "yolo").await;
        let form = json!({ "slug": "yolo", "name": "Again", "projectId": parent });
        assert_eq!(carol.post("/api/models", form).await.brief(), "409 SLUG_TAKEN");
    }
    for kind in Kind::ALL {
        assert_eq!(carol.ask_for(kind, "yolo").await.brief(), "409 SLUG_TAKEN");
        dave.make(kind, "yolo").await;
    }
    assert_eq!(carol.patch(&path_of(&other), json!({ "slug": "yolo" })).await.brief(), "409 SLUG_TAKEN");
    carol.patch(&path_of(&project), json!({ "slug": "yolo-2" })).await.expect(200);
    carol.patch(&path_of(&other), json!({ "slug": "yolo" })).await.expect(200);
    carol.trash(&other).await.expect(200);
    carol.make(Kind::Project, "yolo").await;
}

#[tokio::test]
async fn patch_changes_named_fields_with_one_history_line() {
    let app = App::start().await;
    let erin = app.user("erin15").await;
    for kind in Kind::ALL {
        let path = path_of(&erin.make(kind, "plain").await);
        let mut row = erin.get(&path).await.expect(200).body;
        for (field, value) in
            [("slug", "fancy"), ("name", "Fancy"), ("description", "Shiny."), ("visibility", "public")]
        {
            app.advance(1).await;
            let changed = erin.patch(&path, json!({ field: value })).await.expect(200).body;
            assert!(changed["updatedAt"].as_str() > row["updatedAt"].as_str(), "{changed}");
            row[field] = json!(value);
            row["updatedAt"] = changed["updatedAt"].clone();
            assert_eq!(changed, row);
            let before = app.last_call().await;
            for same in [json!({ field: value }), json!({})] {
                assert_eq!(erin.patch(&path, same).await.expect(200).body, row);
            }
            let calls = app.calls_of("resources-update", before).await;
            assert!(calls.iter().all(|call| call["operation"] != "TransactWriteItems"), "{calls:?}");
        }
        erin.patch(&path, json!({ "description": null, "visibility": "private" })).await.expect(200);
        let left = erin.get(&path).await.expect(200);
        assert_eq!((left.at("/description"), left.at("/visibility")), (&Value::Null, &json!("private")));
        erin.patch(&path, json!({ "description": "Back." })).await.expect(200);
        erin.patch(&path, json!({ "description": "" })).await.expect(200);
        assert_eq!(erin.get(&path).await.expect(200).at("/description"), &Value::Null);
        let history = erin.activity().await;
        let told = [
            "updated K Fancy",
            "updated K Fancy",
            "unshared K Fancy",
            "shared K Fancy",
            "updated K Fancy",
            "updated K Fancy",
            "updated K plain",
            "created K plain",
        ];
        assert_eq!(history[..told.len()], told.map(|line| line.replace('K', kind.as_str())));
    }
    let newest = erin.get("/api/activity").await.expect(200);
    assert_eq!(newest.at("/events/2/metadata/fields"), &json!(["description", "visibility"]));
}

#[tokio::test]
async fn changes_of_different_fields_at_once_all_hold() {
    let app = App::start().await;
    let frank = app.user("frank15").await;
    let path = path_of(&frank.make(Kind::Dataset, "busy").await);
    let patches =
        [("slug", "calm"), ("name", "Calm"), ("description", "All in all."), ("visibility", "public")];
    let send = |(field, value): (&'static str, &'static str)| {
        let (frank, path) = (frank.clone(), path.clone());
        async move { frank.patch(&path, json!({ field: value })).await.expect(200) }
    };
    futures::future::join_all(patches.map(send)).await;
    let row = frank.get(&path).await.expect(200);
    for (field, value) in patches {
        assert_eq!(row.body[field], value, "{}", row.text);
    }
    assert_eq!(frank.activity().await.len(), 6);
}

#[tokio::test]
async fn invalid_creation_is_refused_and_makes_nothing() {
    let app = App::start().await;
    let grace = app.user("grace15").await;
    let project = grace.make(Kind::Project, "there").await;
    let nowhere = project.replace(&project[project.len() - 4..], "zzzz");
    for (form, complaints) in [
        (json!({ "name": "x" }), "slug REQUIRED"),
        (json!({ "slug": "x" }), "name REQUIRED"),
        (json!({ "slug": "Not A Slug", "name": "x" }), "slug INVALID"),
        (json!({ "slug": "x", "name": "" }), "name INVALID"),
        (json!({ "slug": "x", "name": "x".repeat(129) }), "name INVALID"),
        (json!({ "slug": "x", "name": "x", "description": "x".repeat(2_001) }), "description INVALID"),
        (json!({ "slug": "x", "name": "x", "visibility": "secret" }), "visibility INVALID"),
        (json!({ "slug": "x", "name": "x", "colour": "red" }), "colour UNKNOWN"),
    ] {
        let refused = grace.post("/api/models", form.clone()).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{form}");
        assert_eq!(refused.complaints(), complaints, "{form}");
    }
    for id in ["there", &nowhere] {
        let form = json!({ "slug": "x", "name": "x", "projectId": id });
        assert_eq!(grace.post("/api/models", form).await.brief(), "404 NOT_FOUND");
        assert_eq!(grace.get(&format!("/api/models?projectId={id}")).await.brief(), "404 NOT_FOUND");
    }
    for kind in [Kind::Project, Kind::Dataset] {
        let (of, form) =
            (format!("/api/{}", kind.plural()), json!({ "slug": "x", "name": "x", "projectId": project }));
        assert_eq!(grace.post(&of, form).await.complaints(), "projectId INVALID");
        assert_eq!(grace.get(&format!("{of}?projectId={project}")).await.complaints(), "projectId INVALID");
    }
    for (patch, complaints) in [
        (json!({ "slug": null, "name": "" }), "name INVALID, slug INVALID"),
        (json!({ "projectId": project }), "projectId UNKNOWN"),
        (json!({ "sizeBytes": 0 }), "sizeBytes UNKNOWN"),
    ] {
        assert_eq!(grace.patch(&path_of(&project), patch).await.complaints(), complaints);
    }
    assert_eq!((listed(&grace, Kind::Model).await.len(), grace.activity().await.len()), (0, 2));
}

#[tokio::test]
async fn id_prefix_determines_the_kind() {
    let app = App::start().await;
    let heidi = app.user("heidi15").await;
    let dataset = heidi.make(Kind::Dataset, "coco").await;
    let strange = [("GET", "/api/things"), ("POST", "/api/things"), ("GET", "/api/%7Bkind%7D")];
    for (method, path) in strange {
        let answer = heidi.send(method.parse().unwrap(), path, None).await;
        assert_eq!((answer.status, answer.text.as_str()), (404, r#"{"message":"Not Found"}"#), "{path}");
    }
    for method in ["GET", "PATCH", "DELETE"] {
        let body = (method == "PATCH").then(|| json!({ "name": "x" }));
        let ask = async |path: String| heidi.send(method.parse().unwrap(), &path, body.clone()).await.brief();
        assert_eq!(ask(format!("/api/models/{dataset}")).await, "404 NOT_FOUND");
        assert_eq!(ask(format!("/api/projects/{dataset}")).await, "404 NOT_FOUND");
        assert_eq!(ask("/api/datasets/coco".to_owned()).await, "404 NOT_FOUND");
    }
    assert_eq!(listed(&heidi, Kind::Dataset).await, ["coco"]);
}

#[tokio::test]
async fn viewers_look_editors_and_keys_change() {
    let app = App::start().await;
    let ivan = app.user("ivan15").await;
    let (viewer, editor) = (app.user("viewer15").await, app.user("editor15").await);
    ivan.let_in(&viewer, Role::Viewer).await;
    ivan.let_in(&editor, Role::Editor).await;
    let key = ivan.with_api_key("ci").await;
    for kind in Kind::ALL {
        let of = format!("/api/{}", kind.plural());
        let id = key.make(kind, "by-key").await;
        let form = json!({ "slug": "by-editor", "name": "x" });
        let shared = |path: &str| format!("{path}?owner=ivan15");
        editor.post(&shared(&of), form.clone()).await.expect(201);
        editor.patch(&shared(&path_of(&id)), json!({ "name": "y" })).await.expect(200);
        assert_eq!(viewer.get(&shared(&path_of(&id))).await.expect(200).at("/name"), "y");
        viewer.get(&shared(&of)).await.expect(200);
        assert_eq!(viewer.post(&shared(&of), form).await.brief(), "403 FORBIDDEN");
        let patch = json!({ "name": "z" });
        assert_eq!(viewer.patch(&shared(&path_of(&id)), patch).await.brief(), "403 FORBIDDEN");
        assert_eq!(viewer.delete(&shared(&path_of(&id))).await.brief(), "403 FORBIDDEN");
        editor.delete(&shared(&path_of(&id))).await.expect(200);
        assert_eq!(listed(&key, kind).await, ["x"]);
    }
}

#[tokio::test]
async fn a_repeated_create_makes_one_and_finds_it_again() {
    let app = App::start().await;
    let judy = app.user("judy15").await;
    for kind in Kind::ALL {
        let of = format!("/api/{}", kind.plural());
        let form = json!({ "slug": "once", "name": "Once" });
        let first = judy.post_once(&of, form.clone(), "k").await.expect(201);
        assert_eq!(judy.post_once(&of, form.clone(), "k").await.expect(201).body, first.body);
        let other = judy.post_once(&of, json!({ "slug": "twice", "name": "Once" }), "k").await;
        assert_eq!(other.brief(), "422 IDEMPOTENCY_KEY_REUSED");
        judy.trash(&first.text_at("/_id")).await.expect(200);
        assert_eq!(judy.post_once(&of, form, "k").await.brief(), "404 NOT_FOUND");
        assert_eq!(listed(&judy, kind).await.len(), 0);
    }
}

#[tokio::test]
async fn summary_excludes_trashed_resources() {
    let app = App::start().await;
    let kate = app.user("kate15").await;
    let key = kate.with_api_key("ci").await;
    let project = kate.make(Kind::Project, "one").await;
    kate.make_in(&project, "inside").await;
    let loose = kate.make(Kind::Model, "loose").await;
    kate.make(Kind::Dataset, "data").await;
    let is = async |projects: u64, datasets: u64, models: u64| {
        for who in [&kate, &key] {
            let summary = who.get("/api/account/summary").await.expect(200);
            let counts = json!({ "projects": projects, "datasets": datasets, "models": models });
            assert_eq!(summary.at("/counts"), &counts);
        }
    };
    is(1, 1, 2).await;
    kate.trash(&loose).await.expect(200);
    is(1, 1, 1).await;
    kate.trash(&project).await.expect(200);
    is(0, 1, 0).await;
    kate.restore(&project).await.expect(200);
    is(1, 1, 1).await;
}
