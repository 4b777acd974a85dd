//! Runs scheduled workers on the local clock: first one interval after the worker is new to the platform, then every
//! interval. When the clock is moved past several runs, the worker runs once.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use domain::Timestamp;
use futures::future::join_all;
use jiff::SignedDuration;
use kit::{Clock, spec::Every};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    clock::LocalClock,
    files,
    functions::{MountedFunctions, ScheduledWorker},
};

/// The event of a schedule, whose target in the template has no input of its own.
pub fn event() -> Value {
    json!({})
}

/// The longest sleep. It limits the delay after the machine was suspended.
const MAX_SLEEP: Duration = Duration::from_secs(60);

/// Runs due workers until stopped. A running worker is not awaited then: functions may be killed at any time.
pub async fn run(
    functions: Arc<MountedFunctions>,
    clock: Arc<LocalClock>,
    file: PathBuf,
    mut stopping: watch::Receiver<bool>,
) {
    let workers = functions.scheduled();
    let mut timetable = Timetable::open(file);
    let mut moves = clock.moves();
    let turns = async {
        loop {
            run_due(&workers, &mut timetable, &clock).await;
            tokio::select! {
                _ = moves.changed() => {}
                () = tokio::time::sleep(timetable.wait(clock.now())) => {}
            }
        }
    };
    tokio::select! {
        _ = stopping.wait_for(|stop| *stop) => {}
        () = turns => {}
    }
}

/// Runs each due worker once and schedules its next run. A failed run is not repeated before that.
async fn run_due(workers: &[ScheduledWorker], timetable: &mut Timetable, clock: &LocalClock) {
    let now = clock.now();
    timetable.enter(workers.iter().map(|worker| (worker.id, worker.every)), now);
    let due: Vec<&ScheduledWorker> =
        workers.iter().filter(|worker| timetable.is_due(worker.id, now)).collect();
    join_all(due.iter().map(|scheduled| async {
        if let Err(error) = scheduled.worker.run(event()).await {
            tracing::warn!(function = scheduled.id, error, "scheduled run failed");
        }
    }))
    .await;
    for scheduled in due {
        timetable.put_off(scheduled.id, scheduled.every, now);
    }
}

/// The time of each worker's next run, stored in a file that survives restarts.
struct Timetable {
    file: PathBuf,
    due: BTreeMap<String, Timestamp>,
}

impl Timetable {
    fn open(file: PathBuf) -> Self {
        let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file, due: kept.unwrap_or_default() }
    }

    /// Adds new workers. Limits every wait to one interval, even after the clock was moved back.
    fn enter(&mut self, workers: impl IntoIterator<Item = (&'static str, Every)>, now: Timestamp) {
        let kept = self.due.clone();
        for (id, every) in workers {
            let latest = later(now, every.seconds());
            self.due.entry(id.to_owned()).and_modify(|due| *due = latest.min(*due)).or_insert(latest);
        }
        if self.due != kept {
            self.save();
        }
    }

    fn is_due(&self, id: &str, now: Timestamp) -> bool {
        self.due.get(id).is_some_and(|due| *due <= now)
    }

    /// The time until the next run of any worker.
    fn wait(&self, now: Timestamp) -> Duration {
        let next = self.due.values().min().map(|due| due.duration_since(now));
        next.map_or(MAX_SLEEP, |wait| Duration::try_from(wait).unwrap_or_default().min(MAX_SLEEP))
    }

    /// Schedules the next run after `now`, in whole intervals from the previous time.
    fn put_off(&mut self, id: &str, every: Every, now: Timestamp) {
        if let Some(due) = self.due.get_mut(id) {
            let interval = every.seconds().max(1);
            let late = now.as_second().saturating_sub(due.as_second()).max(0);
            *due = later(*due, (late / interval).saturating_add(1).saturating_mul(interval));
        }
        self.save();
    }

    fn save(&self) {
        if let Err(error) = files::replace(&self.file, &self.due) {
            tracing::error!(%error, "timetable could not be stored");
        }
    }
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Every = Every::Hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn timetable(file: &std::path::Path, now: i64) -> Timetable {
        let mut timetable = Timetable::open(file.to_owned());
        timetable.enter([("reap", HOUR)], at(now));
        timetable
    }

    #[test]
    fn first_run_is_one_interval_after_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        assert!(!timetable(&file, 0).is_due("reap", at(3_599)));
        let again = timetable(&file, 3_000);
        assert!(!again.is_due("reap", at(3_599)) && again.is_due("reap", at(3_600)));
        assert_eq!(again.wait(at(3_590)), Duration::from_secs(10));
        assert_eq!(again.wait(at(9_999)), Duration::ZERO);
        assert_eq!(again.wait(at(0)), MAX_SLEEP);
    }

    #[test]
    fn worker_due_several_times_runs_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        let mut timetable = timetable(&file, 0);
        timetable.put_off("reap", HOUR, at(10 * 3_600 + 5));
        assert!(!timetable.is_due("reap", at(11 * 3_600 - 1)) && timetable.is_due("reap", at(11 * 3_600)));
    }

    #[test]
    fn wait_is_at_most_an_interval_after_moving_the_clock_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        drop(timetable(&file, 1_000_000));
        assert!(timetable(&file, 0).is_due("reap", at(3_600)));
    }

    #[test]
    fn unreadable_timetable_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        std::fs::write(&file, "{").unwrap();
        assert!(timetable(&file, 0).is_due("reap", at(3_600)));
    }
}
