//! Growing delays against guessing: free tries first, then each failure doubles the wait.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How a counter of failures slows its subject down.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Failures that cost nothing.
    pub free: u32,
    /// The wait after the first failure beyond those, in seconds.
    pub first_delay: i64,
    /// The longest wait, in seconds.
    pub longest: i64,
    /// After this many quiet seconds everything is forgotten.
    pub forget_after: i64,
}

impl Policy {
    /// When a counter whose last failure is `now` is forgotten.
    pub fn forgets_at(self, now: Timestamp) -> Timestamp {
        now.saturating_add(SignedDuration::from_secs(self.forget_after)).unwrap_or(Timestamp::MAX)
    }
}

/// Sign-in attempts on one account.
pub const PER_ACCOUNT: Policy = Policy { free: 5, first_delay: 30, longest: 3_600, forget_after: 86_400 };

/// Attempts from one network address: generous, since many people may share one.
pub const PER_ADDRESS: Policy = Policy { free: 100, first_delay: 30, longest: 3_600, forget_after: 3_600 };

/// The failures of one subject so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// Attempts that did not succeed (one under way counts until it does).
    pub count: u32,
    /// When the last one was.
    pub last: Option<Timestamp>,
}

/// Wait this long before the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Whole seconds, at least 1.
    pub seconds: u64,
}

impl Wait {
    /// The wait from `now` until `until`, rounded up.
    pub fn between(now: Timestamp, until: Timestamp) -> Self {
        let millis = until.as_millisecond().saturating_sub(now.as_millisecond());
        Self { seconds: u64::try_from(millis).unwrap_or_default().div_ceil(1_000).max(1) }
    }
}

impl Failures {
    /// Counts an attempt before it is judged, so that parallel guesses can't share one count.
    pub fn attempt(self, policy: Policy, now: Timestamp) -> Result<Self, Wait> {
        let Some(last) = self.last else { return Ok(Self { count: 1, last: Some(now) }) };
        if now >= policy.forgets_at(last) {
            return Ok(Self { count: 1, last: Some(now) });
        }
        let delay = delay(self.count, policy);
        let allowed_at = last.saturating_add(SignedDuration::from_secs(delay)).unwrap_or(Timestamp::MAX);
        if delay > 0 && now < allowed_at {
            return Err(Wait::between(now, allowed_at));
        }
        // Of several at once, one that came earlier may be counted later.
        Ok(Self { count: self.count.saturating_add(1), last: Some(now.max(last)) })
    }
}

fn delay(failures: u32, policy: Policy) -> i64 {
    let Some(beyond) = failures.checked_sub(policy.free) else { return 0 };
    policy.first_delay.saturating_mul(1_i64 << beyond.min(32)).min(policy.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn five_tries_are_free_then_waits_double_up_to_an_hour() {
        let mut failures = Failures::default();
        for _ in 0..5 {
            failures = failures.attempt(PER_ACCOUNT, at(0)).unwrap();
        }
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = failures.attempt(PER_ACCOUNT, at(now)).unwrap_err().seconds;
            waits.push(wait);
            now += i64::try_from(wait).unwrap();
            failures = failures.attempt(PER_ACCOUNT, at(now)).unwrap();
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    }

    #[test]
    fn attempts_that_are_counted_out_of_order_all_count() {
        let mut failures = Failures::default();
        for second in [5, 3, 4, 1, 2] {
            failures = failures.attempt(PER_ACCOUNT, at(second)).unwrap();
        }
        assert_eq!(failures, Failures { count: 5, last: Some(at(5)) });
        assert!(failures.attempt(PER_ACCOUNT, at(1)).is_err());
    }

    #[test]
    fn a_quiet_day_forgets_everything() {
        let failures = Failures { count: 40, last: Some(at(0)) };
        assert!(failures.attempt(PER_ACCOUNT, at(3_599)).is_err());
        assert_eq!(failures.attempt(PER_ACCOUNT, at(86_400)).unwrap().count, 1);
    }
}
