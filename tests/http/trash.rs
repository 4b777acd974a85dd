//! The trash: what goes into it, comes back, or is removed permanently.

mod emptying;
mod lists;
mod month;
mod strangers;

use domain::{resource::Kind, role::Role};
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json, kind_of, names, path_of};

async fn stored(who: &Person) -> u64 {
    who.get("/api/storage").await.expect(200).at("/usage/storage/current").as_u64().unwrap()
}

/// A new session of somebody whose last one is over.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

#[tokio::test]
async fn each_kind_goes_into_the_trash_and_comes_back_as_it_was() {
    let app = App::start().await;
    let ada = app.user("ada19").await;
    for kind in Kind::ALL {
        let (id, of) = (ada.make(kind, "thing").await, format!("/api/{}", kind.plural()));
        ada.patch(&path_of(&id), json!({ "description": "Mine.", "visibility": "public" })).await.expect(200);
        if kind != Kind::Project {
            ada.upload(&id, "four").await;
        }
        let mut row = ada.get(&path_of(&id)).await.expect(200).body;
        let put = ada.trash(&id).await.expect(200);
        let models = (kind == Kind::Project).then_some(0);
        let mut gone = json!({ "success": true, "expiresAt": put.at("/expiresAt") });
        let mut back = json!({ "success": true });
        if let Some(models) = models {
            gone["cascadedModels"] = json!(models);
            back["restoredModels"] = json!(models);
        }
        assert_eq!(put.body, gone);
        for answer in [ada.get(&path_of(&id)).await, ada.trash(&id).await] {
            assert_eq!(answer.brief(), "404 NOT_FOUND");
        }
        let patched = ada.patch(&path_of(&id), json!({ "name": "x" })).await;
        assert_eq!(patched.brief(), "404 NOT_FOUND");
        assert_eq!(names(&ada.get(&of).await.expect(200), &format!("/{}", kind.plural())).len(), 0);
        assert_eq!(ada.restore(&id).await.expect(200).body, back);
        let restored = ada.get(&path_of(&id)).await.expect(200).body;
        row["updatedAt"] = restored["updatedAt"].clone();
        assert_eq!(restored, row);
        assert_eq!(ada.restore(&id).await.brief(), "404 NOT_FOUND");
        assert_eq!(ada.purge(&id).await.brief(), "404 NOT_FOUND");
        let name = kind.as_str();
        assert_eq!(
            ada.activity().await[..2],
            [format!("restored {name} thing"), format!("trashed {name} thing")]
        );
    }
    assert_eq!((ada.in_trash().await.len(), stored(&ada).await), (0, 8));
}

#[tokio::test]
async fn trash_row_has_type_origin_and_expiry() {
    let app = App::start().await;
    let bob = app.user("bob19").await;
    let project = bob.make(Kind::Project, "yolo").await;
    let model = bob.make_in(&project, "nano").await;
    bob.make_in(&project, "small").await;
    bob.upload(&model, "seven b").await;
    bob.trash(&model).await.expect(200);
    let expires = bob.trash(&project).await.expect(200).text_at("/expiresAt");
    let list = bob.get("/api/trash").await.expect(200);
    let at = |row: usize| list.text_at(&format!("/items/{row}/trashedAt"));
    let wanted = json!([
        {
            "_id": project, "type": "project", "name": "yolo", "slug": "yolo", "trashedAt": at(0),
            "daysRemaining": 30, "cascadedCount": 1, "sizeBytes": 0,
        },
        {
            "_id": model, "type": "model", "name": "nano", "slug": "nano", "trashedAt": at(1),
            "daysRemaining": 30, "sizeBytes": 7,
            "parentProject": { "_id": project, "name": "yolo", "slug": "yolo" },
        },
    ]);
    assert_eq!(list.at("/items"), &wanted);
    let [put, over]: [domain::Timestamp; 2] = [at(0).parse().unwrap(), expires.parse().unwrap()];
    assert_eq!(over.duration_since(put).as_hours(), 30 * 24);
    app.advance(60).await;
    assert_eq!(bob.get("/api/trash").await.expect(200).at("/items/0/daysRemaining"), 30);
}

#[tokio::test]
async fn a_project_takes_its_models_along_and_brings_them_back() {
    let app = App::start().await;
    let carol = app.user("carol19").await;
    let project = carol.make(Kind::Project, "yolo").await;
    let (one, two) = (carol.make_in(&project, "one").await, carol.make_in(&project, "two").await);
    let loose = carol.make(Kind::Model, "loose").await;
    carol.upload(&one, "a file").await;
    let place = carol.begin_upload(&two, 5).await.expect(200);
    app.put(&place, "12345").await.expect(200);
    let before = look(&carol, &project).await;

    assert_eq!(carol.trash(&project).await.expect(200).at("/cascadedModels"), 2);
    for id in [&project, &one, &two] {
        assert_eq!(carol.get(&path_of(id)).await.brief(), "404 NOT_FOUND");
        assert_eq!(carol.patch(&path_of(id), json!({ "name": "x" })).await.brief(), "404 NOT_FOUND");
        assert_eq!(carol.trash(id).await.brief(), "404 NOT_FOUND");
    }
    for id in [&one, &two] {
        assert_eq!(carol.begin_upload(id, 1).await.brief(), "404 NOT_FOUND");
        for answer in [carol.restore(id).await, carol.purge(id).await] {
            assert_eq!(answer.brief(), "404 NOT_FOUND", "it is in the trash as a part of the project");
        }
    }
    assert_eq!(carol.complete(&place.text_at("/sessionId")).await.brief(), "404 NOT_FOUND");
    let inside = json!({ "slug": "three", "name": "x", "projectId": project });
    assert_eq!(carol.post("/api/models", inside.clone()).await.brief(), "404 NOT_FOUND");
    let gone = look(&carol, &project).await;
    assert_eq!((&gone["models"], &gone["inside"]), (&json!(["loose"]), &json!([])));
    assert_eq!(gone["counts"], json!({ "projects": 0, "datasets": 0, "models": 1 }));
    assert_eq!((&gone["largest"], &gone["gauge"]), (&json!([]), &json!(1)));
    assert_eq!((&gone["stored"], &gone["modelBytes"]), (&json!(6), &json!({ "bytes": 6, "count": 3 })));
    assert_eq!(carol.in_trash().await, ["yolo"]);

    assert_eq!(carol.restore(&project).await.expect(200).at("/restoredModels"), 2);
    assert_eq!(look(&carol, &project).await, before);
    carol.complete(&place.text_at("/sessionId")).await.expect(200);
    carol.post("/api/models", inside).await.expect(201);
    carol.get(&path_of(&loose)).await.expect(200);
    assert_eq!(stored(&carol).await, 11);
}

/// Everything that shows models.
async fn look(who: &Person, project: &str) -> Value {
    let (models, storage) =
        (who.get("/api/models").await.expect(200), who.get("/api/storage").await.expect(200));
    let inside = who.get(&format!("/api/models?projectId={project}")).await;
    let inside = if inside.status == 404 { Vec::new() } else { names(&inside.expect(200), "/models") };
    let summary = who.get("/api/account/summary").await.expect(200);
    json!({
        "models": names(&models, "/models"), "inside": inside, "counts": summary.at("/counts"),
        "largest": names(&storage, "/breakdown/topItems"), "gauge": storage.at("/usage/models/current"),
        "stored": storage.at("/usage/storage/current"), "modelBytes": storage.at("/breakdown/byCategory/models"),
    })
}

#[tokio::test]
async fn model_trashed_before_its_project_is_restored_alone() {
    let app = App::start().await;
    let dave = app.user("dave19").await;
    let project = dave.make(Kind::Project, "yolo").await;
    let [early, late, last] = [
        dave.make_in(&project, "a").await,
        dave.make_in(&project, "b").await,
        dave.make_in(&project, "c").await,
    ];
    for id in [&early, &late, &last] {
        dave.trash(id).await.expect(200);
    }
    let project_of = async |id: &str| dave.get(&path_of(id)).await.expect(200).at("/projectId").clone();
    dave.restore(&early).await.expect(200);
    assert_eq!(project_of(&early).await, project);
    assert_eq!(dave.trash(&project).await.expect(200).at("/cascadedModels"), 1);
    dave.restore(&late).await.expect(200);
    assert_eq!(project_of(&late).await, Value::Null, "its project is in the trash");
    assert_eq!(dave.restore(&project).await.expect(200).at("/restoredModels"), 1);
    assert_eq!((project_of(&early).await, project_of(&late).await), (json!(project), Value::Null));
    dave.trash(&project).await.expect(200);
    dave.purge(&project).await.expect(200);
    dave.restore(&last).await.expect(200);
    assert_eq!(project_of(&last).await, Value::Null, "its project is gone");
    assert_eq!(dave.get(&path_of(&early)).await.status, 404);
}

#[tokio::test]
async fn a_slug_that_was_taken_meanwhile_is_a_conflict_with_a_way_out() {
    let app = App::start().await;
    let erin = app.user("erin19").await;
    for kind in Kind::ALL {
        let id = erin.make(kind, "best").await;
        erin.trash(&id).await.expect(200);
        let other = erin.make(kind, "best").await;
        let refused = erin.restore(&id).await;
        assert_eq!(refused.brief(), "409 SLUG_TAKEN");
        assert!(refused.text_at("/error").contains("slug"), "{}", refused.text);
        assert_eq!(erin.in_trash().await, ["best"]);
        let back =
            async |slug: &str| erin.post("/api/trash", json!({ "id": id, "type": kind, "slug": slug })).await;
        assert_eq!(back("best").await.brief(), "409 SLUG_TAKEN");
        assert_eq!(back("Not A Slug").await.complaints(), "slug INVALID");
        back("best-2").await.expect(200);
        assert_eq!(erin.get(&path_of(&id)).await.expect(200).at("/slug"), "best-2");
        assert_eq!(erin.ask_for(kind, "best-2").await.brief(), "409 SLUG_TAKEN");
        assert_eq!(erin.get(&path_of(&other)).await.expect(200).at("/slug"), "best");
    }
}

#[tokio::test]
async fn removing_for_good_frees_storage_at_once_and_files_soon_after() {
    let app = App::start().await;
    let frank = app.user("frank19").await;
    let project = frank.make(Kind::Project, "yolo").await;
    let model = frank.make_in(&project, "nano").await;
    let (dataset, loose) = (frank.make(Kind::Dataset, "coco").await, frank.make(Kind::Model, "loose").await);
    for (id, file) in [(&model, "1"), (&model, "22"), (&dataset, "333"), (&loose, "4444")] {
        frank.upload(id, file).await;
    }
    app.hold_purges().await;
    for (id, left) in [(&project, 7), (&dataset, 4), (&loose, 0)] {
        let before = stored(&frank).await;
        frank.trash(id).await.expect(200);
        assert_eq!(stored(&frank).await, before);
        let removed = frank.purge(id).await.expect(200);
        let mut wanted = json!({ "success": true, "deletedCount": 1 });
        if kind_of(id) == Kind::Project {
            wanted["cascadedModels"] = json!(1);
        }
        assert_eq!(removed.body, wanted);
        assert_eq!(stored(&frank).await, left);
        for answer in [frank.restore(id).await, frank.purge(id).await, frank.get(&path_of(id)).await] {
            assert_eq!(answer.brief(), "404 NOT_FOUND");
        }
    }
    assert_eq!((frank.in_trash().await.len(), app.file_keys().await.len()), (0, 4));
    let storage = frank.get("/api/storage").await.expect(200);
    let nothing = json!({ "bytes": 0, "count": 0 });
    assert_eq!(
        storage.at("/breakdown/byCategory"),
        &json!({ "datasets": nothing, "models": nothing, "exports": nothing })
    );
    assert_eq!(
        frank.activity().await.iter().filter(|line| line.starts_with("deleted")).collect::<Vec<_>>(),
        ["deleted model loose", "deleted dataset coco", "deleted project yolo"]
    );
    app.no_faults().await;
    // Work that was held back is taken up again in an hour.
    app.advance(3_601).await;
    app.run_worker("purge-trash").await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn viewers_look_editors_and_keys_restore_and_remove() {
    let app = App::start().await;
    let grace = app.user("grace19").await;
    let (viewer, editor) = (app.user("viewer19").await, app.user("editor19").await);
    grace.let_in(&viewer, Role::Viewer).await;
    grace.let_in(&editor, Role::Editor).await;
    let key = grace.with_api_key("ci").await;
    let id = grace.make(Kind::Dataset, "coco").await;
    let form = json!({ "id": id, "type": "dataset" });
    let path = "/api/trash?owner=grace19";
    grace.trash(&id).await.expect(200);
    assert_eq!(names(&viewer.get(path).await.expect(200), "/items"), ["coco"]);
    assert_eq!(viewer.post(path, form.clone()).await.brief(), "403 FORBIDDEN");
    for body in [form.clone(), json!({ "all": true })] {
        assert_eq!(viewer.send(Method::DELETE, path, Some(body)).await.brief(), "403 FORBIDDEN");
    }
    assert_eq!(viewer.delete("/api/trash/empty?owner=grace19").await.brief(), "403 FORBIDDEN");
    assert_eq!(key.delete("/api/trash/empty").await.brief(), "401 UNAUTHORIZED");
    editor.post(path, form).await.expect(200);
    grace.trash(&id).await.expect(200);
    key.restore(&id).await.expect(200);
    grace.trash(&id).await.expect(200);
    assert_eq!(key.purge(&id).await.expect(200).at("/deletedCount"), 1);
    assert_eq!(editor.delete("/api/trash/empty?owner=grace19").await.expect(200).at("/deletedCount"), 0);
}

#[tokio::test]
async fn invalid_request_leaves_the_trash_unchanged() {
    let app = App::start().await;
    let heidi = app.user("heidi19").await;
    let id = heidi.make(Kind::Dataset, "coco").await;
    heidi.trash(&id).await.expect(200);
    let restore = async |form: Value| heidi.post("/api/trash", form).await;
    let purge = async |form: Value| heidi.send(Method::DELETE, "/api/trash", Some(form)).await;
    let other_type = json!({ "id": id, "type": "model" });
    let missing = json!({ "id": id.replace(&id[id.len() - 4..], "zzzz"), "type": "dataset" });
    for form in [other_type, missing] {
        assert_eq!(restore(form.clone()).await.brief(), "404 NOT_FOUND");
        assert_eq!(purge(form).await.brief(), "404 NOT_FOUND");
    }
    for form in [
        json!({}),
        json!({ "id": id }),
        json!({ "type": "dataset" }),
        json!({ "id": id, "type": "datasets" }),
        json!({ "id": id, "type": "dataset", "force": true }),
    ] {
        assert_eq!(restore(form.clone()).await.brief(), "400 VALIDATION_ERROR", "{form}");
        assert_eq!(purge(form.clone()).await.status, 400, "{form}");
    }
    for form in [
        json!({ "all": false }),
        json!({ "all": "true" }),
        json!({ "all": true, "id": id, "type": "dataset" }),
    ] {
        assert_eq!(purge(form.clone()).await.status, 400, "{form}");
    }
    assert_eq!((heidi.in_trash().await, heidi.activity().await.len()), (vec!["coco".to_owned()], 3));
}

#[tokio::test]
async fn a_repeated_restore_answers_the_same() {
    let app = App::start().await;
    let ivan = app.user("ivan19").await;
    let project = ivan.make(Kind::Project, "yolo").await;
    ivan.make_in(&project, "nano").await;
    ivan.trash(&project).await.expect(200);
    let form = json!({ "id": project, "type": "project" });
    let answers: [Answer; 2] = [
        ivan.post_once("/api/trash", form.clone(), "k").await.expect(200),
        ivan.post_once("/api/trash", form, "k").await.expect(200),
    ];
    assert_eq!(answers[0].body, json!({ "success": true, "restoredModels": 1 }));
    assert_eq!(answers[0].body, answers[1].body);
    assert_eq!(ivan.activity().await[0], "restored project yolo");
}
