//! Attempts that may fail, such as a sign-in. An attempt reserves a try on each of its counters before it is judged, and
//! settles the reservation afterwards: parallel guesses never share a try, and a right password does not use one up.

use std::time::{Duration, Instant};

use domain::{
    Timestamp, entropy,
    entropy::Entropy,
    id::RequestId,
    ports::{Failure, Outcome, Reserved, Throttles},
    throttle::{Failures, Policy, Room, Settled, Wait},
};

use crate::stop::Stop;

/// The most that an attempt asks a counter for a try. The pauses in between take about 2 seconds, of the 3 that a request has.
const ROUNDS: u32 = 9;
/// The least pause before the first retry, in milliseconds. Up to as much again is random.
const PAUSE: u64 = 50;
/// The same before later retries: many may wait, and each retry is a write.
const LONGEST_PAUSE: u64 = 200;

/// The reason why an attempt may not be judged.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// Too many came before it.
    #[error("too many attempts")]
    TooMany(Wait),
    /// It could not be counted.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// A counter of failed attempts, and how many it allows.
#[derive(Debug, Clone)]
pub struct Counter {
    /// The name under which it is stored.
    pub name: String,
    /// The limit.
    pub policy: Policy,
}

/// One attempt.
pub struct CountedAttempt<'a> {
    /// The counters' store.
    pub throttles: &'a dyn Throttles,
    /// Randomness for pauses.
    pub entropy: &'a dyn Entropy,
    /// The request that makes the attempt.
    pub request: RequestId,
    /// When it came.
    pub now: Timestamp,
    /// From then on the attempt waits no longer: there would be no time to settle it.
    pub until: Instant,
}

impl CountedAttempt<'_> {
    /// Reserves a try on a counter, which was `seen` before. Waits for attempts that are being judged: they may give their
    /// tries back.
    pub async fn reserve(
        &self,
        counter: &Counter,
        mut seen: Failures,
        forgiven: Option<Timestamp>,
    ) -> Result<(), AttemptError> {
        for round in 0..ROUNDS {
            for abandoned in seen.abandoned(self.now) {
                // Its client got no verdict, since an attempt is settled before it is answered.
                self.throttles.settle(&counter.name, abandoned, Settled::Withdrawn).await?;
                seen.pending.remove(&abandoned);
            }
            let slot = match seen.room(counter.policy, forgiven, self.now) {
                Room::Spent(wait) => return Err(AttemptError::TooMany(wait)),
                Room::Busy(slot) => {
                    let pause = self.pause(round);
                    if Instant::now() + pause >= self.until {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                    slot
                }
                Room::Free(slot) => slot,
            };
            let forget_at = counter.policy.forgets_at(self.now);
            match self.throttles.reserve(&counter.name, self.request, slot, forget_at).await? {
                Reserved::Yes => return Ok(()),
                Reserved::No(now) => seen = now,
            }
        }
        Err(Failure::Raced.into())
    }

    /// Settles this attempt's reservation on a counter.
    pub async fn settle(&self, counter: &Counter, settled: Settled) -> Outcome<()> {
        self.throttles.settle(&counter.name, self.request, settled).await
    }

    /// A random pause that grows, so that those who wait do not come back together.
    fn pause(&self, round: u32) -> Duration {
        let least = PAUSE.saturating_mul(u64::from(round).saturating_add(1)).min(LONGEST_PAUSE);
        let random = u64::from_be_bytes(entropy::bytes(self.entropy)) % least;
        Duration::from_millis(least.saturating_add(random))
    }
}

impl From<AttemptError> for Stop {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::TooMany(wait) => wait.into(),
            AttemptError::Failed(failure) => failure.into(),
        }
    }
}
