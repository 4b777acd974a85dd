//! Removing expired items, in steps.

use std::collections::BTreeSet;

use domain::{
    Timestamp,
    domain_events::{DomainEvent, Message},
    id::{ModelId, UploadId},
    ports::{DUE_PARTS, Purges, Saved, Uploads},
    resource::ResourceId,
    trash::{Due, Task},
    upload::State,
};

use super::{
    asked, at, everything, fail, id, items, key_of,
    stock::{Stock, dataset_id},
    why,
};

/// The items due until then, of all parts, in the order of each.
async fn due(stock: &Stock, now: Timestamp) -> Vec<Vec<Due>> {
    let mut parts = Vec::new();
    for part in 0..DUE_PARTS {
        let page = stock.store.due(part, now, None, 100).await.unwrap();
        assert!(!page.more);
        parts.push(page.items);
    }
    parts
}

fn millis_later(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond() + millis).unwrap()
}

#[tokio::test]
async fn due_purges_come_in_order_and_not_before_their_time() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let mut expected = BTreeSet::new();
    for second in 0..40 {
        let upload = stock.begun(dataset.id, 1, second).await;
        expected.insert((upload.swept_at(), upload.id.to_string()));
    }
    let first = expected.first().unwrap().0;
    assert!(due(&stock, millis_later(first, -1)).await.concat().is_empty());
    assert_eq!(due(&stock, first).await.concat().len(), 1);
    let parts = due(&stock, at(90_000)).await;
    let found = parts.iter().flatten().map(|due| match due.task {
        Task::Sweep(upload) => (due.at, upload.to_string()),
        ref other => panic!("{other:?}"),
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), expected);
    assert!(parts.iter().all(|part| part.is_sorted_by_key(|due| due.at)));
    let filled = parts.iter().filter(|part| !part.is_empty()).count();
    assert!(filled > 3, "forty things lie in {filled} parts");
    // Page by page it is the same.
    let (number, longest) = parts.iter().enumerate().max_by_key(|(_, part)| part.len()).unwrap();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let part = u8::try_from(number).unwrap();
        let page = stock.store.due(part, at(90_000), after, 2).await.unwrap();
        after = page.items.last().copied();
        paged.extend(page.items);
        if !page.more {
            break;
        }
    }
    assert_eq!(paged, *longest);
}

#[tokio::test]
async fn settled_purge_is_not_due_again() {
    let stock = Stock::new().await;
    let trashed = stock.put(stock.dataset(1, "a").await.id, 5).await;
    let later = stock.put(stock.dataset(2, "b").await.id, 6).await;
    let month = trashed.expires_at();
    assert_eq!(due(&stock, month).await.concat(), [Due::expiry(&trashed)]);
    for _ in 0..2 {
        stock.store.settle(&Due::expiry(&trashed)).await.unwrap();
        assert!(due(&stock, month).await.concat().is_empty());
    }
    assert_eq!(due(&stock, later.expires_at()).await.concat(), [Due::expiry(&later)]);
    assert_eq!(stock.empty(&stock.usage().await, at(6)).await, Saved::Yes);
    let emptying = Due { at: at(6 + 3_600), workspace: stock.workspace, task: Task::Empty };
    assert_eq!(due(&stock, at(6 + 3_600)).await.concat(), [emptying]);
}

#[tokio::test]
async fn files_are_forgotten_in_any_number_and_again() {
    let stock = Stock::new().await;
    let (dataset, other) = (stock.dataset(1, "d").await, stock.dataset(2, "e").await);
    let mut files: BTreeSet<UploadId> = BTreeSet::new();
    for second in 0..30 {
        files.insert(stock.file(dataset.id, 1, second).await.id);
    }
    let kept = stock.file(other.id, 1, 3).await.id;
    let found = stock.store.files(dataset.id, 100).await.unwrap();
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), files);
    assert_eq!(stock.store.files(dataset.id, 7).await.unwrap().len(), 7);
    let since = stock.app.last_call().await;
    fail(&stock.app, "BatchWriteItem", "unprocessed", 1).await;
    stock.store.forget_files(dataset.id, &found).await.unwrap();
    assert_eq!(asked(&stock.app, "dynamodb", since).await, ["BatchWriteItem"; 3]);
    assert!(stock.store.files(dataset.id, 100).await.unwrap().is_empty());
    stock.store.forget_files(dataset.id, &found).await.unwrap();
    assert_eq!(stock.store.files(other.id, 100).await.unwrap(), [kept]);
}

#[tokio::test]
async fn unprocessed_deletions_are_not_forgotten() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let file = stock.file(dataset.id, 1, 2).await.id;
    fail(&stock.app, "BatchWriteItem", "unprocessed", 0).await;
    let refused = why(stock.store.forget_files(dataset.id, &[file]).await);
    assert_eq!(refused, "dynamodb is unavailable: unprocessed items");
    stock.app.no_faults().await;
    assert_eq!(stock.store.files(dataset.id, 9).await.unwrap(), [file]);
}

/// A project with so many models, one of which has a file, that is being removed.
async fn purged(stock: &Stock, models: i64) -> (ResourceId, BTreeSet<ModelId>) {
    let project = stock.project(1, "p").await;
    let mut ids = BTreeSet::new();
    for second in 0..models {
        let model = stock.model(second, &format!("m-{second}"), Some(&project)).await.id;
        let ResourceId::Model(id) = model else { panic!("{model}") };
        ids.insert(id);
        if second == 0 {
            stock.file(model, 9, 1).await;
        }
    }
    let trashed = stock.put(project.id, 50).await;
    let proof = stock.removes(&trashed).await;
    assert_eq!(stock.remove(&proof, &trashed, 60).await, Saved::Yes);
    (project.id, ids)
}

#[tokio::test]
async fn purging_a_project_purges_its_models_completely() {
    let stock = Stock::new().await;
    let other = stock.project(2, "other").await;
    let kept = stock.model(3, "kept", Some(&other)).await;
    let (project, models) = purged(&stock, 26).await;
    let id = project.project().unwrap();
    let found = stock.store.models(stock.workspace, id, 100).await.unwrap();
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), models);
    let some = stock.store.models(stock.workspace, id, 25).await.unwrap();
    assert_eq!(some.len(), 25);
    stock.store.forget_models(stock.workspace, id, &some).await.unwrap();
    stock.audit().await;
    let left = stock.store.models(stock.workspace, id, 25).await.unwrap();
    assert_eq!(left.len(), 1);
    stock.store.forget_models(stock.workspace, id, &left).await.unwrap();
    stock.store.forget_models(stock.workspace, id, &some).await.unwrap();
    assert!(stock.store.models(stock.workspace, id, 25).await.unwrap().is_empty());
    assert!(stock.find(kept.id).await.is_some());
    assert_eq!((stock.keys("MODELS").await.len(), stock.keys("SIZES").await.len()), (1, 0));
    assert_eq!(stock.keys("SLUGS").await.len(), 2, "the other project's, and its model's");
    stock.audit().await;
}

#[tokio::test]
async fn interrupted_purge_of_models_continues() {
    let stock = Stock::new().await;
    let (project, _) = purged(&stock, 3).await;
    let id = project.project().unwrap();
    for done in 0..3 {
        let models = stock.store.models(stock.workspace, id, 25).await.unwrap();
        assert_eq!(models.len(), 3, "they are found again until the last");
        // So many batches are deleted, then the service refuses.
        let fault = tests::json!([{
            "service": "dynamodb", "function": "tests", "operation": "BatchWriteItem", "kind": "refused",
            "nth": done + 1,
        }]);
        stock.app.faults(fault).await;
        assert!(stock.store.forget_models(stock.workspace, id, &models).await.is_err());
        stock.app.no_faults().await;
    }
    let models = stock.store.models(stock.workspace, id, 25).await.unwrap();
    stock.store.forget_models(stock.workspace, id, &models).await.unwrap();
    for kind in ["MODELS", "GROUPED", "SIZES", "SLUGS"] {
        assert!(stock.keys(kind).await.is_empty(), "{kind}");
    }
}

#[tokio::test]
async fn a_purge_is_over_when_it_is_said_so() {
    let stock = Stock::new().await;
    let (project, _) = purged(&stock, 0).await;
    let purge = Purges::find(&stock.store, stock.workspace, project).await.unwrap().unwrap();
    let looked_after = Due { at: at(60 + 3_600), workspace: stock.workspace, task: Task::Purge(project) };
    assert_eq!(due(&stock, at(60 + 3_600)).await.concat(), [looked_after]);
    for _ in 0..2 {
        stock.store.finish(&purge).await.unwrap();
        assert!(Purges::find(&stock.store, stock.workspace, project).await.unwrap().is_none());
        assert!(due(&stock, at(9_999)).await.concat().is_empty());
    }
    assert!(Purges::find(&stock.store, stock.workspace, dataset_id(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn an_upload_that_is_forgotten_leaves_its_file() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let complete = stock.file(dataset.id, 5, 2).await;
    assert_eq!(due(&stock, complete.swept_at()).await.concat(), [Due::sweep(&complete)]);
    assert_eq!(complete.state, State::Complete);
    for _ in 0..2 {
        stock.store.forget_upload(&complete).await.unwrap();
        assert!(Uploads::find(&stock.store, stock.workspace, complete.id).await.unwrap().is_none());
        assert!(due(&stock, complete.swept_at()).await.concat().is_empty());
    }
    assert_eq!(stock.store.files(dataset.id, 9).await.unwrap(), [complete.id]);
    stock.audit().await;
}

#[tokio::test]
async fn remaining_work_is_announced_once() {
    let stock = Stock::new().await;
    let message = Message { id: id(), at: at(0), notice: DomainEvent::PurgeGoesOn };
    stock.store.go_on(&message).await.unwrap();
    let before = everything(&stock.app).await;
    stock.store.go_on(&message).await.unwrap();
    assert_eq!(everything(&stock.app).await, before);
    let written = items(&stock.app, "operations").await;
    assert_eq!(written.iter().filter(|item| key_of(item).0 == "OUT#purge").count(), 1);
}
