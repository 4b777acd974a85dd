//! Thirty days, to the millisecond.

use jiff::SignedDuration;

use super::*;

const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);

#[tokio::test]
async fn trash_can_be_restored_for_thirty_days() {
    let app = App::in_process().await;
    app.stop_clock().await;
    let key = app.user("ada21").await.with_api_key("ci").await;
    app.hold_purges().await;
    let project = key.make(Kind::Project, "yolo").await;
    let model = key.make_in(&project, "nano").await;
    let [early, late] = [key.make(Kind::Dataset, "early").await, key.make(Kind::Dataset, "late").await];
    for id in [&model, &early, &late] {
        key.upload(id, "12345").await;
    }
    for id in [&project, &early, &late] {
        key.trash(id).await.expect(200);
    }
    let trashed: domain::Timestamp =
        key.get("/api/trash").await.expect(200).text_at("/items/0/trashedAt").parse().unwrap();
    let over = trashed + MONTH;

    app.set_clock(over - MILLISECOND).await;
    let last = key.get("/api/trash").await.expect(200);
    assert_eq!((last.at("/total"), last.at("/items/0/daysRemaining")), (&json!(3), &json!(1)));
    key.restore(&early).await.expect(200);
    key.get(&path_of(&early)).await.expect(200);
    for later in [SignedDuration::ZERO, MILLISECOND, SignedDuration::from_hours(3 * 24)] {
        app.set_clock(over + later).await;
        for id in [&project, &late, &model] {
            for answer in [key.restore(id).await, key.purge(id).await, key.get(&path_of(id)).await] {
                assert_eq!(answer.brief(), "404 NOT_FOUND", "{later} after the end");
            }
        }
        let list = key.get("/api/trash").await.expect(200);
        assert_eq!((list.at("/total"), list.at("/summary/totalSizeBytes")), (&json!(0), &json!(0)));
        // The records are there, three days late.
        assert_eq!((stored(&key).await, app.file_keys().await.len()), (15, 3));
        app.advance(61).await;
    }
    app.no_faults().await;
    let report = app.run_worker("purge-trash").await;
    assert_eq!(report["removed"], 2, "{report}");
    assert_eq!(key.restore(&late).await.brief(), "404 NOT_FOUND");
    assert_eq!(stored(&key).await, 5);
    // What belongs to them follows by a message, or an hour later.
    app.advance(3_601).await;
    app.run_worker("purge-trash").await;
    assert_eq!(app.file_keys().await.len(), 1);
    key.get(&path_of(&early)).await.expect(200);
}

#[tokio::test]
async fn expired_trash_is_purged_daily_with_reason() {
    let app = App::start().await;
    let bob = app.user("bob21").await;
    let dataset = bob.make(Kind::Dataset, "coco").await;
    bob.upload(&dataset, "12345").await;
    bob.trash(&dataset).await.expect(200);
    app.advance(30 * 86_400 - 60).await;
    app.run_worker("purge-trash").await;
    let bob = again(&bob).await;
    assert_eq!((bob.in_trash().await, stored(&bob).await), (vec!["coco".to_owned()], 5));
    app.advance(61).await;
    app.run_worker("purge-trash").await;
    assert_eq!((bob.in_trash().await, stored(&bob).await), (vec![], 0));
    let newest = bob.get("/api/activity").await.expect(200);
    assert_eq!(bob.activity().await[0], "deleted dataset coco");
    assert_eq!(newest.at("/events/0/metadata/reason"), "expired");
    app.advance(3_601).await;
    app.run_worker("purge-trash").await;
    assert_eq!(app.file_keys().await, Vec::<String>::new());
}
