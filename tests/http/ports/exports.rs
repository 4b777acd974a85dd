//! Exports.

use domain::{
    export::{Export, Format, KEPT, LEASE},
    id::{JobId, UserId},
    job::Status,
    permissions::{ExportsData, may_export},
    ports::{Deletions, Exports, Outcome, Saved, Started, TransactionExtras},
};
use futures::future::join_all;
use jiff::SignedDuration;
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{
    at, event, everything, id, items, key_of, planted::Planted, session_of, store, why, with_all, with_event,
};

/// One that is asked for in this second.
pub fn export_of(user: UserId, second: i64) -> Export {
    Export::new(JobId::new(at(second), &OsEntropy), user, Format::Zip, at(second))
}

/// The same while a run is at it.
fn running(export: &Export, lease_ends: i64) -> Export {
    Export { status: Status::Running, lease_ends: Some(at(lease_ends)), ..export.next() }
}

/// The same, complete.
pub fn ended(export: &Export, second: i64) -> Export {
    Export { status: Status::Completed, ended_at: Some(at(second)), lease_ends: None, ..export.next() }
}

/// Proof that a user may have an export.
pub fn proof_of(user: UserId) -> ExportsData {
    may_export(&session_of(user), at(0)).unwrap()
}

async fn start(store: &Store, export: &Export) -> Started {
    store.start(&proof_of(export.user), export, TransactionExtras::default()).await.unwrap()
}

async fn replace(store: &Store, before: &Export, after: &Export) -> Saved {
    Exports::replace(store, before, after, TransactionExtras::default()).await.unwrap()
}

async fn due(store: &Store, second: i64) -> Vec<(UserId, JobId)> {
    Exports::due(store, at(second), 100).await.unwrap()
}

/// The keys of all that exports have written.
async fn written(app: &App) -> Vec<String> {
    let keys = items(app, "operations").await;
    let keys = keys.iter().map(key_of).filter(|(pk, _)| pk.starts_with("JOBS#") || pk == "EXPORTSDUE");
    keys.map(|(_, sk)| sk).collect()
}

fn due_sk(export: &Export) -> String {
    format!("{:013}#{}#{}", export.due_at().as_millisecond(), export.user, export.id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_export_starts_have_one_winner() {
    let app = App::alone().await;
    let (store, user) = (store(&app), id());
    let exports: Vec<Export> = (0..20).map(|second| export_of(user, second)).collect();
    let lines: Vec<_> = (0..20).map(|second| event(id(), second)).collect();
    let proof = proof_of(user);
    let begin = |(export, line)| store.start(&proof, export, with_event(line));
    let came = join_all(exports.iter().zip(&lines).map(begin)).await;
    let came: Vec<Started> = came.into_iter().map(Outcome::unwrap).collect();
    let winner = &exports[came.iter().position(|came| *came == Started::Yes).unwrap()];
    assert_eq!(came.iter().filter(|came| **came == Started::Running(winner.id)).count(), 19, "{came:?}");
    let expected = [due_sk(winner), format!("EXPORT#{}", winner.id), "RUNNING#export".to_owned()];
    assert_eq!(written(&app).await, expected);
    assert_eq!(items(&app, "activity").await.len(), 1);
    assert_eq!(start(&store, &export_of(id(), 0)).await, Started::Yes, "another's does not matter");
    assert_eq!(start(&store, winner).await, Started::Running(winner.id), "begun again, it is under way");
}

#[tokio::test]
async fn an_export_is_found_by_its_own_user() {
    let app = App::start().await;
    let store = store(&app);
    let export = export_of(id(), 0);
    assert_eq!(Exports::find(&store, export.user, export.id).await.unwrap(), None);
    start(&store, &export).await;
    assert_eq!(Exports::find(&store, export.user, export.id).await.unwrap(), Some(export.clone()));
    assert_eq!(Exports::find(&store, id(), export.id).await.unwrap(), None);
    let full = Export {
        upload: Some("an upload".to_owned()),
        parts: vec!["one".to_owned(), "two".to_owned()],
        position: Some("here".to_owned()),
        progress: 40,
        bytes: 7,
        restarts: 1,
        ..running(&export, 90)
    };
    assert_eq!(replace(&store, &export, &full).await, Saved::Yes);
    assert_eq!(Exports::find(&store, export.user, export.id).await.unwrap(), Some(full));
}

#[tokio::test]
async fn an_export_is_replaced_only_as_it_was_read_and_is_due_once() {
    let app = App::start().await;
    let store = store(&app);
    let mut now = export_of(id(), 0);
    start(&store, &now).await;
    for lease in [90, 180, 180, 240] {
        let next = running(&now, lease);
        assert_eq!(replace(&store, &now, &next).await, Saved::Yes);
        let before = everything(&app).await;
        for stale in [running(&now, 1_000), ended(&now, 1_000)] {
            let line = with_all(&event(id(), 0), "stale");
            assert_eq!(Exports::replace(&store, &now, &stale, line).await.unwrap(), Saved::Stale);
        }
        assert_eq!(everything(&app).await, before);
        let expected = [due_sk(&next), format!("EXPORT#{}", now.id), "RUNNING#export".to_owned()];
        assert_eq!(written(&app).await, expected);
        assert!(due(&store, lease - 1).await.is_empty());
        assert_eq!(due(&store, lease).await, [(now.user, now.id)]);
        now = next;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_export_claims_have_one_winner() {
    let app = App::start().await;
    let store = store(&app);
    let export = export_of(id(), 0);
    start(&store, &export).await;
    let runs: Vec<Export> = (0..12).map(|n| running(&export, 90 + n)).collect();
    let saved = join_all(runs.iter().map(|run| replace(&store, &export, run))).await;
    assert_eq!(saved.iter().filter(|saved| **saved == Saved::Yes).count(), 1, "{saved:?}");
    assert_eq!(due(&store, 1_000).await.len(), 1);
}

#[tokio::test]
async fn finished_export_frees_the_slot_and_expires_in_a_week() {
    let app = App::start().await;
    let store = store(&app);
    let first = export_of(id(), 0);
    start(&store, &first).await;
    let done = ended(&first, 50);
    assert_eq!(replace(&store, &first, &done).await, Saved::Yes);
    let week = KEPT.as_secs();
    assert!(due(&store, 50 + week - 1).await.is_empty());
    assert_eq!(due(&store, 50 + week).await, [(first.user, first.id)]);
    let operations = items(&app, "operations").await;
    let record = operations.iter().find(|item| key_of(item).1.starts_with("EXPORT#")).unwrap();
    assert_eq!(record["ttl"].as_n().unwrap(), &at(50 + 2 * week).as_second().to_string());
    let second = export_of(first.user, 100);
    assert_eq!(start(&store, &second).await, Started::Yes);
    // Operations on the first export do not end the second.
    assert_eq!(replace(&store, &done, &Export { progress: 100, ..done.next() }).await, Saved::Yes);
    assert_eq!(start(&store, &export_of(first.user, 101)).await, Started::Running(second.id));
    assert_eq!(due(&store, 50 + week).await, [(second.user, second.id), (first.user, first.id)]);
    assert_eq!(store.of(first.user, 9).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_begun_while_another_ends_has_one_outcome() {
    let app = App::start().await;
    let (store, user) = (store(&app), id());
    let mut now = export_of(user, 0);
    assert_eq!(start(&store, &now).await, Started::Yes);
    for second in 1..16 {
        let (next, done) = (export_of(user, second), ended(&now, second));
        let (ended, began) = tokio::join!(replace(&store, &now, &done), start(&store, &next));
        assert_eq!(ended, Saved::Yes);
        if began != Started::Yes {
            assert_eq!(began, Started::Running(now.id));
            assert_eq!(start(&store, &next).await, Started::Yes);
        }
        now = next;
    }
    let keys = written(&app).await;
    assert_eq!(keys.iter().filter(|key| *key == "RUNNING#export").count(), 1);
    assert_eq!(keys.len(), 16 + 16 + 1, "each has a record and is due once");
}

#[tokio::test]
async fn nothing_is_left_of_an_export_that_is_forgotten() {
    let app = App::start().await;
    let store = store(&app);
    let (open, other) = (export_of(id(), 0), export_of(id(), 0));
    start(&store, &open).await;
    start(&store, &other).await;
    let begun = running(&open, 90);
    replace(&store, &open, &begun).await;
    assert_eq!(why(Exports::forget(&store, &open).await), "lost too many races", "it went on meanwhile");
    assert_eq!(due(&store, 1_000).await.len(), 2);
    let done = ended(&begun, 95);
    replace(&store, &begun, &done).await;
    let next = export_of(open.user, 100);
    start(&store, &next).await;
    for _ in 0..2 {
        Exports::forget(&store, &done).await.unwrap();
    }
    assert_eq!(start(&store, &export_of(open.user, 101)).await, Started::Running(next.id));
    for _ in 0..2 {
        Exports::forget(&store, &next).await.unwrap();
    }
    let expected = [due_sk(&other), format!("EXPORT#{}", other.id), "RUNNING#export".to_owned()];
    assert_eq!(written(&app).await, expected);
}

#[tokio::test]
async fn exports_are_listed_newest_first_without_deletions() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (&ada.stock.store, ada.account.user.id);
    let mut all = Vec::new();
    for second in 0..4 {
        let export = export_of(user, second);
        assert_eq!(start(store, &export).await, Started::Yes);
        let done = ended(&export, second);
        replace(store, &export, &done).await;
        all.insert(0, done);
    }
    ada.close().await;
    start(store, &export_of(id(), 9)).await;
    assert_eq!(store.of(user, 9).await.unwrap(), all);
    assert_eq!(store.of(user, 3).await.unwrap(), all[..3]);
    assert_eq!(Deletions::due(store, at(0), 9).await.unwrap().len(), 1);
    assert_eq!(due(store, 0).await, []);
}

#[tokio::test]
async fn due_jobs_come_in_order_and_not_before_their_time() {
    let app = App::start().await;
    let store = store(&app);
    let mut all = Vec::new();
    for second in [3, 1, 2] {
        let export = export_of(id(), second);
        start(&store, &export).await;
        all.push(export);
    }
    all.sort_by_key(Export::due_at);
    let expected: Vec<_> = all.iter().map(|export| (export.user, export.id)).collect();
    let first = at(1) + LEASE;
    let before = Exports::due(&store, first - SignedDuration::from_millis(1), 9).await.unwrap();
    assert!(before.is_empty());
    assert_eq!(Exports::due(&store, first, 9).await.unwrap(), expected[..1]);
    assert_eq!(due(&store, 1_000).await, expected);
    assert_eq!(Exports::due(&store, at(1_000), 2).await.unwrap(), expected[..2]);
}
