//! The credit of a plan: once for each month, gone when the month ends, and not granted after the plan is over.

use domain::{
    domain_events::{DomainEvent, Message},
    id::MessageId,
    plan::CreditPeriod,
    ports::Workspaces,
    wallet::{Cause, LotKind},
    workspace::Workspace,
};
use futures::future::join3;
use lambda::OsEntropy;

use super::*;
use crate::{privacy::until_delivered, provision::PATH};

const DOLLAR: i64 = 1_000_000;

/// Sets the terms of a plan, as the service that bills does.
async fn set(app: &App, username: &str, plan: &str, terms: Value) {
    let mut form = json!({ "username": username, "plan": plan });
    form.as_object_mut().unwrap().extend(terms.as_object().cloned().unwrap_or_default());
    surely(|| app.as_service(Method::POST, PATH, form.clone())).await.expect(200);
}

/// Runs the worker with the message that a plan changed. The one of the bus comes, too, sooner or later.
pub async fn is_told(app: &App, workspace: WorkspaceId) {
    let at = app.now().await;
    let message =
        Message { id: MessageId::new(at, &OsEntropy), at, notice: DomainEvent::PlanChanged { workspace } };
    let path = format!("/_local/run/{GRANT}?region={}", app.home());
    surely(|| app.post(&path, json!({ "detail": message }))).await.expect(200);
}

/// Gets the plan Pro, and its credit.
pub async fn gets_pro(who: &Person) {
    set(&who.app, &who.handle, "pro", Value::Null).await;
    is_told(&who.app, who.workspace()).await;
}

async fn stored(app: &App, workspace: WorkspaceId) -> Workspace {
    Workspaces::find(&store(app), workspace).await.unwrap().unwrap()
}

/// The month of the plan now.
async fn period(app: &App, workspace: WorkspaceId) -> CreditPeriod {
    stored(app, workspace).await.credit_period(app.now().await).unwrap()
}

/// The story of a wallet, in dollars.
async fn dollars(app: &App, workspace: WorkspaceId) -> Vec<(&'static str, i64)> {
    let postings = recomputed_of(app, workspace).await;
    assert!(postings.iter().all(|posting| posting.amount.micros() % DOLLAR == 0));
    story(&postings).into_iter().map(|(name, amount)| (name, amount / DOLLAR)).collect()
}

/// Lets the worker run at a time.
async fn run_at(app: &App, now: Timestamp) {
    app.set_clock(now).await;
    app.run_worker(GRANT).await;
}

const SIGN_UP: (&str, i64) = ("signup", 25);
const PRO: (&str, i64) = ("monthly_grant", 30);
const GONE: (&str, i64) = ("pro_credit_expiry", -30);

#[tokio::test]
async fn plan_brings_its_credit_at_once_by_a_message() {
    let app = App::start().await;
    let who = app.user("month-told").await;
    set(&app, "month-told", "pro", Value::Null).await;
    let by = &who;
    until_delivered(&app, "the credit does not come", move || async move { postings(by).await == 2 }).await;
    let (month, last) = (period(&app, who.workspace()).await, recomputed(&who).await.pop().unwrap());
    assert_eq!((last.r#type.as_str(), &last.cause), ("monthly_grant", &Cause::Monthly(month.starts)));
    let lots: Vec<_> =
        last.lots.iter().map(|lot| (lot.id.kind, lot.id.expires, lot.amount.micros())).collect();
    assert_eq!(lots, [(LotKind::Monthly, Some(month.ends), 30 * DOLLAR)]);
    assert_eq!(due(&who, WalletTask::Grant).await, Some(month.ends));
    assert_eq!(micros(&balance(&who).await), [55_000_000, 55_000_000, 0]);
    let listed = who.get("/api/billing/transactions?limit=1").await.expect(200);
    assert_eq!(listed.at("/transactions/0/type"), "monthly_grant");
}

#[tokio::test]
async fn credit_of_a_month_comes_when_that_of_the_last_one_goes() {
    let app = App::in_process().await;
    app.stop_clock().await;
    let who = app.user("month-next").await;
    let id = who.workspace();
    gets_pro(&who).await;
    let first = period(&app, id).await;
    assert_eq!(Some(first.starts), stored(&app, id).await.plan_since);
    run_at(&app, first.ends - MILLISECOND).await;
    assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO]);
    run_at(&app, first.ends).await;
    assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO, GONE, PRO]);
    let last = recomputed(&who).await.split_off(2);
    assert!(last.iter().all(|posting| posting.at == first.ends), "{last:?}");
    // The rest of a month is gone, and no more.
    charges(&who, "job", 12 * DOLLAR).await.expect(200);
    let second = period(&app, id).await;
    assert_eq!(second.starts, first.ends);
    run_at(&app, second.ends).await;
    let rest = [("training", -12), ("pro_credit_expiry", -18), PRO];
    assert_eq!(dollars(&app, id).await, [&[SIGN_UP, PRO, GONE, PRO][..], &rest].concat());
    assert_eq!(due(&who, WalletTask::Grant).await, Some(period(&app, id).await.ends));
}

#[tokio::test]
async fn months_without_a_run_are_not_made_up_for() {
    let app = App::start().await;
    let who = app.user("month-late").await;
    gets_pro(&who).await;
    let since = period(&app, who.workspace()).await.starts;
    app.faults(json!([{ "service": "dynamodb", "function": GRANT, "kind": "refused", "times": 0 }])).await;
    // Their credit would have expired by now.
    app.advance(200 * 86_400).await;
    app.no_faults().await;
    surely(|| app.try_worker(GRANT)).await.expect(200);
    assert_eq!(dollars(&app, who.workspace()).await, [SIGN_UP, PRO, GONE, PRO]);
    let (month, last) = (period(&app, who.workspace()).await, recomputed(&who).await.pop().unwrap());
    assert_eq!(last.cause, Cause::Monthly(month.starts));
    assert!(month.starts.duration_since(since) > SignedDuration::from_hours(150 * 24));
}

#[tokio::test]
async fn credit_counts_seats_of_the_contract_and_changes_with_the_next_month() {
    let app = App::in_process().await;
    app.stop_clock().await;
    let owner = app.user("month-owner").await;
    let team = owner.create_team("month-team").await;
    set(&app, "month-team", "pro", json!({ "seats": 4 })).await;
    is_told(&app, team).await;
    let (four, nine) = (("monthly_grant", 120), ("monthly_grant", 270));
    assert_eq!(dollars(&app, team).await, [four]);
    let first = period(&app, team).await;
    // More seats, and ends of the plan, in the same month.
    let (soon, later) = (after(&app, 86_400).await, after(&app, 40 * 86_400).await);
    for terms in [
        json!({ "seats": 9 }),
        json!({ "seats": 9, "endsAt": soon.to_string() }),
        json!({ "seats": 9, "endsAt": later.to_string() }),
    ] {
        set(&app, "month-team", "pro", terms).await;
        is_told(&app, team).await;
        app.run_worker(GRANT).await;
        assert_eq!(dollars(&app, team).await, [four]);
        assert_eq!(wallet_of(&app, team).await.unwrap().due.of(WalletTask::Grant), Some(first.ends));
    }
    run_at(&app, first.ends).await;
    let both = [four, ("pro_credit_expiry", -120), nine];
    assert_eq!(dollars(&app, team).await, both);
    // The plan ends within the month, and its credit stays until the month ends.
    let second = period(&app, team).await;
    assert!(second.starts < later && later < second.ends);
    run_at(&app, second.ends - MILLISECOND).await;
    assert_eq!(dollars(&app, team).await, both);
    let now = app.now().await;
    assert_eq!(wallet_of(&app, team).await.unwrap().available_at(now).micros(), 270 * DOLLAR);
    run_at(&app, second.ends).await;
    let over = [four, ("pro_credit_expiry", -120), nine, ("pro_credit_expiry", -270)];
    assert_eq!(dollars(&app, team).await, over);
    for days in [1, 40] {
        run_at(&app, after(&app, days * 86_400).await).await;
        assert_eq!(dollars(&app, team).await, over);
        assert_eq!(notes(&app, WalletTask::Grant).await, 0);
    }
    // The same plan again: a month of its own, from now on.
    set(&app, "month-team", "pro", Value::Null).await;
    is_told(&app, team).await;
    assert_eq!(dollars(&app, team).await, [&over[..], &[PRO]].concat());
    assert_eq!(period(&app, team).await.starts, stored(&app, team).await.plan_since.unwrap());
}

#[tokio::test]
async fn other_plans_and_unknown_workspaces_have_no_monthly_credit() {
    let app = App::start().await;
    let who = app.user("month-free").await;
    let (id, nobody) = (who.workspace(), WorkspaceId::floor(app.now().await));
    for plan in ["enterprise", "free"] {
        set(&app, "month-free", plan, json!({ "seats": 7 })).await;
        for workspace in [id, nobody] {
            is_told(&app, workspace).await;
            // Nor does it open a wallet.
            assert!(wallet_of(&app, workspace).await.is_none(), "{plan}");
        }
    }
    gets_pro(&who).await;
    assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO]);
    let end = period(&app, id).await.ends;
    for plan in ["free", "enterprise"] {
        set(&app, "month-free", plan, Value::Null).await;
        is_told(&app, id).await;
        assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO], "{plan}");
        assert_eq!((due(&who, WalletTask::Grant).await, notes(&app, WalletTask::Grant).await), (None, 0));
    }
    // Granted credit can be spent until its month ends.
    assert_eq!(wallet(&who).await.next_expiry(), Some(end));
    assert_eq!(checks(&who, 55 * DOLLAR).await.expect(200).at("/allowed"), true);
    app.advance(32 * 86_400).await;
    for worker in [GRANT, EXPIRE] {
        app.run_worker(worker).await;
    }
    assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO, GONE]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubled_messages_and_runs_at_once_grant_a_month_once() {
    let app = App::start().await;
    let who = app.user("month-twice").await;
    let id = who.workspace();
    set(&app, "month-twice", "pro", Value::Null).await;
    let run = || surely(|| app.try_worker(GRANT));
    join3(join_all((0..4).map(|_| is_told(&app, id))), run(), run()).await;
    assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO]);
    for month in 1..=2 {
        app.set_clock(period(&app, id).await.ends).await;
        let (_, one, other) = join3(join_all((0..4).map(|_| is_told(&app, id))), run(), run()).await;
        for answer in [one, other] {
            answer.expect(200);
        }
        let expected = [vec![SIGN_UP, PRO], [GONE, PRO].repeat(month)].concat();
        assert_eq!(dollars(&app, id).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grant_beside_a_cancellation_is_before_it_or_not_at_all() {
    let app = App::start().await;
    for round in 0..number("ACCOUNT_TEST_ROUNDS", 3) {
        let who = app.user(&format!("race-plan-{round}")).await;
        let id = who.workspace();
        let booked = async || items::<Value>(&who, ItemKind::Postings).await.len();
        set(&app, &who.handle, "pro", Value::Null).await;
        let cancelled = async {
            set(&app, &who.handle, "free", Value::Null).await;
            booked().await
        };
        let (before, (), ()) = join3(cancelled, is_told(&app, id), is_told(&app, id)).await;
        // Whatever comes later grants nothing.
        is_told(&app, id).await;
        assert!([0, 2].contains(&before), "{before} postings");
        assert_eq!(booked().await, before, "granted after the plan was over");
        if before > 0 {
            assert_eq!(dollars(&app, id).await, [SIGN_UP, PRO]);
            assert_eq!(due(&who, WalletTask::Grant).await, None);
        }
    }
}

#[tokio::test]
async fn run_with_a_clock_that_is_behind_changes_nothing() {
    let app = App::start().await;
    app.stop_clock().await;
    let who = app.user("is-behind").await;
    gets_pro(&who).await;
    app.set_clock(due(&who, WalletTask::Grant).await.unwrap()).await;
    is_told(&app, who.workspace()).await;
    // A run of the schedule would change the wallet, too.
    app.run_worker("verify-wallets").await;
    let before = wallet(&who).await;
    app.set_clock(after(&app, -3_600).await).await;
    is_told(&app, who.workspace()).await;
    assert_eq!(wallet(&who).await, before);
}
