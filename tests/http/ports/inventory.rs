//! What a workspace and a person have, from the first to the last.

use std::collections::BTreeMap;

use domain::{
    activity::{ActivityEvent, Mark},
    id::{EventId, UserId, WorkspaceId},
    permissions::may_keep_inbox,
    ports::{History, Inventory, Marking, Outcome, Page, Sessions, TransactionExtras, Workspaces},
    resource::{Kind, ResourceId},
    role::Role,
    session::Session,
};
use lambda::OsEntropy;
use tests::App;

use super::{
    at, event, id, member, profile, session_of,
    stock::{Stock, ids},
    store, team_member, with_event, workspace,
};

/// All pages of two rows.
async fn all<T, I: Copy>(
    read: impl AsyncFn(Option<I>) -> Outcome<Page<T>>,
    id_of: impl Fn(&T) -> I,
) -> Vec<T> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let Page { items, more } = read(after).await.unwrap();
        assert!(items.len() == 2 || !more);
        rows.extend(items);
        after = rows.last().map(&id_of);
        if !more {
            return rows;
        }
    }
}

/// Makes somebody a member without an invitation.
pub async fn let_in(app: &App, workspace: WorkspaceId, user: UserId, role: Role) {
    let sides = [
        store::member_item(workspace, &team_member(user, role)).unwrap(),
        store::membership_item(user, workspace, role).unwrap(),
    ];
    for item in sides {
        let put = app.tables().put_item().table_name(app.table("workspaces"));
        put.set_item(Some(item)).send().await.unwrap();
    }
}

#[tokio::test]
async fn uploads_are_read_in_every_state() {
    let stock = Stock::new().await;
    let other = Stock::of(&stock.app, &workspace("grace-hopper"));
    let (dataset, theirs) = (stock.dataset(1, "d").await, other.dataset(1, "d").await);
    let mut begun = Vec::new();
    for second in 2..7 {
        begun.push(stock.begun(dataset.id, 3, second).await.id);
        other.begun(theirs.id, 3, second).await;
    }
    begun.sort();
    let page = async |after| stock.store.uploads(stock.workspace, after, 2).await;
    let found = all(page, |upload| upload.id).await;
    assert_eq!(found.iter().map(|upload| upload.id).collect::<Vec<_>>(), begun);
    assert!(found.iter().all(|upload| upload.workspace == stock.workspace));
}

#[tokio::test]
async fn live_resources_are_read_oldest_first() {
    let stock = Stock::new().await;
    let other = Stock::of(&stock.app, &workspace("grace-hopper"));
    let project = stock.project(1, "p").await;
    for second in 2..7 {
        stock.dataset(second, &format!("d{second}")).await;
        stock.model(second, &format!("m{second}"), (second % 2 == 0).then_some(&project)).await;
        other.dataset(second, &format!("d{second}")).await;
    }
    let read = async |kind| {
        let page = async |after| stock.store.resources(stock.workspace, kind, after, 2).await;
        let found = all(page, |resource| resource.id).await;
        assert!(found.is_sorted_by_key(|resource| resource.id));
        assert!(found.iter().all(|found| found.workspace == stock.workspace && found.id.kind() == kind));
        ids(&found)
    };
    let datasets = read(Kind::Dataset).await;
    assert_eq!(datasets.len(), 5);
    assert_eq!(read(Kind::Project).await, [project.id]);
    let models = read(Kind::Model).await;
    assert_eq!(models.len(), 5);
    stock.put(project.id, 10).await;
    stock.put(datasets[1], 11).await;
    assert!(read(Kind::Project).await.is_empty());
    assert_eq!(read(Kind::Dataset).await, [&datasets[..1], &datasets[2..]].concat());
    assert_eq!(read(Kind::Model).await, models, "those of a project in the trash, too");
    let page = async |after| stock.store.trashed(stock.workspace, after, 2).await;
    let trashed = all(page, |trashed| trashed.resource.id).await;
    let trashed: Vec<ResourceId> = trashed.iter().map(|trashed| trashed.resource.id).collect();
    assert_eq!(trashed, [datasets[1], project.id]);
    assert!(other.store.trashed(other.workspace, None, 2).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn the_files_of_a_dataset_are_read_through() {
    let stock = Stock::new().await;
    let (dataset, other) = (stock.dataset(1, "d").await, stock.dataset(2, "o").await);
    let mut files = Vec::new();
    for second in 3..8 {
        files.push(stock.file(dataset.id, 5, second).await);
        stock.file(other.id, 5, second).await;
    }
    stock.begun(dataset.id, 5, 9).await;
    assert_eq!(all(async |after| stock.store.files(dataset.id, after, 2).await, |file| file.id).await, files);
}

#[tokio::test]
async fn events_are_read_oldest_first_with_their_marks() {
    let app = App::start().await;
    let (store, ada) = (store(&app), workspace("ada-lovelace"));
    let mut events: Vec<ActivityEvent> = Vec::new();
    for second in 0..7 {
        let line = event(ada.id, second);
        store.begin(&session_of(id()), None, with_event(&line)).await.unwrap();
        store.begin(&session_of(id()), None, with_event(&event(id(), second))).await.unwrap();
        events.push(line);
    }
    let until = |second| EventId::ceiling(at(second));
    let page = async |after| store.events(ada.id, after, until(4), 2).await;
    let found: Vec<EventId> = all(page, |event| event.id).await.iter().map(|event| event.id).collect();
    let expected: Vec<EventId> = events.iter().map(|event| event.id).collect();
    assert_eq!(found, expected[..5]);
    assert!(store.events(ada.id, Some(expected[6]), until(6), 2).await.unwrap().items.is_empty());
    assert!(store.events(ada.id, Some(expected[6]), until(3), 2).await.unwrap().items.is_empty());

    let proof = may_keep_inbox(&member(&ada, Role::Viewer));
    let marks: Vec<_> = [0, 1, 3, 6].map(|n| (expected[n], Marking::Seen)).into();
    store.mark(&proof, &marks).await.unwrap();
    store.mark(&proof, &[(expected[3], Marking::Archived(true, at(9)))]).await.unwrap();
    let said = async |first: usize, last: usize| {
        Inventory::marks(&store, ada.id, expected[first], expected[last], 10).await.unwrap()
    };
    let seen = Mark { seen: true, archived: None };
    let away = Mark { seen: true, archived: Some((true, at(9))) };
    assert_eq!(said(1, 5).await, BTreeMap::from([(expected[1], seen), (expected[3], away)]));
    assert_eq!(said(0, 6).await.len(), 4);
    assert!(said(4, 5).await.is_empty());
}

#[tokio::test]
async fn marks_beyond_one_database_page_are_read() {
    let app = App::start().await;
    let (store, ada) = (store(&app), workspace("ada-lovelace"));
    let events: Vec<EventId> = (0..60).map(|n| EventId::new(at(n), &OsEntropy)).collect();
    let (client, table) = (app.tables(), app.table("activity"));
    // Each item is padded, so that they are more than twice the 1 MB of an answer.
    let padding = "x".repeat(40_000);
    let put = async |event: &EventId| {
        let put = client.put_item().table_name(&table);
        let put = put.item("pk", text(format!("MARKS#{}", ada.id))).item("sk", text(format!("EVT#{event}")));
        put.item("padding", text(&padding)).send().await.unwrap();
    };
    for event in &events {
        put(event).await;
    }
    let found = Inventory::marks(&store, ada.id, events[0], events[59], 60).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), events);
}

fn text(value: impl ToString) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(value.to_string())
}

#[tokio::test]
async fn a_users_sessions_are_read_through() {
    let app = App::start().await;
    let (store, user) = (store(&app), id());
    let mut sessions: Vec<Session> = (0..5).map(|_| session_of(user)).collect();
    sessions.sort_by_key(|session| session.id);
    for session in &sessions {
        store.begin(session, None, TransactionExtras::default()).await.unwrap();
        store.begin(&session_of(id()), None, TransactionExtras::default()).await.unwrap();
    }
    let page = async |after| store.sessions(user, after, 2).await;
    let found: Vec<_> = all(page, |session| session.id).await.iter().map(|session| session.id).collect();
    assert_eq!(found, sessions.iter().map(|session| session.id).collect::<Vec<_>>());
}

#[tokio::test]
async fn other_members_are_found_in_any_order() {
    let app = App::start().await;
    let (store, ada) = (store(&app), workspace("ada-lovelace"));
    store.open(&ada, &profile("somebody"), None, None, TransactionExtras::default()).await.unwrap();
    let mut teams: Vec<WorkspaceId> = (0..3).map(|_| id()).collect();
    teams.sort();
    for (team, role) in teams.iter().zip([Role::Viewer, Role::Admin, Role::Editor]) {
        let_in(&app, *team, ada.owner, role).await;
    }
    assert!(!store.has_others(ada.id, ada.owner).await.unwrap());
    assert!(!store.has_others(teams[0], ada.owner).await.unwrap(), "alone in it");
    assert!(store.has_others(teams[0], id()).await.unwrap());
    let_in(&app, teams[0], UserId::new(at(5), &OsEntropy), Role::Viewer).await;
    assert!(store.has_others(teams[0], ada.owner).await.unwrap());
    let_in(&app, teams[1], UserId::floor(at(-5)), Role::Viewer).await;
    assert!(store.has_others(teams[1], ada.owner).await.unwrap(), "in any order of the members");
}
