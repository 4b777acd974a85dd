//! The system clock and randomness. No other module accesses them.

use domain::{Timestamp, entropy::Entropy};
use kit::Clock;

/// The system clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "provides the time of requests")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The randomness of the operating system.
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "provides the randomness of requests")]
    #[expect(clippy::panic, reason = "without randomness, keys would be guessable")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("no randomness from the operating system: {error}");
        }
    }
}
