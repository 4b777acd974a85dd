//! The platform's clock: the machine's, moved. Every function and stand-in follows it; it stays moved over a restart, so
//! that nothing that was written lies in the future.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicI64, Ordering},
};

use domain::Timestamp;
use jiff::SignedDuration;
use kit::Clock;
use lambda::SystemClock;
use tokio::sync::watch;

/// The machine's clock and how far it was moved.
pub struct LocalClock {
    file: PathBuf,
    moved_millis: AtomicI64,
    moves: watch::Sender<()>,
}

impl LocalClock {
    /// The clock as `file` remembers it.
    pub fn open(file: PathBuf) -> Self {
        let moved = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        Self { file, moved_millis: AtomicI64::new(moved.unwrap_or_default()), moves: watch::Sender::new(()) }
    }

    /// Moves it forward (or back, with a negative number).
    pub fn advance(&self, seconds: i64) -> std::io::Result<()> {
        let moved = self.moved_millis.load(Ordering::SeqCst).saturating_add(seconds.saturating_mul(1_000));
        self.set(moved)
    }

    /// Sets it.
    pub fn set_to(&self, now: Timestamp) -> std::io::Result<()> {
        self.set(now.as_millisecond().saturating_sub(SystemClock.now().as_millisecond()))
    }

    /// Changes when it is moved: whoever waits for a time has to look again.
    pub fn moves(&self) -> watch::Receiver<()> {
        self.moves.subscribe()
    }

    fn set(&self, moved: i64) -> std::io::Result<()> {
        std::fs::write(&self.file, moved.to_string())?;
        self.moved_millis.store(moved, Ordering::SeqCst);
        self.moves.send_replace(());
        Ok(())
    }
}

impl Clock for LocalClock {
    fn now(&self) -> Timestamp {
        let moved = SignedDuration::from_millis(self.moved_millis.load(Ordering::SeqCst));
        SystemClock.now().saturating_add(moved).unwrap_or(Timestamp::MAX)
    }
}
