//! The history, and what the inbox remembers about it.

use domain::{
    Timestamp,
    activity::{ActivityEvent, Inbox, Mark, Watermark},
    id::{EventId, WorkspaceId},
    permissions::may_keep_inbox,
    ports::{All, History, Marking, Page, Sessions, TransactionExtras},
    role::Role,
};
use store::Store;
use tests::App;

use super::{asked, at, event, id, items, member, session_of, store, with_event, workspace};

/// Events of these seconds, oldest first.
async fn lived(store: &Store, workspace: WorkspaceId, seconds: std::ops::Range<i64>) -> Vec<ActivityEvent> {
    let mut events = Vec::new();
    for second in seconds {
        let event = event(workspace, second);
        store.begin(&session_of(id()), None, with_event(&event)).await.unwrap();
        events.push(event);
    }
    events
}

#[tokio::test]
async fn event_page_includes_both_ends_newest_first() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (id(), id());
    let events = lived(&store, ada, 0..6).await;
    lived(&store, other, 0..3).await;
    let page = async |newest: EventId, oldest: EventId, limit| {
        let Page { items, more } = store.page(ada, newest, oldest, limit).await.unwrap();
        (items, more)
    };
    let backwards =
        |from: usize, to: usize| events[from..=to].iter().rev().cloned().collect::<Vec<ActivityEvent>>();
    let (first, last) = (EventId::floor(at(0)), EventId::ceiling(at(5)));
    assert_eq!(page(last, first, 100).await, (backwards(0, 5), false));
    assert_eq!(page(events[4].id, events[1].id, 100).await, (backwards(1, 4), false));
    assert_eq!(page(events[4].id.before(), events[1].id, 100).await, (backwards(1, 3), false));
    assert_eq!(page(events[3].id, events[3].id, 100).await, (backwards(3, 3), false));
    assert_eq!(page(EventId::ceiling(at(2)), EventId::floor(at(2)), 9).await, (backwards(2, 2), false));
    assert_eq!(page(last, first, 2).await, (backwards(4, 5), true));
    assert_eq!(page(events[4].id.before(), first, 3).await, (backwards(1, 3), true));
    assert_eq!(page(EventId::ceiling(at(99)), EventId::floor(at(6)), 9).await, (vec![], false));
    assert_eq!(page(EventId::ceiling(at(-1)), EventId::floor(at(-9)), 9).await, (vec![], false));
}

#[tokio::test]
async fn a_range_upside_down_is_empty_and_not_asked_for() {
    let app = App::start().await;
    let store = store(&app);
    let events = lived(&store, id(), 0..2).await;
    let (workspace, since) = (events[0].workspace, app.last_call().await);
    let page = store.page(workspace, events[0].id, events[1].id, 10).await.unwrap();
    assert!(page.items.is_empty() && !page.more);
    assert!(store.existing(workspace, &[]).await.unwrap().is_empty());
    assert!(asked(&app, "dynamodb", since).await.is_empty());
    assert_eq!(store.page(workspace, events[1].id, events[0].id, 10).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn existing_tells_which_of_the_events_are_of_this_workspace() {
    let app = App::start().await;
    let store = store(&app);
    let ada = id();
    let events = lived(&store, ada, 0..3).await;
    let foreign = lived(&store, id(), 0..1).await;
    let wanted = [events[2].id, id(), foreign[0].id, events[0].id];
    assert_eq!(store.existing(ada, &wanted).await.unwrap(), [events[2].id, events[0].id]);
    assert_eq!(store.existing(foreign[0].workspace, &wanted).await.unwrap(), [foreign[0].id]);
    assert!(store.existing(id(), &wanted).await.unwrap().is_empty());
}

#[tokio::test]
async fn marks_are_kept_apart_and_said_twice_are_said_once() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let proof = may_keep_inbox(&member(&ada, Role::Viewer));
    let (seen, archived, both, none): (EventId, EventId, EventId, EventId) = (id(), id(), id(), id());
    let put_away = Marking::Archived(true, at(5));
    let marks = [(seen, Marking::Seen), (archived, put_away), (both, Marking::Seen)];
    let read = async || {
        let marks = store.marks(ada.id, EventId::ceiling(Timestamp::MAX), 100).await.unwrap();
        assert!(!marks.contains_key(&none));
        [both, none, archived, seen].map(|event| marks.get(&event).copied().unwrap_or_default())
    };
    assert_eq!(read().await, [Mark::default(); 4]);
    store.mark(&proof, &marks).await.unwrap();
    store.mark(&proof, &[(both, put_away)]).await.unwrap();
    let expected = [
        Mark { seen: true, archived: Some((true, at(5))) },
        Mark::default(),
        Mark { seen: false, archived: Some((true, at(5))) },
        Mark { seen: true, archived: None },
    ];
    assert_eq!(read().await, expected);
    let before = items(&app, "activity").await;
    store.mark(&proof, &marks).await.unwrap();
    store.mark(&proof, &[]).await.unwrap();
    assert_eq!(items(&app, "activity").await, before);
    store.mark(&proof, &[(both, Marking::Archived(false, at(6)))]).await.unwrap();
    assert_eq!(read().await[0], Mark { seen: true, archived: Some((false, at(6))) });
    let others = store.marks(id(), EventId::ceiling(Timestamp::MAX), 100).await.unwrap();
    assert!(others.is_empty(), "another workspace's");
}

#[tokio::test]
async fn the_newest_marks_are_those_of_the_newest_events() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let proof = may_keep_inbox(&member(&ada, Role::Viewer));
    let events = [1, 2, 3, 4].map(|second| EventId::floor(at(second)));
    for event in events {
        store.mark(&proof, &[(event, Marking::Seen)]).await.unwrap();
    }
    store.mark_all(&proof, All::Seen, Watermark { up_to: events[3], at: at(4) }).await.unwrap();
    let read = async |newest: EventId, limit| {
        let marks = store.marks(ada.id, newest, limit).await.unwrap();
        marks.into_keys().collect::<Vec<EventId>>()
    };
    assert_eq!(read(EventId::ceiling(Timestamp::MAX), 2).await, events[2..]);
    assert_eq!(read(events[2], 2).await, events[1..3]);
    assert_eq!(read(events[0].before(), 2).await, []);
}

#[tokio::test]
async fn more_marks_than_a_transaction_holds_are_all_made() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let proof = may_keep_inbox(&member(&ada, Role::Viewer));
    let events: Vec<EventId> = (0..130).map(|_| id()).collect();
    let marks: Vec<(EventId, Marking)> = events.iter().map(|event| (*event, Marking::Seen)).collect();
    store.mark(&proof, &marks).await.unwrap();
    let found = store.marks(ada.id, EventId::ceiling(Timestamp::MAX), 200).await.unwrap();
    assert_eq!(found.len(), events.len());
    for event in events {
        assert_eq!(found[&event], Mark { seen: true, archived: None });
    }
}

#[tokio::test]
async fn marks_of_all_events_are_kept_by_direction() {
    let app = App::start().await;
    let store = store(&app);
    let (ada, other) = (workspace("ada-lovelace"), workspace("grace-hopper"));
    let proof = may_keep_inbox(&member(&ada, Role::Viewer));
    let up_to = |second| Watermark { up_to: EventId::ceiling(at(second)), at: at(second) };
    let read = async || store.inbox(ada.id).await.unwrap();
    assert_eq!(read().await, Inbox::default());
    store.mark_all(&proof, All::Archived(true), up_to(1)).await.unwrap();
    assert_eq!(read().await, Inbox { archived: Some(up_to(1)), ..Inbox::default() });
    store.mark_all(&proof, All::Seen, up_to(2)).await.unwrap();
    store.mark_all(&proof, All::Archived(false), up_to(3)).await.unwrap();
    let inbox = Inbox { seen: Some(up_to(2)), archived: Some(up_to(1)), restored: Some(up_to(3)) };
    assert_eq!(read().await, inbox);
    store.mark_all(&proof, All::Archived(true), up_to(4)).await.unwrap();
    store.mark_all(&proof, All::Archived(true), up_to(4)).await.unwrap();
    assert_eq!(read().await, Inbox { archived: Some(up_to(4)), ..inbox });
    assert_eq!(store.inbox(other.id).await.unwrap(), Inbox::default());
    // The record lies beside the events and is not an event.
    store.begin(&session_of(id()), None, TransactionExtras::default()).await.unwrap();
    let all = store.page(ada.id, EventId::ceiling(at(9)), EventId::floor(at(0)), 9).await.unwrap();
    assert!(all.items.is_empty());
}
