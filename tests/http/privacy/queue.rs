//! Many deletions at once: each ends in its time, whatever happens to the others.

use std::time::Duration;

use domain::{
    Timestamp,
    deletion::{Deletion, DeletionScope, StepsDone},
    email::EmailAddress,
    id::{JobId, UserId},
    job::Status,
    user::personal_workspace,
};
use kit::ItemKind;
use tests::{App, Value, json};

use super::{forgotten, looked_once};
use crate::many;

const WORKER: &str = "run-deletion";
/// From the request to the second look.
const APART: i64 = 70 * 60;
/// How many jobs a run of the schedule hands over.
const HANDED_OVER: usize = 5_000;

/// The nth of many deletions whose second look is due, of accounts of which nothing is left.
async fn due_deletions(app: &App, count: usize) -> Vec<Deletion> {
    let now = app.now().await.as_millisecond();
    let deletion = |n: usize| {
        let at = Timestamp::from_millisecond(now - 1_000 * (APART + 60) - n as i64).unwrap();
        let user = UserId::floor(at);
        Deletion {
            id: JobId::floor(at),
            scope: DeletionScope::Account,
            user,
            requester_home: None,
            session: None,
            workspace: personal_workspace(user),
            region: app.home(),
            handle: None,
            address: None,
            addresses: Vec::new(),
            receipt_to: Some(EmailAddress::parse(&format!("gone-{n}@people.example")).unwrap()),
            status: Status::Running,
            created_at: at,
            ended_at: None,
            looks_again: false,
            steps_done: StepsDone::All,
            handed_over_until: None,
            counted: None,
            referral_kept_until: None,
            counts: Default::default(),
            version: 1,
        }
    };
    (0..count).map(deletion).collect()
}

/// Writes deletions as they are stored, with what `change` says.
async fn plant(app: &App, deletions: &[Deletion], change: impl Fn(&mut Value)) {
    let items = deletions.iter().flat_map(|deletion| {
        let (jobs, id) = (ItemKind::Jobs.partition(deletion.user), deletion.id);
        let mut record = serde_json::to_value(deletion).unwrap();
        record["pk"] = jobs.clone().into();
        record["sk"] = format!("DELETION#{id}").into();
        change(&mut record);
        let running =
            json!({ "pk": jobs, "sk": format!("RUNNING#delete#{}", deletion.workspace), "job": id });
        let due = format!("{:013}#{}#{id}", deletion.due_at().as_millisecond(), deletion.user);
        [record, running, json!({ "pk": ItemKind::DeletionsDue.partition(""), "sk": due })]
    });
    many::put_all(app, "operations", items).await;
}

/// How many deletions the schedule has to look after, now or later.
async fn waiting(app: &App) -> usize {
    many::items_in(app, "operations", &ItemKind::DeletionsDue.partition("")).await
}

/// Waits until so many are left. It takes as long as it takes, if only one ends every minute.
async fn all_but(app: &App, left: usize) {
    let (mut before, mut patience) = (usize::MAX, 0);
    loop {
        let now = waiting(app).await;
        if now == left {
            return;
        }
        patience = if now < before { 1_200 } else { patience - 1 };
        assert!(patience > 0, "{now} deletions do not come to their end");
        before = now;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_due_at_once_all_end_after_a_run_of_the_schedule() {
    let app = App::start().await;
    app.stop_clock().await;
    let count = many::number("ACCOUNT_TEST_DELETIONS", 300);
    let deletions = due_deletions(&app, count).await;
    plant(&app, &deletions, |_| ()).await;
    for nth in 0..count.div_ceil(HANDED_OVER) {
        let report = app.run_worker(WORKER).await;
        assert_eq!(report["handed_over"], HANDED_OVER.min(count - nth * HANDED_OVER), "{report}");
    }
    // Some are struck in the middle, and go on by themselves: no further run of the schedule, and no time passes.
    let lost = json!({
        "service": "dynamodb", "operation": "TransactWriteItems", "function": WORKER, "kind": "lost-response",
        "nth": 5, "times": 20,
    });
    app.faults(json!([lost])).await;
    all_but(&app, 0).await;
    for n in [0, count / 2, count - 1] {
        app.mail_of_kind(deletions[n].receipt_to.as_ref().unwrap().as_str(), "account-deleted").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletions_that_fail_hold_up_no_other() {
    tests::needs_every_region!();
    const BROKEN: usize = 120;
    let app = App::start().await;
    app.stop_clock().await;
    // Due before hers, and no run can read them.
    let broken = due_deletions(&app, BROKEN).await;
    plant(&app, &broken, |record| record["receipt_to"] = json!("nobody")).await;
    let ada = app.user("ada-waits").await;
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    app.advance(APART).await;
    for _ in 0..2 {
        assert_eq!(app.try_worker(WORKER).await.status, 502);
    }
    forgotten(&ada).await;
    all_but(&app, BROKEN).await;
    app.mail_of_kind(&ada.email, "account-deleted").await;
}

#[tokio::test]
async fn deletions_that_were_handed_over_in_vain_are_due_again() {
    let app = App::start().await;
    app.stop_clock().await;
    let deletions = due_deletions(&app, 3).await;
    plant(&app, &deletions, |_| ()).await;
    // What they are handed over with does not arrive.
    app.faults(json!([{ "service": "events", "kind": "refused", "times": 0 }])).await;
    assert_eq!(app.run_worker(WORKER).await["handed_over"], 3);
    assert_eq!(app.run_worker(WORKER).await["handed_over"], 0, "they are not due");
    app.advance(10 * 60).await;
    assert_eq!(app.run_worker(WORKER).await["handed_over"], 3);
    app.no_faults().await;
    all_but(&app, 0).await;
}
