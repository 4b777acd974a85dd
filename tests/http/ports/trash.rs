//! The trash.

use domain::{
    Timestamp,
    ports::{Created, Restored, Saved, Trash},
    resource::{Resource, ResourceId, Slug},
    trash::{KEPT, Trashed, is_due},
    usage::Usage,
};
use futures::future::join_all;

use super::{
    asked, at, everything, fail, items, key_of,
    stock::{Stock, thing},
    why, with_receipt,
};

/// As it was, so many seconds into the test.
fn back(trashed: &Trashed, second: i64) -> Resource {
    Resource { updated_at: at(second), ..trashed.resource.clone() }
}

/// The tasks that will be due, and when.
async fn due(stock: &Stock) -> Vec<String> {
    let all = items(&stock.app, "resources").await;
    let keys = all.iter().map(key_of).filter(|(pk, _)| pk.starts_with("DUE#")).map(|(_, sk)| sk);
    let mut keys: Vec<String> = keys.collect();
    keys.sort();
    keys
}

#[tokio::test]
async fn trashed_resource_is_gone_at_once_and_frees_its_slug() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    stock.file(model.id, 7, 3).await;
    let trashed = stock.put(model.id, 5).await;
    assert_eq!(trashed.resource.size_bytes, 7);
    assert!(stock.find(model.id).await.is_none());
    let (found, usage) = Trash::find(&stock.store, stock.workspace, model.id).await.unwrap();
    assert_eq!(found, Some(trashed.clone()));
    assert_eq!((usage.models, usage.trashed_models, usage.trashed_model_bytes), (0, 1, 7));
    assert_eq!((usage.model_bytes, usage.committed_bytes, usage.trash_version), (7, 7, 1));
    assert_eq!((usage.trashed_until, usage.changed_at), (Some(at(5)), Some(at(5))));
    let (project, free) = (stock.find(project.id).await.unwrap().resource, stock.keys("SLUGS").await);
    assert_eq!((project.models, project.size_bytes, free.len()), (0, 0, 1));
    let expires = at(5).as_millisecond() + i64::try_from(KEPT.as_millis()).unwrap();
    let expiry = format!("{expires:013}#expire#{}#{}", stock.workspace, model.id);
    assert!(due(&stock).await.contains(&expiry));
    stock.audit().await;
    let since = stock.app.last_call().await;
    assert!(Trash::find(&stock.store, stock.workspace, project.id).await.unwrap().0.is_none());
    assert_eq!(asked(&stock.app, "dynamodb", since).await, ["BatchGetItem"]);
}

#[tokio::test]
async fn trashing_a_stale_resource_is_refused() {
    let stock = Stock::new().await;
    let (project, dataset) = (stock.project(1, "p").await, stock.dataset(2, "d").await);
    let read = stock.find(project.id).await.unwrap();
    stock.model(3, "m", Some(&project)).await;
    assert_eq!(stock.try_put(&read, &stock.trashed(&read, at(5))).await, Saved::Stale, "it has a model now");
    let live = stock.find(dataset.id).await.unwrap();
    stock.put(stock.model(4, "n", None).await.id, 10).await;
    let put = async |second| stock.try_put(&live, &stock.trashed(&live, at(second))).await;
    let before = everything(&stock.app).await;
    assert_eq!(put(9).await, Saved::Stale, "something came later");
    assert_eq!(everything(&stock.app).await, before);
    assert_eq!(stock.empty(&stock.usage().await, at(10)).await, Saved::Yes);
    assert_eq!(put(10).await, Saved::Stale, "that is over");
    assert_eq!(put(11).await, Saved::Yes);
    assert_eq!(put(12).await, Saved::Stale, "it is there already");
    stock.audit().await;
}

#[tokio::test]
async fn a_model_does_not_leave_a_project_that_is_in_the_trash() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    let live = stock.find(model.id).await.unwrap();
    stock.put(project.id, 5).await;
    assert_eq!(stock.try_put(&live, &stock.trashed(&live, at(6))).await, Saved::Stale);
    stock.audit().await;
}

#[tokio::test]
async fn trash_is_read_newest_first_and_by_expiry() {
    let stock = Stock::new().await;
    let mut all = Vec::new();
    for second in 1..6 {
        let made = stock.dataset(second, &format!("d-{second}")).await;
        all.insert(0, stock.put(made.id, second).await);
    }
    let page = async |newest, over_until, limit| {
        let page = stock.store.page(stock.workspace, newest, over_until, limit).await.unwrap();
        (page.items, page.more)
    };
    assert_eq!(page(None, at(0), 9).await, (all.clone(), false));
    assert_eq!(page(None, at(0), 2).await, (all[..2].to_vec(), true));
    assert_eq!(page(Some(all[2].place()), at(0), 2).await, (all[2..4].to_vec(), true));
    assert_eq!(page(None, at(3), 9).await, (all[..2].to_vec(), false), "what is over is not there");
    let almost = Timestamp::from_millisecond(at(3).as_millisecond() - 1).unwrap();
    assert_eq!(page(None, almost, 9).await, (all[..3].to_vec(), false));
    assert_eq!(page(Some(all[4].place()), at(3), 9).await, (vec![], false));
    let over = async |until, limit| {
        let page = stock.store.over(stock.workspace, until, limit).await.unwrap();
        (page.items, page.more)
    };
    assert_eq!(over(at(3), 9).await, ([4, 3, 2].map(|n| all[n].clone()).to_vec(), false));
    assert_eq!(over(at(9), 1).await, (vec![all[4].clone()], true));
    assert_eq!(over(almost, 9).await, ([4, 3].map(|n| all[n].clone()).to_vec(), false));
    assert_eq!(over(Timestamp::UNIX_EPOCH, 9).await, (vec![], false));
}

#[tokio::test]
async fn restored_resource_is_unchanged_with_a_new_version() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let (model, dataset) = (stock.model(2, "m", Some(&project)).await, stock.dataset(3, "d").await);
    stock.file(model.id, 7, 4).await;
    stock.file(dataset.id, 5, 4).await;
    for id in [model.id, dataset.id, project.id] {
        let (before, usage) = (stock.find(id).await.unwrap().resource, stock.usage().await);
        let trashed = stock.put(id, 5).await;
        assert_eq!(stock.restore(&trashed, &back(&trashed, 6), None).await, Restored::Yes);
        let now = stock.find(id).await.unwrap().resource;
        assert_eq!(now, Resource { version: before.version + 1, updated_at: at(6), ..before });
        let expected = Usage {
            trash_version: usage.trash_version + 2,
            trashed_until: Some(at(5)),
            changed_at: Some(at(6)),
            ..usage
        };
        assert_eq!(stock.usage().await, expected);
        assert!(stock.in_trash(id).await.is_none());
        assert!(due(&stock).await.iter().all(|task| !task.contains("#expire#")));
        assert_eq!(stock.restore(&trashed, &back(&trashed, 7), None).await, Restored::Stale, "once");
        stock.audit().await;
    }
}

#[tokio::test]
async fn a_project_brings_its_models_back() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    stock.file(model.id, 7, 3).await;
    let was = stock.find(model.id).await.unwrap().resource;
    let trashed = stock.put(project.id, 5).await;
    assert_eq!((trashed.resource.models, trashed.resource.size_bytes), (1, 7));
    stock.audit().await;
    // Its name is taken meanwhile, and another one is not.
    let rival = stock.project(6, "p").await;
    assert_eq!(stock.restore(&trashed, &back(&trashed, 7), None).await, Restored::SlugTaken);
    let renamed = Resource { slug: Slug::parse("p-2").unwrap(), ..back(&trashed, 7) };
    assert_eq!(stock.restore(&trashed, &renamed, Some(0)).await, Restored::LimitReached);
    assert_eq!(stock.restore(&trashed, &renamed, Some(1)).await, Restored::Yes);
    assert_eq!(stock.find(model.id).await.unwrap().resource, was);
    assert_ne!(rival.id, project.id);
    stock.audit().await;
}

#[tokio::test]
async fn a_model_comes_back_to_its_project_only_while_that_is_there() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    let trashed = stock.put(model.id, 5).await;
    stock.model(6, "m", Some(&project)).await;
    assert_eq!(stock.restore(&trashed, &back(&trashed, 7), None).await, Restored::SlugTaken);
    assert_eq!(stock.restore(&trashed, &back(&trashed, 7), Some(1)).await, Restored::SlugTaken);
    stock.put(project.id, 8).await;
    let before = everything(&stock.app).await;
    assert_eq!(stock.restore(&trashed, &back(&trashed, 9), None).await, Restored::Stale);
    assert_eq!(everything(&stock.app).await, before);
    let alone = Resource { project: None, ..back(&trashed, 9) };
    assert_eq!(stock.restore(&trashed, &alone, Some(0)).await, Restored::LimitReached);
    assert_eq!(stock.restore(&trashed, &alone, Some(1)).await, Restored::Yes);
    assert_eq!(stock.find(model.id).await.unwrap().resource.project, None);
    stock.audit().await;
}

#[tokio::test]
async fn emptied_trash_cannot_be_restored() {
    let stock = Stock::new().await;
    let (model, later) = (stock.model(1, "m", None).await, stock.model(2, "n", None).await);
    stock.file(model.id, 7, 3).await;
    let trashed = stock.put(model.id, 5).await;
    let seen = stock.usage().await;
    assert_eq!(stock.empty(&seen, at(5)).await, Saved::Yes);
    let usage = stock.usage().await;
    assert_eq!((usage.trashed(), usage.stored_bytes(), usage.committed_bytes), (0, 0, 0));
    assert_eq!((usage.emptied_until, usage.emptied_by), (Some(at(5)), Some(stock.proof.actor())));
    let hour = at(5 + 3_600).as_millisecond();
    let looked_after = format!("{hour:013}#empty#{0}#{0}", stock.workspace);
    assert!(due(&stock).await.contains(&looked_after));
    stock.audit().await;
    assert_eq!(stock.restore(&trashed, &back(&trashed, 6), None).await, Restored::Stale);
    assert_eq!(stock.restore(&trashed, &back(&trashed, 6), Some(0)).await, Restored::Stale);
    let after = stock.put(later.id, 6).await;
    assert_eq!(stock.restore(&after, &back(&after, 7), None).await, Restored::Yes);
    stock.audit().await;
}

#[tokio::test]
async fn emptying_spares_trash_added_later() {
    let stock = Stock::new().await;
    let (one, two) = (stock.dataset(1, "a").await, stock.dataset(2, "b").await);
    let nothing = stock.usage().await;
    stock.put(one.id, 5).await;
    assert_eq!(stock.empty(&nothing, at(5)).await, Saved::Stale, "it held nothing then");
    let seen = stock.usage().await;
    // Emptied and filled at once: the second operation has to read again.
    let live = stock.find(two.id).await.unwrap();
    let trashed = stock.trashed(&live, at(6));
    let (emptied, put) = tokio::join!(stock.empty(&seen, at(6)), stock.try_put(&live, &trashed));
    assert!([(Saved::Yes, Saved::Stale), (Saved::Stale, Saved::Yes)].contains(&(emptied, put)));
    stock.audit().await;
    assert_eq!(stock.empty(&seen, at(9)).await, Saved::Stale);
    assert_eq!(stock.empty(&stock.usage().await, at(9)).await, Saved::Yes);
    stock.audit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_restores_have_one_winner() {
    let stock = Stock::new().await;
    let trashed = stock.put(stock.dataset(1, "a").await.id, 5).await;
    let proof = stock.removes(&trashed).await;
    let restore = back(&trashed, 6);
    let removed = join_all((0..5).map(|second| stock.remove(&proof, &trashed, second)));
    let restored = join_all((0..5).map(|_| stock.restore(&trashed, &restore, None)));
    let (removed, restored) = tokio::join!(removed, restored);
    let yes = removed.iter().filter(|it| **it == Saved::Yes).count()
        + restored.iter().filter(|it| **it == Restored::Yes).count();
    assert_eq!(yes, 1, "{removed:?} {restored:?}");
    stock.audit().await;
}

#[tokio::test]
async fn purged_resource_is_uncounted_and_queued() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    stock.file(model.id, 7, 3).await;
    let trashed = stock.put(project.id, 5).await;
    let proof = stock.removes(&trashed).await;
    assert_eq!(stock.remove(&proof, &trashed, 6).await, Saved::Yes);
    let usage = stock.usage().await;
    let counted =
        Usage { trash_version: 2, trashed_until: Some(at(5)), changed_at: Some(at(6)), ..Usage::default() };
    assert_eq!(usage, counted);
    let purge = domain::ports::Purges::find(&stock.store, stock.workspace, project.id).await.unwrap();
    assert_eq!(purge, Some(stock.purge(project.id, 6)));
    let hour = at(6 + 3_600).as_millisecond();
    let tasks = due(&stock).await;
    assert!(tasks.contains(&format!("{hour:013}#purge#{}#{}", stock.workspace, project.id)), "{tasks:?}");
    assert!(tasks.iter().all(|task| !task.contains("#expire#")));
    let before = everything(&stock.app).await;
    assert_eq!(stock.remove(&proof, &trashed, 7).await, Saved::Stale, "once");
    assert_eq!(everything(&stock.app).await, before);
    stock.audit().await;
}

#[tokio::test]
async fn emptied_trash_is_removed_and_counted_once() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    stock.file(dataset.id, 7, 2).await;
    let trashed = stock.put(dataset.id, 5).await;
    let counted = stock.removes(&trashed).await;
    assert_eq!(stock.empty(&stock.usage().await, at(5)).await, Saved::Yes);
    assert_eq!(stock.remove(&counted, &trashed, 6).await, Saved::Stale, "it does not count any more");
    let usage = stock.usage().await;
    let over = is_due(&trashed, &usage, at(6)).unwrap();
    assert!(!over.is_counted());
    assert_eq!(stock.remove(&over, &trashed, 6).await, Saved::Yes);
    assert_eq!(stock.usage().await, usage);
    assert_eq!(stock.remove(&over, &trashed, 6).await, Saved::Stale, "once");
    stock.audit().await;
}

#[tokio::test]
async fn a_way_into_the_trash_and_out_of_it_is_gone_once() {
    let stock = Stock::new().await;
    let dataset = stock.dataset(1, "d").await;
    let live = stock.find(dataset.id).await.unwrap();
    let trashed = stock.trashed(&live, at(5));
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    let put = stock.store.put(&stock.proof, &live, &trashed, with_receipt("put")).await.unwrap();
    assert_eq!(put, Saved::Yes, "though the answer was lost");
    let again = stock.store.put(&stock.proof, &live, &trashed, with_receipt("put")).await;
    assert_eq!(why(again), "already done");
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(stock.restore(&trashed, &back(&trashed, 6), None).await, Restored::Yes);
    let trashed = stock.put(dataset.id, 7).await;
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(stock.empty(&stock.usage().await, at(7)).await, Saved::Yes);
    let over = is_due(&trashed, &stock.usage().await, at(8)).unwrap();
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    assert_eq!(stock.remove(&over, &trashed, 8).await, Saved::Yes);
    stock.audit().await;
}

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { from.get(self.roll(from.len())).cloned() }
    }
}

async fn one_step(stock: &Stock, dice: &mut Dice, second: i64, known: &mut Vec<ResourceId>) {
    let (id, slug) = (dice.pick(known), format!("s-{}", dice.roll(12)));
    let live = match id {
        Some(id) => stock.find(id).await,
        None => None,
    };
    match (dice.roll(9), id, live) {
        (0..3, _, parent) => {
            let parent = parent.and_then(|live| live.resource.id.project());
            let kinds = [super::stock::project_id, super::stock::dataset_id, super::stock::model_id];
            let kind = if parent.is_some() { 2 } else { dice.roll(3) };
            let made = thing(stock.workspace, kinds[kind](second), parent, &slug);
            if stock.create(&made, Some(8)).await == Created::Yes {
                known.push(made.id);
            }
        }
        (3 | 4, Some(id), Some(live)) if live.resource.id.project().is_none() => {
            let bytes = u64::try_from(dice.roll(50)).unwrap();
            let upload = stock.begun(id, bytes, second).await;
            match dice.roll(4) {
                0 => {}
                1 => drop(
                    domain::ports::Purges::give_up(&stock.store, stock.workspace, upload.id, at(second))
                        .await
                        .unwrap(),
                ),
                _ => drop(stock.try_complete(&live, &upload, second).await.unwrap()),
            }
        }
        (5 | 6, Some(id), Some(_)) => drop(stock.put(id, second).await),
        (7, _, _) if dice.roll(4) == 0 => drop(stock.empty(&stock.usage().await, at(second)).await),
        (_, Some(id), None) => {
            let Some(trashed) = stock.in_trash(id).await else { return };
            if dice.roll(3) > 0 {
                let slug = Slug::parse(&slug).unwrap();
                stock.restore(&trashed, &Resource { slug, ..back(&trashed, second) }, Some(8)).await;
                return;
            }
            let usage = stock.usage().await;
            let counted = domain::trash::may_remove(&stock.proof, &trashed, &usage, at(second));
            let proof = counted.or_else(|| is_due(&trashed, &usage, at(second))).unwrap();
            assert_eq!(stock.remove(&proof, &trashed, second).await, Saved::Yes);
        }
        _ => {}
    }
}

#[tokio::test]
async fn counters_equal_contents_after_any_operations() {
    for seed in [1, 2, 3] {
        let (stock, mut dice, mut known) = (Stock::new().await, Dice(seed), Vec::new());
        for second in 1..120 {
            one_step(&stock, &mut dice, second, &mut known).await;
            if second % 10 == 0 {
                stock.audit().await;
            }
        }
        stock.audit().await;
        let usage = stock.usage().await;
        assert!(usage.trash_version > 20 && known.len() > 20, "too little happened: {usage:?}");
        let listed = stock.store.page(stock.workspace, None, usage.emptied_until.unwrap_or(at(0)), 100).await;
        assert_eq!(u64::try_from(listed.unwrap().items.len()).unwrap(), usage.trashed());
    }
}
