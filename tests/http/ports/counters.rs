//! Throttles, rate windows, leases on messages, receipts.

use std::collections::BTreeSet;

use domain::{
    Timestamp,
    ports::{Alongside, Claim, Consumed, RateWindows, Receipts, Saved, Sessions, Throttles},
    secret::Digest256,
    throttle::Failures,
};
use futures::future::join_all;
use tests::App;

use super::{asked, at, id, receipt, session_of, store, with_receipt};

/// So many failures, the last of them in this second (and not at its beginning).
fn failures(count: u32, second: i64) -> Failures {
    let last = Timestamp::from_millisecond(at(second).as_millisecond() + 120).unwrap();
    Failures { count, last: Some(last) }
}

#[tokio::test]
async fn a_counter_is_saved_only_over_what_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let none = Failures::default();
    let names = ["bob".to_owned(), "ada".to_owned()];
    let read = async || Throttles::load(&store, &names).await.unwrap();
    let save = async |seen, now| Throttles::save(&store, "ada", seen, now, at(999)).await.unwrap();
    assert_eq!(read().await, [none, none]);
    assert_eq!(save(failures(1, 1), failures(2, 2)).await, Saved::Stale, "there is none yet");
    assert_eq!(save(none, failures(1, 1)).await, Saved::Yes);
    assert_eq!(save(none, failures(1, 2)).await, Saved::Stale);
    assert_eq!(save(failures(1, 0), failures(2, 2)).await, Saved::Stale, "the time is another");
    assert_eq!(save(failures(2, 1), failures(3, 2)).await, Saved::Stale, "the count is another");
    let since = app.last_call().await;
    assert_eq!(read().await, [none, failures(1, 1)]);
    assert_eq!(asked(&app, "dynamodb", since).await, ["BatchGetItem"]);
    assert_eq!(save(failures(1, 1), failures(2, 2)).await, Saved::Yes);
    assert_eq!(read().await, [none, failures(2, 2)]);
    Throttles::clear(&store, "bob").await.unwrap();
    assert_eq!(read().await, [none, failures(2, 2)]);
    Throttles::clear(&store, "ada").await.unwrap();
    assert_eq!(read().await, [none, none]);
    assert_eq!(save(none, failures(1, 3)).await, Saved::Yes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_attempts_counted_at_once_none_shares_a_count() {
    let app = App::start().await;
    let store = store(&app);
    let save = |n| Throttles::save(&store, "ada", Failures::default(), failures(1, n), at(999));
    let saved: Vec<Saved> = join_all((0..50).map(save)).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(saved.iter().filter(|saved| **saved == Saved::Yes).count(), 1, "{saved:?}");
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
    assert_eq!(claim("mail", message, 0).await, Claim::Taken);
    assert_eq!(claim("mail", message, 1).await, Claim::Busy);
    assert_eq!(claim("mail", other, 1).await, Claim::Taken, "another message");
    assert_eq!(claim("audit", message, 1).await, Claim::Taken, "another consumer");
    store.release("mail", message).await.unwrap();
    assert_eq!(claim("mail", message, 2).await, Claim::Taken);
    store.done("mail", message, at(9_999)).await.unwrap();
    assert_eq!(claim("mail", message, 3).await, Claim::Done);
    assert_eq!(claim("mail", message, 500).await, Claim::Done, "long after the lease");
    assert_eq!(claim("audit", message, 4).await, Claim::Busy, "done for one is not done for all");
    assert_eq!(claim("mail", other, 4).await, Claim::Busy);
}

#[tokio::test]
async fn a_lease_that_ended_is_free_again_to_the_second() {
    let app = App::start().await;
    let store = store(&app);
    let message = id();
    let claim = async |now, ends| store.claim("mail", message, at(now), at(ends)).await.unwrap();
    assert_eq!(claim(0, 30).await, Claim::Taken);
    assert_eq!(claim(29, 60).await, Claim::Busy);
    assert_eq!(claim(30, 60).await, Claim::Taken);
    assert_eq!(claim(31, 90).await, Claim::Busy, "the new lease counts");
    assert_eq!(claim(59, 90).await, Claim::Busy);
    assert_eq!(claim(60, 90).await, Claim::Taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_who_claim_a_message_one_gets_it_first_and_after_the_lease() {
    let app = App::start().await;
    let store = store(&app);
    let message = id();
    for now in [0, 30] {
        let claim = |_| store.claim("mail", message, at(now), at(now + 30));
        let claims: Vec<Claim> = join_all((0..50).map(claim)).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::Taken).count(), 1, "{claims:?}");
        assert_eq!(claims.iter().filter(|claim| **claim == Claim::Busy).count(), 49, "{claims:?}");
    }
}

#[tokio::test]
async fn a_receipt_is_found_by_its_scope_as_it_was_written() {
    let app = App::start().await;
    let store = store(&app);
    let written = receipt("once");
    assert!(Receipts::find(&store, written.scope).await.unwrap().is_none());
    store.begin(&session_of(id()), None, with_receipt("once")).await.unwrap();
    let found = Receipts::find(&store, written.scope).await.unwrap().unwrap();
    assert_eq!(found.scope, written.scope);
    assert_eq!(found.fingerprint, written.fingerprint);
    assert_eq!(found.reference, "made by once");
    assert_eq!(found.expires_at, at(86_400));
    assert!(Receipts::find(&store, Digest256::of("twice")).await.unwrap().is_none());
    store.begin(&session_of(id()), None, Alongside::default()).await.unwrap();
    assert!(Receipts::find(&store, Digest256::of("")).await.unwrap().is_none());
}
