//! Projects, datasets, models, their files, and the trash.

use domain::resource::Kind;
use reqwest::Method;
use tests::path_of;

use super::*;

type Way = (&'static str, &'static str, Make);

/// Every function of theirs.
pub fn ways() -> Vec<Way> {
    things().into_iter().chain(files()).chain(trash()).collect()
}

fn slug(n: usize) -> String {
    format!("measured-{n}")
}

/// The project that models are made in.
async fn project(who: &Person, n: usize) -> String {
    who.make(Kind::Project, &slug(n)).await
}

async fn model(who: &Person, n: usize) -> String {
    let project = project(who, n).await;
    who.make_in(&project, "model").await
}

async fn dataset(who: &Person, n: usize) -> String {
    let dataset = who.make(Kind::Dataset, &slug(n)).await;
    who.upload(&dataset, "12345").await;
    dataset
}

/// A dataset in the trash.
async fn trashed(who: &Person, n: usize) -> String {
    let dataset = dataset(who, n).await;
    who.trash(&dataset).await.expect(200);
    dataset
}

/// The answer, with a model or its project put away: a plan has room for so many models only.
async fn put_away(who: &Person, id: &str, answer: Answer) -> Answer {
    who.trash(id).await.expect(200);
    answer
}

fn things() -> Vec<Way> {
    vec![
        ("resources-list", "projects", |who, n| {
            Box::pin(async move {
                project(&who, n).await;
                who.get("/api/projects?limit=1").await
            })
        }),
        ("resources-list", "models", |who, n| {
            Box::pin(async move {
                let project = project(&who, n).await;
                let model = who.make_in(&project, "model").await;
                let answer = who.get("/api/models").await;
                put_away(&who, &model, answer).await
            })
        }),
        ("resources-create", "a dataset", |who, n| {
            Box::pin(async move { who.ask_for(Kind::Dataset, &slug(n)).await })
        }),
        ("resources-create", "a model in a project", |who, n| {
            Box::pin(async move {
                let project = project(&who, n).await;
                let form = json!({ "slug": "model", "name": "model", "projectId": project });
                let answer = who.post("/api/models", form).await;
                put_away(&who, &project, answer).await
            })
        }),
        ("resources-read", "a dataset", |who, n| {
            Box::pin(async move { who.get(&path_of(&dataset(&who, n).await)).await })
        }),
        ("resources-read", "a model in a project", |who, n| {
            Box::pin(async move {
                let id = model(&who, n).await;
                let answer = who.get(&path_of(&id)).await;
                put_away(&who, &id, answer).await
            })
        }),
        ("resources-update", "a dataset's name", |who, n| {
            Box::pin(async move {
                let id = dataset(&who, n).await;
                who.patch(&path_of(&id), json!({ "name": "another" })).await
            })
        }),
        ("resources-update", "the slug of a model in a project", |who, n| {
            Box::pin(async move {
                let id = model(&who, n).await;
                let answer = who.patch(&path_of(&id), json!({ "slug": "another" })).await;
                put_away(&who, &id, answer).await
            })
        }),
        ("resources-trash", "a dataset", |who, n| {
            Box::pin(async move { who.trash(&dataset(&who, n).await).await })
        }),
        ("resources-trash", "a model in a project", |who, n| {
            Box::pin(async move { who.trash(&model(&who, n).await).await })
        }),
    ]
}

fn files() -> Vec<Way> {
    vec![
        ("upload-url", "", |who, n| {
            Box::pin(async move {
                let dataset = dataset(&who, n).await;
                who.begin_upload(&dataset, 5).await
            })
        }),
        ("upload-complete", "", |who, n| {
            Box::pin(async move {
                let dataset = dataset(&who, n).await;
                let place = who.begin_upload(&dataset, 5).await.expect(200);
                who.app.put(&place, "12345").await.expect(200);
                who.complete(&place.text_at("/sessionId")).await
            })
        }),
        ("storage-read", "one dataset", |who, _| Box::pin(async move { one_dataset(&who).await })),
    ]
}

/// The storage of somebody who has one dataset.
async fn one_dataset(who: &Person) -> Answer {
    if who.get("/api/datasets").await.expect(200).at("/datasets/0").is_null() {
        dataset(who, 0).await;
    }
    who.get("/api/storage").await
}

fn trash() -> Vec<Way> {
    vec![
        ("trash-list", "one thing", |who, n| {
            Box::pin(async move {
                if who.in_trash().await.is_empty() {
                    trashed(&who, n).await;
                }
                who.get("/api/trash").await
            })
        }),
        ("trash-restore", "a dataset", |who, n| {
            Box::pin(async move { who.restore(&trashed(&who, n).await).await })
        }),
        ("trash-restore", "a model to its project", |who, n| {
            Box::pin(async move {
                let id = model(&who, n).await;
                who.trash(&id).await.expect(200);
                let answer = who.restore(&id).await;
                put_away(&who, &id, answer).await
            })
        }),
        ("trash-purge", "a dataset", |who, n| {
            Box::pin(async move { who.purge(&trashed(&who, n).await).await })
        }),
        ("trash-empty", "", |who, n| {
            Box::pin(async move {
                trashed(&who, n).await;
                who.send(Method::DELETE, "/api/trash/empty", None).await
            })
        }),
    ]
}
