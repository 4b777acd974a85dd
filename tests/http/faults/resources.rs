//! Projects, datasets, models, their files, and the trash. What a call is about stands in the person's `refresh`: the refresh
//! token is of no use here.

use std::time::Duration;

use domain::resource::Kind;
use reqwest::Method;
use tests::{FILE_TYPE, kind_of, names, path_of};

use super::*;

fn about(who: Person, thing: String) -> Person {
    Person { refresh: thing, ..who }
}

/// A model in a project, with a file.
async fn model(app: &App, handle: &str) -> Person {
    let who = app.user(handle).await;
    let project = who.make(Kind::Project, "yolo").await;
    let model = who.make_in(&project, "nano").await;
    who.upload(&model, "12345").await;
    about(who, model)
}

/// A dataset in the trash, with a file.
async fn trashed(app: &App, handle: &str) -> Person {
    let who = app.user(handle).await;
    let dataset = who.make(Kind::Dataset, "coco").await;
    who.upload(&dataset, "12345").await;
    who.trash(&dataset).await.expect(200);
    about(who, dataset)
}

async fn stored(who: &Person) -> u64 {
    who.get("/api/storage").await.expect(200).at("/usage/storage/current").as_u64().unwrap()
}

/// Making, changing, putting into the trash.
pub fn cases() -> [Case; 3] {
    [
        Case {
            function: "resources-create",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = app.user(&handle).await;
                    let project = who.make(Kind::Project, "yolo").await;
                    about(who, project)
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "slug": "nano", "name": "nano", "projectId": who.refresh });
                    who.app.send(once(&who, "/api/models", &form, &key)).await
                })
            },
            retried: &[201],
            effects: |who| {
                Box::pin(async move {
                    let listed = names(&who.get("/api/models").await.expect(200), "/models").len();
                    let project = who.get(&path_of(&who.refresh)).await.expect(200);
                    assert_eq!(project.at("/modelCount"), listed);
                    (listed, lines(&who.activity().await, "created model"))
                })
            },
            lines: 1,
        },
        Case {
            function: "resources-update",
            prepare: |app, handle| Box::pin(async move { model(&app, &handle).await }),
            call: |who, _| {
                Box::pin(async move { who.patch(&path_of(&who.refresh), json!({ "slug": "other" })).await })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let changed = who.get(&path_of(&who.refresh)).await.expect(200).at("/slug") == "other";
                    (usize::from(changed), lines(&who.activity().await, "updated model"))
                })
            },
            lines: 1,
        },
        Case {
            function: "resources-trash",
            prepare: |app, handle| Box::pin(async move { model(&app, &handle).await }),
            call: |who, _| Box::pin(async move { who.trash(&who.refresh).await }),
            retried: &[200, 404],
            effects: |who| {
                Box::pin(async move {
                    assert_eq!((who.get(&path_of(&who.refresh)).await.status, stored(&who).await), (404, 5));
                    (who.in_trash().await.len(), lines(&who.activity().await, "trashed model"))
                })
            },
            lines: 1,
        },
    ]
}

/// Files.
pub fn upload_cases() -> [Case; 2] {
    [
        Case {
            function: "upload-url",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = app.user(&handle).await;
                    let dataset = who.make(Kind::Dataset, "coco").await;
                    about(who, dataset)
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({
                        "assetType": "datasets", "assetId": who.refresh, "filename": "a.zip",
                        "contentType": FILE_TYPE, "totalBytes": 5,
                    });
                    who.app.send(once(&who, "/api/upload/signed-url", &form, &key)).await
                })
            },
            retried: &[200],
            effects: |who| Box::pin(async move { (uploads(&who).await, 0) }),
            lines: 0,
        },
        Case {
            function: "upload-complete",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = model(&app, &handle).await;
                    let place = who.begin_upload(&who.refresh, 6).await.expect(200);
                    app.put(&place, "123456").await.expect(200);
                    about(who, place.text_at("/sessionId"))
                })
            },
            call: |who, _| Box::pin(async move { who.complete(&who.refresh).await }),
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let effects = usize::from(stored(&who).await == 11);
                    // One file was there before.
                    (effects, lines(&who.activity().await, "uploaded model") - 1)
                })
            },
            lines: 1,
        },
    ]
}

/// How many uploads wait for their files, from the table: no endpoint lists them.
async fn uploads(who: &Person) -> usize {
    let query = who.app.tables().query().table_name(who.app.table("resources"));
    let partition = Items::Uploads.partition(who.workspace());
    let answer = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S(partition))
        .send()
        .await
        .unwrap();
    usize::try_from(answer.count()).unwrap()
}

/// The trash.
pub fn trash_cases() -> [Case; 3] {
    [
        Case {
            function: "trash-restore",
            prepare: |app, handle| {
                Box::pin(async move {
                    let who = model(&app, &handle).await;
                    who.trash(&who.refresh).await.expect(200);
                    who
                })
            },
            call: |who, key| {
                Box::pin(async move {
                    let form = json!({ "id": who.refresh, "type": kind_of(&who.refresh) });
                    who.app.send(once(&who, "/api/trash", &form, &key)).await
                })
            },
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let back = who.get(&path_of(&who.refresh)).await.expect(200);
                    assert!(back.at("/projectId").is_string() && who.in_trash().await.is_empty());
                    (1, lines(&who.activity().await, "restored model"))
                })
            },
            lines: 1,
        },
        Case {
            function: "trash-purge",
            prepare: |app, handle| Box::pin(async move { trashed(&app, &handle).await }),
            call: |who, _| Box::pin(async move { who.purge(&who.refresh).await }),
            retried: &[200, 404],
            effects: |who| {
                Box::pin(async move {
                    let gone = who.in_trash().await.is_empty() && stored(&who).await == 0;
                    (usize::from(gone), lines(&who.activity().await, "deleted dataset"))
                })
            },
            lines: 1,
        },
        Case {
            function: "trash-empty",
            prepare: |app, handle| Box::pin(async move { trashed(&app, &handle).await }),
            call: |who, _| Box::pin(async move { who.send(Method::DELETE, "/api/trash/empty", None).await }),
            retried: &[200],
            effects: |who| {
                Box::pin(async move {
                    let gone = who.in_trash().await.is_empty() && stored(&who).await == 0;
                    (usize::from(gone), told_in_the_background(&who).await)
                })
            },
            lines: 1,
        },
    ]
}

/// How many lines say that something is gone, once one does.
async fn told_in_the_background(who: &Person) -> usize {
    for _ in 0..500 {
        let told = lines(&who.activity().await, "deleted dataset");
        if told > 0 {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    0
}
