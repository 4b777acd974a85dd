//! Runs what the template schedules, on the local clock: first one interval after the platform first saw it, then every
//! interval. When the clock is moved past several runs, there is one.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use domain::Timestamp;
use futures::future::join_all;
use jiff::SignedDuration;
use kit::{Clock, spec::Every};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    clock::LocalClock,
    files,
    functions::{Functions, MountedWorker},
};

/// The longest sleep: a machine that was suspended must not go on sleeping.
const NAP: Duration = Duration::from_secs(60);

/// A worker that runs by the clock.
pub struct Scheduled {
    /// Its name.
    pub id: &'static str,
    /// How often.
    pub every: Every,
    /// The worker.
    pub worker: Arc<MountedWorker>,
}

/// Runs workers when they are due, until told to stop. A run that is under way then is left: its function can be killed
/// at any time.
pub async fn run(
    functions: Arc<Functions>,
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

/// Runs what is due, once, and puts it off. A run that fails has its next chance then.
async fn run_due(workers: &[Scheduled], timetable: &mut Timetable, clock: &LocalClock) {
    let now = clock.now();
    timetable.enter(workers.iter().map(|worker| (worker.id, worker.every)), now);
    let due: Vec<&Scheduled> = workers.iter().filter(|worker| timetable.is_due(worker.id, now)).collect();
    join_all(due.iter().map(|scheduled| async {
        if let Err(error) = scheduled.worker.run(json!({})).await {
            tracing::warn!(function = scheduled.id, error, "a scheduled run failed");
        }
    }))
    .await;
    for scheduled in due {
        timetable.put_off(scheduled.id, scheduled.every, now);
    }
}

/// When each worker is due next; kept in a file, so that a restart does not begin anew.
struct Timetable {
    file: PathBuf,
    due: BTreeMap<String, Timestamp>,
}

impl Timetable {
    fn open(file: PathBuf) -> Self {
        let kept = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file, due: kept.unwrap_or_default() }
    }

    /// Enters new workers, and sees to it that nobody waits longer than an interval, also when the clock was moved back.
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

    /// How long until somebody is due.
    fn wait(&self, now: Timestamp) -> Duration {
        let next = self.due.values().min().map(|due| due.duration_since(now));
        next.map_or(NAP, |wait| Duration::try_from(wait).unwrap_or_default().min(NAP))
    }

    /// Puts a worker off to its next time after `now`, in step with the times before.
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
            tracing::error!(%error, "the schedule could not be kept");
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
    fn the_first_run_is_an_interval_after_the_worker_was_first_seen_also_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        assert!(!timetable(&file, 0).is_due("reap", at(3_599)));
        let again = timetable(&file, 3_000);
        assert!(!again.is_due("reap", at(3_599)) && again.is_due("reap", at(3_600)));
        assert_eq!(again.wait(at(3_590)), Duration::from_secs(10));
        assert_eq!(again.wait(at(9_999)), Duration::ZERO);
        assert_eq!(again.wait(at(0)), NAP);
    }

    #[test]
    fn what_came_due_several_times_runs_once_and_stays_in_step() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        let mut timetable = timetable(&file, 0);
        timetable.put_off("reap", HOUR, at(10 * 3_600 + 5));
        assert!(!timetable.is_due("reap", at(11 * 3_600 - 1)) && timetable.is_due("reap", at(11 * 3_600)));
    }

    #[test]
    fn nobody_waits_longer_than_an_interval_when_the_clock_is_moved_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        drop(timetable(&file, 1_000_000));
        assert!(timetable(&file, 0).is_due("reap", at(3_600)));
    }

    #[test]
    fn an_unreadable_timetable_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("schedule.json");
        std::fs::write(&file, "{").unwrap();
        assert!(timetable(&file, 0).is_due("reap", at(3_600)));
    }
}
