//! Uploads and files.

use domain::{
    ports::{Begun, Purges, Saved, TransactionExtras, Uploads},
    resource::{Resource, ResourceId},
    upload::{State, Upload},
};
use futures::future::join_all;

use super::{
    at, everything, fail, id,
    stock::{Stock, dataset_id},
    why, with_receipt, workspace,
};

async fn find(stock: &Stock, upload: &Upload) -> Option<Upload> {
    Uploads::find(&stock.store, stock.workspace, upload.id).await.unwrap()
}

#[tokio::test]
async fn upload_bytes_move_from_promised_to_stored() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let upload = stock.begun(dataset.id, 7, 2).await;
    assert_eq!(find(&stock, &upload).await, Some(upload.clone()));
    assert!(Uploads::find(&stock.store, workspace("grace-hopper").id, upload.id).await.unwrap().is_none());
    let usage = stock.usage().await;
    assert_eq!((usage.committed_bytes, usage.stored_bytes(), usage.changed_at), (7, 0, Some(at(2))));
    let live = stock.find(dataset.id).await.unwrap();
    assert_eq!(stock.try_complete(&live, &upload, 3).await.unwrap(), Saved::Yes);
    let usage = stock.usage().await;
    assert_eq!((usage.committed_bytes, usage.dataset_bytes, usage.changed_at), (7, 7, Some(at(3))));
    let now = stock.find(dataset.id).await.unwrap().resource;
    assert_eq!(now, Resource { size_bytes: 7, version: 2, updated_at: at(3), ..dataset.clone() });
    assert_eq!(find(&stock, &upload).await.unwrap().state, State::Complete);
    assert_eq!(stock.store.files(dataset.id, 9).await.unwrap(), [upload.id]);
    stock.audit().await;
}

#[tokio::test]
async fn a_file_of_a_projects_model_counts_in_the_project() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    stock.file(model.id, 7, 3).await;
    stock.file(model.id, 0, 4).await;
    stock.file(model.id, 5, 5).await;
    let live = stock.find(model.id).await.unwrap();
    let parent = live.project.unwrap();
    assert_eq!((live.resource.size_bytes, parent.size_bytes, parent.models), (12, 12, 1));
    assert_eq!(parent.updated_at, at(0), "what happens to its models does not change a project");
    assert_eq!(stock.usage().await.model_bytes, 12);
    assert_eq!(stock.store.files(model.id, 9).await.unwrap().len(), 3);
    stock.audit().await;
}

#[tokio::test]
async fn less_than_promised_frees_the_rest() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let begun = stock.begun(dataset.id, 10, 2).await;
    let live = stock.find(dataset.id).await.unwrap();
    let complete = Upload { state: State::Complete, bytes: 4, ..begun.clone() };
    let none = TransactionExtras::default();
    let ended = stock.store.complete(&stock.proof, &live, &begun, &complete, at(3), none).await.unwrap();
    assert_eq!(ended, Saved::Yes);
    assert_eq!((stock.usage().await.committed_bytes, stock.usage().await.dataset_bytes), (4, 4));
    stock.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_never_exceed_the_limit_however_many_ask_at_once() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let live = stock.find(dataset.id).await.unwrap();
    let large = stock.upload(dataset.id, 11, 2);
    assert_eq!(stock.begin(&live, &large, Some(10)).await, Begun::LimitReached);
    assert!(find(&stock, &large).await.is_none());
    let uploads: Vec<Upload> = (0..20).map(|second| stock.upload(dataset.id, 4, second)).collect();
    let begun = join_all(uploads.iter().map(|upload| stock.begin(&live, upload, Some(10)))).await;
    assert_eq!(begun.iter().filter(|it| **it == Begun::Yes).count(), 2, "{begun:?}");
    assert_eq!(begun.iter().filter(|it| **it == Begun::LimitReached).count(), 18, "{begun:?}");
    assert_eq!(stock.usage().await.committed_bytes, 8);
    assert_eq!(stock.begin(&live, &stock.upload(dataset.id, 2, 30), Some(10)).await, Begun::Yes);
    assert_eq!(stock.begin(&live, &stock.upload(dataset.id, 0, 30), Some(10)).await, Begun::Yes);
    stock.audit().await;
}

#[tokio::test]
async fn upload_to_missing_resource_is_refused() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let (model, dataset) = (stock.model(2, "m", Some(&project)).await, stock.dataset(3, "d").await);
    let lives = [stock.find(model.id).await.unwrap(), stock.find(dataset.id).await.unwrap()];
    let begun = [stock.begun(model.id, 5, 4).await, stock.begun(dataset.id, 5, 4).await];
    stock.put(project.id, 5).await;
    stock.put(dataset.id, 6).await;
    let before = everything(&stock.app).await;
    for (live, upload) in lives.iter().zip(&begun) {
        let another = stock.upload(live.resource.id, 1, 7);
        assert_eq!(stock.begin(live, &another, None).await, Begun::Gone);
        assert_eq!(stock.try_complete(live, upload, 8).await.unwrap(), Saved::Stale);
    }
    assert_eq!(everything(&stock.app).await, before);
    stock.audit().await;
}

#[tokio::test]
async fn an_upload_ends_once() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let [first, second] = [stock.begun(dataset.id, 5, 2).await, stock.begun(dataset.id, 6, 2).await];
    let live = stock.find(dataset.id).await.unwrap();
    // Two files at once: one has to read the dataset again.
    let (one, other) =
        tokio::join!(stock.try_complete(&live, &first, 3), stock.try_complete(&live, &second, 3));
    let ended = [one.unwrap(), other.unwrap()];
    assert_eq!(ended.iter().filter(|it| **it == Saved::Yes).count(), 1, "{ended:?}");
    for upload in [&first, &second] {
        let live = stock.find(dataset.id).await.unwrap();
        stock.try_complete(&live, upload, 4).await.unwrap();
    }
    let live = stock.find(dataset.id).await.unwrap();
    assert_eq!(live.resource.size_bytes, 11);
    let before = everything(&stock.app).await;
    assert_eq!(stock.try_complete(&live, &first, 5).await.unwrap(), Saved::Stale);
    assert_eq!(everything(&stock.app).await, before);
    stock.audit().await;
}

#[tokio::test]
async fn an_upload_that_is_given_up_frees_its_bytes_once() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let give_up = async |upload: &Upload, second| {
        stock.store.give_up(stock.workspace, upload.id, at(second)).await.unwrap()
    };
    let (swept, complete) = (stock.begun(dataset.id, 5, 2).await, stock.file(dataset.id, 7, 3).await);
    assert_eq!(give_up(&Upload { id: id(), ..swept.clone() }, 9).await, None);
    assert_eq!(give_up(&complete, 9).await, Some(complete.clone()), "it is complete, and stays so");
    let gone = Upload { state: State::Swept, ..swept.clone() };
    assert_eq!(give_up(&swept, 10).await, Some(gone.clone()));
    let usage = stock.usage().await;
    assert_eq!((usage.committed_bytes, usage.changed_at), (7, Some(at(10))));
    assert_eq!(give_up(&swept, 11).await, Some(gone));
    assert_eq!(stock.usage().await, usage);
    let live = stock.find(dataset.id).await.unwrap();
    assert_eq!(stock.try_complete(&live, &swept, 12).await.unwrap(), Saved::Stale);
    stock.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_completed_or_given_up_but_not_both() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    for second in 2..8 {
        let upload = stock.begun(dataset.id, 5, second).await;
        let live = stock.find(dataset.id).await.unwrap();
        let give_up = || stock.store.give_up(stock.workspace, upload.id, at(second));
        let (ended, one, two) =
            tokio::join!(stock.try_complete(&live, &upload, second), give_up(), give_up());
        let state = if ended.unwrap() == Saved::Yes { State::Complete } else { State::Swept };
        for given_up in [one, two] {
            assert_eq!(given_up.unwrap().unwrap().state, state);
        }
        stock.audit().await;
    }
}

#[tokio::test]
async fn an_upload_whose_answer_is_lost_is_begun_and_completed_once() {
    let stock = Stock::new().await;
    let dataset: ResourceId = stock.dataset(1, "d").await.id;
    let (live, upload) = (stock.find(dataset).await.unwrap(), stock.upload(dataset, 5, 2));
    let begin = async || stock.store.begin(&stock.proof, &live, &upload, Some(5), with_receipt("a")).await;
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(begin().await.unwrap(), Begun::Yes);
    assert_eq!(why(begin().await), "already done");
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(stock.try_complete(&live, &upload, 3).await.unwrap(), Saved::Yes);
    let again = stock.store.begin(&stock.proof, &live, &upload, None, TransactionExtras::default()).await;
    assert_eq!(why(again), "broken: a random upload exists already");
    assert!(stock.store.files(dataset_id(9), 9).await.unwrap().is_empty());
    stock.audit().await;
}
