//! Projects, datasets and models, their files, and the trash.

use super::*;

fn resource(id: impl Into<String>, project: Option<u64>, n: u64) -> Value {
    let id = id.into();
    json!({
        "id": id, "workspace": workspace_id(1), "project": project.map(nth::<id::OfProject>),
        "slug": format!("slug-{n}"), "name": format!("Name {n}"), "visibility": "private", "created_at": at(50),
        "updated_at": at(51), "version": 1,
    })
}

async fn live(tables: &Tables, id: ResourceId) -> Live {
    Resources::find(&tables.store, workspace_id(1), id).await.unwrap().unwrap()
}

/// Projects, datasets and models, bare and full.
pub async fn assets(tables: &Tables, proof: &EditsResources) -> ResourceId {
    let mut all: Vec<Value> = Vec::new();
    all.extend((1..=4).map(|n| resource(nth::<id::OfProject>(n), None, n)));
    all.extend((1..=6).map(|n| resource(nth::<id::OfDataset>(n), None, n)));
    let projects = (1..).zip([Some(1), Some(1), None, Some(2)]);
    all.extend(projects.map(|(n, project)| resource(nth::<id::OfModel>(n), project, n)));
    for (n, asset) in all.iter_mut().enumerate().step_by(2) {
        asset["description"] = json!(format!("About {n}."));
        asset["visibility"] = json!("public");
    }
    for asset in all {
        Resources::create(&tables.store, proof, &from_value(asset).unwrap(), None, none()).await.unwrap();
    }
    ResourceId::Dataset(nth(1))
}

/// One upload in each state; models' files and datasets'.
pub async fn uploads(tables: &Tables, proof: &EditsResources, dataset: ResourceId) {
    let (store, model) = (&tables.store, |n| ResourceId::Model(nth(n)));
    let assets = [dataset, dataset, model(1), dataset, model(2), ResourceId::Dataset(nth(4))];
    for (n, asset) in (1..).zip(assets) {
        let mut begun = json!({
            "id": nth::<id::OfUpload>(n), "workspace": workspace_id(1), "asset": asset,
            "name": format!("file-{n}.zip"), "content_type": "application/zip", "bytes": 60 + n,
            "by": { "user": user(1) }, "begun_at": millis(61), "state": "begun",
        });
        if n.is_multiple_of(2) {
            begun["by"]["key"] = json!(nth::<id::OfKey>(1));
        }
        let upload = |json: &Value| from_value::<Upload>(json.clone()).unwrap();
        let before = upload(&begun);
        let of = live(tables, asset).await;
        Uploads::begin(store, proof, &of, &before, None, none()).await.unwrap();
        match n {
            1 => {}
            2 => drop(store.give_up(workspace_id(1), before.id, at(62)).await.unwrap()),
            _ => {
                begun["state"] = json!("complete");
                let of = live(tables, asset).await;
                store.complete(proof, &of, &before, &upload(&begun), at(63), none()).await.unwrap();
            }
        }
    }
}

/// Things in the trash, one that the trash was emptied of, and one that is being removed.
pub async fn trash(tables: &Tables, proof: &EditsResources) {
    let store = &tables.store;
    let mut trashed = Vec::new();
    let ids = [
        ResourceId::Dataset(nth(2)),
        ResourceId::Dataset(nth(3)),
        ResourceId::Model(nth(2)),
        ResourceId::Project(nth(3)),
        ResourceId::Dataset(nth(4)),
        ResourceId::Project(nth(2)),
    ];
    for (n, id) in (70..).step_by(2).zip(ids) {
        let of = live(tables, id).await;
        let origin = of.project.as_ref();
        let origin = origin.map(|it| json!({ "id": it.id, "name": it.name, "slug": it.slug }));
        let mut it = json!({ "resource": of.resource, "by": { "user": user(1) }, "at": millis(n) });
        if origin.is_some() {
            (it["origin"], it["by"]["key"]) = (json!(origin), json!(nth::<id::OfKey>(1)));
        }
        let it: Trashed = from_value(it).unwrap();
        Trash::put(store, proof, &of, &it, none()).await.unwrap();
        trashed.push(it);
        if n == 70 {
            let seen = Resources::usage(store, workspace_id(1)).await.unwrap();
            store.empty(proof, &seen, at(71), none()).await.unwrap();
        }
    }
    let seen = Resources::usage(store, workspace_id(1)).await.unwrap();
    let removed = &trashed[1];
    let purge = json!({ "root": removed.resource.id, "workspace": workspace_id(1), "begun_at": millis(90) });
    let removes = may_remove(proof, removed, &seen, at(89)).unwrap();
    Trash::remove(store, &removes, removed, &from_value(purge).unwrap(), none()).await.unwrap();
}
