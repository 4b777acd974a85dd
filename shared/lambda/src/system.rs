//! The machine's own clock and randomness: the only place that asks it for either.

use domain::{Timestamp, entropy::Entropy};
use kit::Clock;

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where calls get their time from")]
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The operating system's randomness.
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is where calls get their randomness from")]
    #[expect(clippy::panic, reason = "without randomness nothing may go on: keys would be guessable")]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system has no randomness: {error}");
        }
    }
}
