//! The clock of the platform: the system clock with an offset, or a stopped clock. All functions and stand-ins use it.
//! The offset survives a restart, so that no stored time is in the future.

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
    state: Mutex<ClockState>,
    moves: watch::Sender<()>,
}

/// The state of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockState {
    /// System time plus an offset in milliseconds.
    Running(i64),
    /// A fixed time.
    Stopped(Timestamp),
}

impl ClockState {
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
    /// Opens a clock with the offset in `file`. It runs, even if it was stopped before.
    pub fn open(file: PathBuf) -> Self {
        let moved = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        let state = Mutex::new(ClockState::Running(moved.unwrap_or_default()));
        Self { file, state, moves: watch::Sender::new(()) }
    }

    /// Moves the clock forward by seconds, or backward if negative.
    pub fn advance(&self, seconds: i64) -> std::io::Result<()> {
        let by = SignedDuration::from_secs(seconds);
        self.change(|state| state.set_to(later(state.show(), by)))
    }

    /// Sets the clock.
    pub fn set_to(&self, now: Timestamp) -> std::io::Result<()> {
        self.change(|state| state.set_to(now))
    }

    /// Stops the clock, or resumes it from its current time.
    pub fn stop(&self, stopped: bool) -> std::io::Result<()> {
        self.change(|state| match stopped {
            true => ClockState::Stopped(state.show()),
            false => ClockState::Running(ahead(state.show())),
        })
    }

    /// The state of the clock.
    pub fn state(&self) -> ClockState {
        *self.locked()
    }

    /// Notifies when the clock is moved, stopped or resumed, so that waiting tasks recompute their wait.
    pub fn moves(&self) -> watch::Receiver<()> {
        self.moves.subscribe()
    }

    fn change(&self, change: impl FnOnce(ClockState) -> ClockState) -> std::io::Result<()> {
        let mut state = self.locked();
        let changed = change(*state);
        std::fs::write(&self.file, ahead(changed.show()).to_string())?;
        *state = changed;
        self.moves.send_replace(());
        Ok(())
    }

    fn locked(&self) -> MutexGuard<'_, ClockState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        self.state().show()
    }
}

/// The offset of a time from system time in milliseconds.
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
    fn stopped_clock_stays_until_moved_and_survives_a_restart() {
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
