//! Records of deletions.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    deletion::{Deletion, Step, StepsDone},
    ports::{Deletions, Saved, TransactionExtras},
};
use tests::App;

use super::{at, event, everything, id, planted::Planted, why, with_all};

#[tokio::test]
async fn a_deletion_is_replaced_only_as_it_was_read_and_is_due_once() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, mut now) = (ada.store(), ada.close().await);
    let due = async |at: Timestamp| Deletions::due(store, at, 9).await.unwrap();
    let expected = [(now.user, now.id)];
    assert_eq!(due(at(0)).await, expected);
    let counts = BTreeMap::from([("datasets".to_owned(), 3)]);
    let counting = Deletion { counted: Some("a name".to_owned()), counts, ..now.next() };
    let first_look = Deletion { steps_done: StepsDone::All, counted: None, version: 3, ..counting.clone() };
    let steps_done = StepsDone::Some(vec![Step::Bundles, Step::Files]);
    let second_look = Deletion { steps_done, looks_again: true, ..first_look.next() };
    let mut handed_over = second_look.next();
    handed_over.hand_over(second_look.looks_again_at());
    for next in [counting, first_look, second_look, handed_over] {
        let save =
            async || Deletions::replace(store, &now, &next, TransactionExtras::default()).await.unwrap();
        assert_eq!(save().await, Saved::Yes);
        let before = everything(&app).await;
        let line = with_all(&event(id(), 0), "stale");
        assert_eq!(Deletions::replace(store, &now, &next, line).await.unwrap(), Saved::Stale);
        assert_eq!(everything(&app).await, before);
        let found = Deletions::find(store, now.user, now.id).await.unwrap().unwrap();
        let of = |it: &Deletion| {
            let steps = (it.steps_done.clone(), it.looks_again, it.handed_over_until);
            (steps, it.counted.clone(), it.counts.clone(), it.version)
        };
        assert_eq!(of(&found), of(&next));
        assert_eq!((found.handle, found.address), (next.handle.clone(), next.address));
        assert_eq!(due(next.due_at()).await, expected);
        let millisecond = jiff::SignedDuration::from_millis(1);
        assert!(due(next.due_at() - millisecond).await.is_empty());
        now = next;
    }
    let stale = Deletion { version: 1, ..now.clone() };
    assert_eq!(why(Deletions::forget(store, &stale).await), "lost too many races");
    assert_eq!(due(at(99_999)).await, expected);
    Deletions::forget(store, &now).await.unwrap();
    assert!(due(at(99_999)).await.is_empty());
}
