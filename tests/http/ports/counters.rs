//! Throttles, rate windows, leases on messages, receipts.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    id::RequestId,
    ports::{
        Consumed, IdempotencyRecords, MessageLease, RateWindows, Reserved, Sessions, Throttles,
        TransactionExtras,
    },
    secret::Digest256,
    throttle::{Failures, Settled, Slot},
};
use futures::future::join_all;
use tests::App;

use super::{asked, at, id, receipt, session_of, store, with_receipt};

/// A slot of an empty counter with so much room.
fn slot(count: u32, room: u32) -> Slot {
    Slot { count, room, forget: false }
}

/// A request of this second.
fn attempt(second: i64) -> RequestId {
    RequestId::new(at(second), &lambda::OsEntropy)
}

#[tokio::test]
async fn try_is_reserved_only_on_the_counter_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let names = ["bob".to_owned(), "ada".to_owned()];
    let read = async || Throttles::load(&store, &names).await.unwrap();
    let reserve = async |id, slot| Throttles::reserve(&store, "ada", id, slot, at(999)).await.unwrap();
    let settle = async |id, settled| Throttles::settle(&store, "ada", id, settled).await.unwrap();
    assert_eq!(read().await, [Failures::default(), Failures::default()]);
    let (first, second, third) = (attempt(1), attempt(2), attempt(3));
    assert_eq!(reserve(first, slot(0, 2)).await, Reserved::Yes);
    assert_eq!(reserve(first, slot(0, 1)).await, Reserved::Yes, "sent again after a lost answer");
    assert_eq!(reserve(second, slot(0, 2)).await, Reserved::Yes);
    let both = Failures { pending: [first, second].into(), ..Failures::default() };
    assert_eq!(reserve(third, slot(0, 2)).await, Reserved::No(both.clone()));
    let since = app.last_call().await;
    assert_eq!(read().await, [Failures::default(), both]);
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
    settle(first, Settled::Failed).await;
    settle(first, Settled::Failed).await;
    let one = Failures { count: 1, last: Some(at(1)), pending: [second].into(), ..Failures::default() };
    assert_eq!(reserve(third, slot(0, 5)).await, Reserved::No(one), "the count is another");
    settle(second, Settled::Withdrawn).await;
    let one = Failures { count: 1, last: Some(at(1)), ..Failures::default() };
    assert_eq!(read().await[1], one);
    assert_eq!(reserve(third, slot(1, 4)).await, Reserved::Yes);
    settle(third, Settled::Forgiven).await;
    assert_eq!(read().await[1], Failures { count: 0, ..one });
    settle(first, Settled::Failed).await;
    assert_eq!(read().await[1].count, 0, "an attempt without a reservation is not counted");
    assert_eq!(read().await[0], Failures::default());
}

#[tokio::test]
async fn counter_of_an_earlier_version_is_read_and_forgotten() {
    let app = App::start().await;
    let store = store(&app);
    let put = app.tables().put_item().table_name(app.table("operations"));
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = put.item("pk", text("THROTTLE#ada")).item("sk", text("THROTTLE"));
    let put = put.item("count", AttributeValue::N("7".to_owned())).item("last", text(&at(5).to_string()));
    put.send().await.unwrap();
    let names = ["ada".to_owned()];
    let seen = Throttles::load(&store, &names).await.unwrap();
    assert_eq!(seen, [Failures { count: 7, last: Some(at(5)), ..Failures::default() }]);
    let slot = Slot { count: 7, room: 5, forget: true };
    assert_eq!(Throttles::reserve(&store, "ada", attempt(6), slot, at(999)).await.unwrap(), Reserved::Yes);
    assert_eq!(Throttles::load(&store, &names).await.unwrap()[0].count, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_attempts_at_once_get_no_more_tries_than_there_are() {
    let app = App::start().await;
    let store = store(&app);
    let reserve = |n| Throttles::reserve(&store, "ada", attempt(n), slot(0, 5), at(999));
    let reserved: Vec<Reserved> =
        join_all((0..50).map(reserve)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(reserved.iter().filter(|reserved| **reserved == Reserved::Yes).count(), 5, "{reserved:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_never_grants_more_than_its_limit_to_fifty_at_once() {
    let app = App::start().await;
    let store = store(&app);
    for (name, want, limit) in [("ones", 1, 7), ("tens", 10, 100), ("all", 5, 5)] {
        let take = |_| RateWindows::take(&store, name, at(60), want, limit);
        let taken = join_all((0..50).map(take)).await;
        let taken: Vec<_> = taken.into_iter().map(Result::unwrap).collect();
        assert_eq!(taken.iter().map(|taken| taken.granted).sum::<u32>(), limit, "{name}");
        // Each grant saw another level, up to the limit; the others saw a full window.
        let levels: BTreeSet<u32> = taken.iter().filter(|t| t.granted > 0).map(|t| t.used).collect();
        assert_eq!(levels, (1..=limit / want).map(|n| n * want).collect(), "{name}");
        assert!(taken.iter().all(|taken| taken.granted > 0 || taken.used == limit), "{taken:?}");
    }
}

#[tokio::test]
async fn windows_are_apart_by_name_and_by_end() {
    let app = App::start().await;
    let store = store(&app);
    let take = async |name: &str, ends| {
        let taken = RateWindows::take(&store, name, at(ends), 4, 8).await.unwrap();
        (taken.granted, taken.used)
    };
    assert_eq!(take("ada", 60).await, (4, 4));
    assert_eq!(take("ada", 60).await, (4, 8));
    assert_eq!(take("ada", 60).await, (0, 8));
    assert_eq!(take("ada", 120).await, (4, 4), "the next window is full again");
    assert_eq!(take("bob", 60).await, (4, 4), "another's window is another's");
    assert_eq!(take("ada", 60).await, (0, 8), "and the old one stays as it was");
}

#[tokio::test]
async fn a_message_is_taken_by_one_until_it_is_done_or_let_go() {
    let app = App::start().await;
    let store = store(&app);
    let (message, other) = (id(), id());
    let claim = async |consumer: &str, message, now| {
        store.claim(consumer, message, at(now), at(now + 30)).await.unwrap()
    };
    assert_eq!(claim("mail", message, 0).await, MessageLease::Taken);
    assert_eq!(claim("mail", message, 1).await, MessageLease::Busy);
    assert_eq!(claim("mail", other, 1).await, MessageLease::Taken, "another message");
    assert_eq!(claim("audit", message, 1).await, MessageLease::Taken, "another consumer");
    store.release("mail", message).await.unwrap();
    assert_eq!(claim("mail", message, 2).await, MessageLease::Taken);
    store.done("mail", message, at(9_999)).await.unwrap();
    assert_eq!(claim("mail", message, 3).await, MessageLease::Done);
    assert_eq!(claim("mail", message, 500).await, MessageLease::Done, "long after the lease");
    assert_eq!(claim("audit", message, 4).await, MessageLease::Busy, "done for one is not done for all");
    assert_eq!(claim("mail", other, 4).await, MessageLease::Busy);
}

#[tokio::test]
async fn a_lease_that_ended_is_free_again_to_the_second() {
    let app = App::start().await;
    let store = store(&app);
    let message = id();
    let claim = async |now, ends| store.claim("mail", message, at(now), at(ends)).await.unwrap();
    assert_eq!(claim(0, 30).await, MessageLease::Taken);
    assert_eq!(claim(29, 60).await, MessageLease::Busy);
    assert_eq!(claim(30, 60).await, MessageLease::Taken);
    assert_eq!(claim(31, 90).await, MessageLease::Busy, "the new lease counts");
    assert_eq!(claim(59, 90).await, MessageLease::Busy);
    assert_eq!(claim(60, 90).await, MessageLease::Taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_lease_goes_to_one_of_fifty() {
    let app = App::start().await;
    let store = store(&app);
    let message = id();
    for now in [0, 30] {
        let claim = |_| store.claim("mail", message, at(now), at(now + 30));
        let claims: Vec<MessageLease> =
            join_all((0..50).map(claim)).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(claims.iter().filter(|claim| **claim == MessageLease::Taken).count(), 1, "{claims:?}");
        assert_eq!(claims.iter().filter(|claim| **claim == MessageLease::Busy).count(), 49, "{claims:?}");
    }
}

#[tokio::test]
async fn a_receipt_is_found_by_its_scope_as_it_was_written() {
    let app = App::start().await;
    let store = store(&app);
    let written = receipt("once");
    assert!(IdempotencyRecords::find(&store, written.scope).await.unwrap().is_none());
    store.begin(&session_of(id()), None, with_receipt("once")).await.unwrap();
    let found = IdempotencyRecords::find(&store, written.scope).await.unwrap().unwrap();
    assert_eq!(found.scope, written.scope);
    assert_eq!(found.fingerprint, written.fingerprint);
    assert_eq!(found.reference, "made by once");
    assert_eq!(found.expires_at, at(86_400));
    assert!(IdempotencyRecords::find(&store, Digest256::of("twice")).await.unwrap().is_none());
    store.begin(&session_of(id()), None, TransactionExtras::default()).await.unwrap();
    assert!(IdempotencyRecords::find(&store, Digest256::of("")).await.unwrap().is_none());
}
