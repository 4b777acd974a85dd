//! Retries with random pauses.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// The attempts that are left. Pauses are random and grow, so that competing writers do not meet again.
pub struct Attempts {
    made: u32,
    most: u32,
    pause: Duration,
}

impl Attempts {
    /// For a transaction that conflicted with another.
    pub const fn of_transaction() -> Self {
        Self { made: 0, most: 8, pause: Duration::ZERO }
    }

    /// For the unprocessed rest of a batch.
    pub const fn of_batch() -> Self {
        Self { made: 0, most: 4, pause: Duration::from_millis(10) }
    }

    /// Waits for the next attempt. Returns whether there is one.
    pub async fn next(&mut self) -> bool {
        if self.made >= self.most {
            return false;
        }
        if self.made > 0 {
            tokio::time::sleep(self.pause + random(self.made - 1)).await;
        }
        self.made += 1;
        true
    }
}

/// Waits for a random moment after a lost race, so that those who lost it do not meet again at once.
pub async fn spread() {
    tokio::time::sleep(random(4)).await;
}

fn random(attempt: u32) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    let most = 8_u64 << attempt.min(5);
    Duration::from_millis(1 + random % most)
}
