//! The platform's clock: the machine's, moved or standing still. Every function and stand-in follows it; it stays moved over
//! a restart, so that nothing that was written lies in the future.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::Timestamp;
use jiff::SignedDuration;
use kit::Clock;
use lambda::SystemClock;
use tokio::sync::watch;

/// The local clock.
pub struct LocalClock {
    file: PathBuf,
    hands: Mutex<Hands>,
    moves: watch::Sender<()>,
}

/// What the clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
    /// The machine's time and so many milliseconds.
    Running(i64),
    /// Always the same time.
    Stopped(Timestamp),
}

impl Hands {
    fn show(self) -> Timestamp {
        match self {
            Self::Running(millis) => later(SystemClock.now(), SignedDuration::from_millis(millis)),
            Self::Stopped(at) => at,
        }
    }

    fn set_to(self, now: Timestamp) -> Self {
        match self {
            Self::Running(_) => Self::Running(ahead(now)),
            Self::Stopped(_) => Self::Stopped(now),
        }
    }
}

impl LocalClock {
    /// The clock as `file` remembers it. It runs, also if it stood still before.
    pub fn open(file: PathBuf) -> Self {
        let moved = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        let hands = Mutex::new(Hands::Running(moved.unwrap_or_default()));
        Self { file, hands, moves: watch::Sender::new(()) }
    }

    /// Moves it forward (or back, with a negative number).
    pub fn advance(&self, seconds: i64) -> std::io::Result<()> {
        let by = SignedDuration::from_secs(seconds);
        self.change(|hands| hands.set_to(later(hands.show(), by)))
    }

    /// Sets it.
    pub fn set_to(&self, now: Timestamp) -> std::io::Result<()> {
        self.change(|hands| hands.set_to(now))
    }

    /// Has it stand still, or run on from the time that it shows.
    pub fn stop(&self, stopped: bool) -> std::io::Result<()> {
        self.change(|hands| match stopped {
            true => Hands::Stopped(hands.show()),
            false => Hands::Running(ahead(hands.show())),
        })
    }

    /// What it shows.
    pub fn hands(&self) -> Hands {
        *self.locked()
    }

    /// Changes when it is moved, stopped or set going: whoever waits for a time has to look again.
    pub fn moves(&self) -> watch::Receiver<()> {
        self.moves.subscribe()
    }

    fn change(&self, change: impl FnOnce(Hands) -> Hands) -> std::io::Result<()> {
        let mut hands = self.locked();
        let changed = change(*hands);
        std::fs::write(&self.file, ahead(changed.show()).to_string())?;
        *hands = changed;
        self.moves.send_replace(());
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        self.hands().show()
    }
}

/// How many milliseconds a time is ahead of the machine's.
fn ahead(time: Timestamp) -> i64 {
    time.as_millisecond().saturating_sub(SystemClock.now().as_millisecond())
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_it_is_moved_and_runs_on_from_there_also_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock.json");
        let clock = LocalClock::open(file.clone());
        clock.stop(true).unwrap();
        let stopped = clock.now();
        std::thread::sleep(std::time::Duration::from_millis(3));
        assert_eq!(clock.now(), stopped);
        clock.advance(3_600).unwrap();
        let moved = clock.now();
        assert_eq!(moved.duration_since(stopped), SignedDuration::from_secs(3_600));
        assert!(LocalClock::open(file).now() >= moved);
        clock.stop(false).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(3));
        let runs = clock.now().duration_since(moved);
        assert!(runs >= SignedDuration::from_millis(3) && runs < SignedDuration::from_secs(60), "{runs}");
    }
}
