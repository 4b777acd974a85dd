//! Projects, datasets and models that are not in the trash.

use domain::{
    id::ProjectId,
    permissions::may_edit_resources,
    ports::{Changed, Created, Resources, TransactionExtras, Within},
    resource::{Kind, Position, Resource, ResourceId, ResourceName, Slug},
    role::Role,
    usage::Usage,
};
use futures::future::join_all;

use super::{
    asked, at, event, everything, fail, items, member,
    stock::{Stock, dataset_id, ids, model_id, project_id, thing},
    why, with_all, with_receipt, workspace,
};

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

async fn replace(stock: &Stock, before: &Resource, after: &Resource) -> Changed {
    stock.store.replace(&stock.proof, before, after, TransactionExtras::default()).await.unwrap()
}

#[tokio::test]
async fn resource_is_found_by_id_in_its_workspace_only() {
    let stock = Stock::new().await;
    let (project, dataset) = (stock.project(1, "p").await, stock.dataset(2, "d").await);
    let (alone, inside) = (stock.model(3, "m", None).await, stock.model(4, "m", Some(&project)).await);
    let counted = Resource { models: 1, version: 2, ..project.clone() };
    for (made, parent) in
        [(&counted, None), (&dataset, None), (&alone, None), (&inside, Some(counted.clone()))]
    {
        let since = stock.app.last_call().await;
        let found = stock.find(made.id).await.unwrap();
        assert_eq!((&found.resource, &found.project), (made, &parent));
        let gets = vec!["GetItem"; if parent.is_some() { 2 } else { 1 }];
        assert_eq!(asked(&stock.app, "dynamodb", since).await, gets);
        assert!(
            Resources::find(&stock.store, workspace("grace-hopper").id, made.id).await.unwrap().is_none()
        );
    }
    assert!(stock.find(model_id(9)).await.is_none());
    let usage = stock.usage().await;
    assert_eq!((usage.projects, usage.datasets, usage.models, usage.changed_at), (1, 1, 2, Some(at(0))));
    stock.audit().await;
}

#[tokio::test]
async fn resource_and_usage_come_in_one_read() {
    let stock = Stock::new().await;
    let read = async |id| {
        let since = stock.app.last_call().await;
        let found = stock.store.find_with_usage(stock.workspace, id).await.unwrap();
        (found, asked(&stock.app, "dynamodb", since).await)
    };
    let nothing = ((None, Usage::default()), vec!["BatchGetItem".to_owned()]);
    assert_eq!(read(dataset_id(0)).await, nothing);
    let project = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&project)).await;
    let ((found, usage), calls) = read(model.id).await;
    assert_eq!((found, usage.models), (stock.find(model.id).await, 1));
    assert_eq!(calls, ["BatchGetItem", "GetItem"]);
    stock.put(project.id, 5).await;
    let ((found, usage), _) = read(model.id).await;
    assert_eq!((found, usage.models, usage.cascaded_models), (None, 0, 1));
}

#[tokio::test]
async fn a_slug_is_unique_in_its_parent_and_free_elsewhere() {
    let stock = Stock::new().await;
    let (one, two) = (stock.project(1, "same").await, stock.project(2, "other").await);
    stock.dataset(3, "same").await;
    stock.model(4, "same", None).await;
    stock.model(5, "same", Some(&one)).await;
    stock.model(6, "same", Some(&two)).await;
    let before = everything(&stock.app).await;
    let within =
        |id: ResourceId, project: &Resource| thing(stock.workspace, id, project.id.project(), "same");
    for id in [project_id(7), dataset_id(7), model_id(7)] {
        let rival = thing(stock.workspace, id, None, "same");
        assert_eq!(stock.create(&rival, None).await, Created::SlugTaken);
    }
    assert_eq!(stock.create(&within(model_id(7), &one), None).await, Created::SlugTaken);
    assert_eq!(everything(&stock.app).await, before);
    stock.audit().await;
}

#[tokio::test]
async fn nothing_is_made_in_a_project_that_is_not_there() {
    let stock = Stock::new().await;
    let project = stock.project(1, "p").await;
    stock.put(project.id, 5).await;
    let before = everything(&stock.app).await;
    for parent in [project.id.project(), project_id(3).project()] {
        let model = thing(stock.workspace, model_id(2), parent, "m");
        assert_eq!(stock.create(&model, None).await, Created::NoProject);
    }
    assert_eq!(everything(&stock.app).await, before);
}

#[tokio::test]
async fn nothing_is_written_over_or_with_anothers_proof() {
    let stock = Stock::new().await;
    let first = stock.dataset(1, "first").await;
    let before = everything(&stock.app).await;
    let none = TransactionExtras::default;
    let again = thing(stock.workspace, first.id, None, "second");
    let refused = why(stock.store.create(&stock.proof, &again, None, none()).await);
    assert_eq!(refused, "broken: a random record exists already");
    let grace = workspace("grace-hopper");
    let proof = may_edit_resources(&member(&grace, Role::Owner)).unwrap();
    let invalid_proof = format!("broken: a proof for {} is not valid for {}", grace.id, stock.workspace);
    let new = thing(stock.workspace, dataset_id(2), None, "new");
    assert_eq!(why(stock.store.create(&proof, &new, None, none()).await), invalid_proof);
    assert_eq!(why(stock.store.replace(&proof, &first, &first, none()).await), invalid_proof);
    let live = stock.find(first.id).await.unwrap();
    let trashed = stock.trashed(&live, at(5));
    assert_eq!(
        why(domain::ports::Trash::put(&stock.store, &proof, &live, &trashed, none()).await),
        invalid_proof
    );
    assert_eq!(everything(&stock.app).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_free_place_takes_one_of_twenty_models() {
    let stock = Stock::new().await;
    stock.model(1, "first", None).await;
    let create = |n: i64| {
        let model = thing(stock.workspace, model_id(n), None, &format!("model-{n}"));
        let stock = &stock;
        async move { stock.create(&model, Some(2)).await }
    };
    let created = join_all((2..22).map(create)).await;
    assert_eq!(created.iter().filter(|it| **it == Created::Yes).count(), 1, "{created:?}");
    assert_eq!(created.iter().filter(|it| **it == Created::LimitReached).count(), 19, "{created:?}");
    assert_eq!(stock.usage().await.models, 2);
    stock.audit().await;
}

#[tokio::test]
async fn a_limit_of_models_is_for_models_and_holds_from_the_first() {
    let stock = Stock::new().await;
    let make =
        async |id, slug: &str, limit| stock.create(&thing(stock.workspace, id, None, slug), limit).await;
    assert_eq!(make(model_id(1), "a", Some(0)).await, Created::LimitReached);
    assert_eq!(make(project_id(1), "a", Some(0)).await, Created::Yes);
    assert_eq!(make(dataset_id(1), "a", Some(0)).await, Created::Yes);
    assert_eq!(make(model_id(1), "a", Some(1)).await, Created::Yes);
    assert_eq!(make(model_id(2), "b", Some(1)).await, Created::LimitReached);
    assert_eq!(make(model_id(2), "b", None).await, Created::Yes);
    stock.audit().await;
}

#[tokio::test]
async fn change_of_stale_resource_is_refused() {
    let stock = Stock::new().await;
    let read = stock.dataset(1, "old").await;
    let after = Resource { name: ResourceName::parse("New").unwrap(), slug: slug("new"), ..read.clone() };
    assert_eq!(replace(&stock, &read, &after).await, Changed::Yes);
    let now = stock.find(read.id).await.unwrap().resource;
    assert_eq!(now, Resource { version: 2, ..after.clone() });
    let before = everything(&stock.app).await;
    assert_eq!(replace(&stock, &read, &after).await, Changed::Stale);
    assert_eq!(replace(&stock, &Resource { version: 3, ..now.clone() }, &after).await, Changed::Stale);
    assert_eq!(everything(&stock.app).await, before);
    // The old slug is free, the new one is not.
    let other = stock.dataset(2, "old").await;
    let taken = Resource { slug: slug("new"), ..other.clone() };
    assert_eq!(replace(&stock, &other, &taken).await, Changed::SlugTaken);
    stock.put(other.id, 5).await;
    assert_eq!(replace(&stock, &other, &other).await, Changed::Stale, "it is in the trash");
    stock.audit().await;
}

#[tokio::test]
async fn new_model_makes_its_project_stale() {
    let stock = Stock::new().await;
    let read = stock.project(1, "p").await;
    let model = stock.model(2, "m", Some(&read)).await;
    let renamed = Resource { slug: slug("q"), ..read.clone() };
    assert_eq!(replace(&stock, &read, &renamed).await, Changed::Stale);
    let now = stock.find(read.id).await.unwrap().resource;
    // A change can't alter the counters.
    let renamed = Resource { models: 77, size_bytes: 77, ..renamed };
    assert_eq!(replace(&stock, &now, &renamed).await, Changed::Yes);
    assert_eq!(stock.find(read.id).await.unwrap().resource.models, 1);
    stock.audit().await;
    stock.put(read.id, 5).await;
    assert_eq!(replace(&stock, &model, &model).await, Changed::Stale, "its project is in the trash");
}

#[tokio::test]
async fn repeated_change_runs_once() {
    let stock = Stock::new().await;
    let made = thing(stock.workspace, model_id(1), None, "m");
    let all = with_all(&event(stock.workspace, 0), "once");
    fail(&stock.app, "TransactWriteItems", "lost-response", 1).await;
    let created = stock.store.create(&stock.proof, &made, Some(1), all).await.unwrap();
    assert_eq!(created, Created::Yes, "though the answer was lost");
    let before = everything(&stock.app).await;
    let again = stock.store.create(&stock.proof, &made, Some(1), with_receipt("once")).await;
    assert_eq!(why(again), "already done");
    let again = stock.store.replace(&stock.proof, &made, &made, with_receipt("once")).await;
    assert_eq!(why(again), "already done");
    assert_eq!(everything(&stock.app).await, before);
    assert_eq!(items(&stock.app, "activity").await.len(), 1);
}

/// Every page of a list, each with at most `limit` rows.
async fn pages(stock: &Stock, within: Within, limit: usize) -> Vec<Vec<ResourceId>> {
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let listed = stock.store.list(stock.workspace, within, after, limit).await.unwrap();
        assert!(listed.items.len() <= limit);
        pages.push(ids(&listed.items));
        after = listed.next;
        if after.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn projects_and_datasets_are_listed_newest_first() {
    let stock = Stock::new().await;
    let mut projects = Vec::new();
    for second in 0..5 {
        projects.insert(0, stock.project(second, &format!("p-{second}")).await.id);
    }
    let dataset = stock.dataset(9, "d").await.id;
    let within = Within::Workspace(Kind::Project);
    assert_eq!(pages(&stock, within, 9).await, [projects.clone()]);
    assert_eq!(pages(&stock, within, 5).await, [projects.clone()]);
    assert_eq!(pages(&stock, within, 2).await, [&projects[..2], &projects[2..4], &projects[4..]]);
    assert_eq!(pages(&stock, Within::Workspace(Kind::Dataset), 2).await, [[dataset]]);
    assert_eq!(pages(&stock, Within::Workspace(Kind::Model), 2).await, [[]; 1]);
    stock.put(projects[2], 20).await;
    let after = Position { project: None, id: projects[2] };
    let listed = stock.store.list(stock.workspace, within, Some(after), 9).await.unwrap();
    assert_eq!(ids(&listed.items), projects[3..], "a list goes on after what is gone");
}

/// Three models in each of two projects, and three in none: in the order of the list.
async fn grouped(stock: &Stock) -> (Vec<Resource>, Vec<ResourceId>) {
    let (old, new) = (stock.project(1, "old").await, stock.project(2, "new").await);
    let mut models = Vec::new();
    for project in [None, Some(&old), Some(&new)] {
        for second in 3..6 {
            models.insert(0, stock.model(second, &format!("m-{second}"), project).await.id);
        }
    }
    (vec![old, new], models)
}

#[tokio::test]
async fn models_are_listed_by_project_and_pages_miss_and_repeat_none() {
    let stock = Stock::new().await;
    let (projects, models) = grouped(&stock).await;
    let all = Within::Workspace(Kind::Model);
    for limit in 1..=10 {
        assert_eq!(pages(&stock, all, limit).await.concat(), models, "{limit}");
    }
    let within = |project: &Resource| Within::Project(project.id.project().unwrap());
    assert_eq!(pages(&stock, within(&projects[1]), 2).await, [&models[..2], &models[2..3]]);
    assert_eq!(pages(&stock, within(&projects[0]), 9).await, [&models[3..6]]);
    // A position in another project leads into none but the one that is asked for.
    let after = |project: &Resource, id| Some(Position { project: project.id.project(), id });
    let list = async |after| {
        let listed = stock.store.list(stock.workspace, within(&projects[0]), after, 9).await.unwrap();
        ids(&listed.items)
    };
    assert_eq!(list(after(&projects[1], models[0])).await, models[3..6]);
    assert_eq!(list(after(&projects[0], models[4])).await, models[5..6]);
    assert!(list(Some(Position { project: None, id: models[6] })).await.is_empty());
}

#[tokio::test]
async fn trashing_a_project_hides_its_models_at_once() {
    let stock = Stock::new().await;
    let (projects, models) = grouped(&stock).await;
    let calls = stock.app.last_call().await;
    stock.put(projects[1].id, 20).await;
    let writes = asked(&stock.app, "dynamodb", calls).await;
    assert_eq!(writes.iter().filter(|call| *call == "TransactWriteItems").count(), 1, "{writes:?}");
    assert!(stock.find(models[0]).await.is_none());
    let all = Within::Workspace(Kind::Model);
    for limit in 1..=7 {
        assert_eq!(pages(&stock, all, limit).await.concat(), models[3..], "{limit}");
    }
    let within = Within::Project(projects[1].id.project().unwrap());
    assert!(pages(&stock, within, 2).await.concat().is_empty());
    let usage = stock.usage().await;
    assert_eq!((usage.models, usage.cascaded_models, usage.trashed_projects), (6, 3, 1));
    stock.audit().await;
    // One round finds the project gone, the next one begins below it.
    let since = stock.app.last_call().await;
    let listed = stock.store.list(stock.workspace, all, None, 2).await.unwrap();
    assert_eq!(ids(&listed.items), models[3..5]);
    let calls = asked(&stock.app, "dynamodb", since).await;
    assert_eq!(calls, ["Query", "BatchGetItem", "Query", "BatchGetItem"]);
}

#[tokio::test]
async fn a_list_that_finds_nothing_in_five_rounds_says_where_to_go_on() {
    let stock = Stock::new().await;
    let model = stock.model(1, "last", None).await.id;
    for second in 2..9 {
        let project = stock.project(second, &format!("p-{second}")).await;
        stock.model(9, "m", Some(&project)).await;
        stock.put(project.id, second + 20).await;
    }
    let all = Within::Workspace(Kind::Model);
    let since = stock.app.last_call().await;
    let listed = stock.store.list(stock.workspace, all, None, 1).await.unwrap();
    assert!(listed.items.is_empty() && listed.next.is_some());
    assert_eq!(asked(&stock.app, "dynamodb", since).await.len(), 10);
    let rest = stock.store.list(stock.workspace, all, listed.next, 1).await.unwrap();
    assert_eq!((ids(&rest.items), rest.next), (vec![model], None));
}

#[tokio::test]
async fn a_page_of_a_hundred_models_of_as_many_projects_is_whole() {
    let stock = Stock::new().await;
    let mut models = Vec::new();
    for second in 0..100 {
        let project = stock.project(second, &format!("p-{second}")).await;
        models.insert(0, stock.model(second, "m", Some(&project)).await.id);
    }
    assert_eq!(pages(&stock, Within::Workspace(Kind::Model), 100).await, [models]);
}

#[tokio::test]
async fn the_largest_are_those_that_count() {
    let stock = Stock::new().await;
    let (project, dataset) = (stock.project(1, "p").await, stock.dataset(2, "d").await);
    let (alone, inside) = (stock.model(3, "m", None).await, stock.model(4, "m", Some(&project)).await);
    stock.dataset(5, "empty").await;
    let largest = async |limit| {
        let found = stock.store.largest(stock.workspace, limit).await.unwrap();
        found.iter().map(|live| (live.resource.id, live.resource.size_bytes)).collect::<Vec<_>>()
    };
    assert!(largest(9).await.is_empty());
    for (id, bytes) in [(dataset.id, 20), (alone.id, 9), (inside.id, 100), (alone.id, 2)] {
        stock.file(id, bytes, 10).await;
    }
    assert_eq!(largest(9).await, [(inside.id, 100), (dataset.id, 20), (alone.id, 11)]);
    assert_eq!(largest(2).await, [(inside.id, 100), (dataset.id, 20)]);
    let found = stock.store.largest(stock.workspace, 1).await.unwrap();
    assert_eq!(found, [stock.find(inside.id).await.unwrap()], "with its project");
    let trashed = stock.put(project.id, 20).await;
    assert_eq!(largest(1).await, [(dataset.id, 20)], "what is hidden is passed over");
    stock.put(dataset.id, 21).await;
    assert_eq!(largest(9).await, [(alone.id, 11)]);
    stock.restore(&trashed, &trashed.resource, None).await;
    assert_eq!(largest(9).await, [(inside.id, 100), (alone.id, 11)]);
    assert!(stock.store.largest(workspace("grace-hopper").id, 9).await.unwrap().is_empty());
    stock.audit().await;
}

#[tokio::test]
async fn a_project_that_is_put_away_meanwhile_takes_no_model() {
    let stock = Stock::new().await;
    let project: Option<ProjectId> = stock.project(1, "p").await.id.project();
    let live = stock.find(ResourceId::Project(project.unwrap())).await.unwrap();
    let trashed = stock.trashed(&live, at(5));
    let model = thing(stock.workspace, model_id(2), project, "m");
    let (put, created) = tokio::join!(stock.try_put(&live, &trashed), stock.create(&model, None));
    let one_of = (put == domain::ports::Saved::Yes, created == Created::Yes);
    assert!(one_of == (true, false) || one_of == (false, true), "{put:?} {created:?}");
    stock.audit().await;
}
