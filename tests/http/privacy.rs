//! A person's data: all of it in a bundle, and nothing of it after a deletion.

mod account;
mod billing;
mod bundle;
mod dead;
mod erased;
mod everything;
mod exported;
mod freed;
mod late;
mod links;
mod once;
mod planted;
mod queue;
mod readers;
mod receipt;
mod refused;
mod repeated;
mod requests;
mod restored;
mod upgraded;
mod wallet;

use std::time::{Duration, Instant};

use tests::{App, Person};

pub use everything::Everything;

/// After so many seconds, a deletion has looked again: an hour and ten minutes later, and a run of the schedule.
pub const SECOND_LOOK: i64 = 86 * 60;

/// Maximum wait for a background job. It is long because a job slows down on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something holds.
pub async fn until<H: Future<Output = bool>>(what: &str, holds: impl Fn() -> H) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same for the effect of a message, which is delivered again if it failed.
pub async fn until_delivered<H: Future<Output = bool>>(app: &App, what: &str, holds: impl Fn() -> H) {
    let (began, mut n) = (Instant::now(), 0);
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "{what}");
        n += 1;
        app.wait_for_message(n).await;
    }
}

/// Waits until somebody's deletion has looked for the first time.
pub async fn looked_once(who: &Person) {
    let is_over = |job: &tests::Value| job["steps_done"] == "all" && job["looks_again"] == false;
    until_delivered(&who.app, "the first look does not come to its end", move || async move {
        who.jobs().await.iter().filter(|job| !job["steps_done"].is_null()).all(is_over)
    })
    .await;
}

/// Waits until nothing tells of a job of somebody's. A run that met another run, or a fault, leaves the job to the next scheduled
/// run. On a busy machine that can be any run, so this does not wait for the schedule: it runs the worker, as the schedule would.
pub async fn forgotten(who: &Person) {
    until("the second look does not come to its end", move || async move {
        if who.jobs().await.is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        who.app.try_worker("run-deletion").await;
        // The schedule hands a job over again after minutes of the clock; so does the queue.
        who.app.redeliver().await;
        false
    })
    .await;
}

/// Deletes an account, to the end.
pub async fn erase(who: &Person) {
    who.ask_to_be_deleted().await.expect(202);
    looked_once(who).await;
    who.app.advance(SECOND_LOOK).await;
    forgotten(who).await;
}
