//! The rate limits of API keys: a counter for each minute, shared by all containers.
//!
//! A container takes a tenth of a limit at a time from the shared counter, so a limit costs ten writes a minute and is never
//! exceeded. A container that knows that a key's minute is used up refuses the key's requests by its hash, without a read or a
//! write. Headers as in the [RateLimit draft].
//!
//! [RateLimit draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex as Lock, MutexGuard, PoisonError},
};

use domain::{Timestamp, ports::RateWindows, secret::Digest256, throttle::Wait};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use crate::{problem::Problem, rate_limits::RateClass, stop::Stop};

const WINDOW_SECONDS: i64 = 60;

/// The most keys that a container remembers as used up. Requests with others cost a read and a write.
const MOST_SPENT: usize = 10_000;

/// The requests that this container may still let through.
#[derive(Default)]
pub struct Leases {
    taken: Mutex<Minute<HashMap<String, Lease>>>,
    spent: Lock<Minute<HashSet<(Digest256, RateClass)>>>,
}

/// The facts about one minute.
#[derive(Default)]
struct Minute<T> {
    ends: Timestamp,
    known: T,
}

impl<T: Default> Minute<T> {
    /// The facts about the minute that ends then; those of another minute are dropped.
    fn ending(&mut self, ends: Timestamp) -> &mut T {
        if self.ends != ends {
            *self = Self { ends, known: T::default() };
        }
        &mut self.known
    }
}

#[derive(Clone, Copy)]
struct Lease {
    left: u32,
    used: u32,
}

/// The remaining requests of a caller in its window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    class: RateClass,
    remaining: u32,
    resets_in: u64,
    resets_at: i64,
}

impl Leases {
    /// Spends one request of `class` for `caller`.
    pub(crate) async fn spend(
        &self,
        windows: &dyn RateWindows,
        caller: &str,
        class: RateClass,
        now: Timestamp,
    ) -> Result<Budget, (Stop, Budget)> {
        let name = format!("{caller}/{}", class.as_str());
        let (limit, ends) = (class.per_minute(), end_of_minute(now));
        let budget = |used: u32, left: u32| Budget::new(class, limit.saturating_sub(used) + left, now);
        // Held while more are taken, so that waiting requests use them instead of taking their own.
        let mut taken = self.taken.lock().await;
        let leases = taken.ending(ends);
        if let Some(lease) = leases.get_mut(&name).filter(|lease| lease.left > 0) {
            lease.left -= 1;
            return Ok(budget(lease.used, lease.left));
        }
        let taken = windows
            .take(&name, ends, class.lease(), limit)
            .await
            .map_err(|failure| (failure.into(), budget(0, 0)))?;
        let Some(left) = taken.granted.checked_sub(1) else {
            let spent = budget(limit, 0);
            return Err((spent.exceeded().into(), spent));
        };
        leases.insert(name, Lease { left, used: taken.used });
        Ok(budget(taken.used, left))
    }

    /// The budget of a key whose minute is used up, as far as this container knows.
    pub(crate) fn spent(&self, key: Digest256, class: RateClass, now: Timestamp) -> Option<Budget> {
        let mut spent = self.lock_spent();
        let spent = spent.ending(end_of_minute(now));
        spent.contains(&(key, class)).then(|| Budget::new(class, 0, now))
    }

    /// Remembers that the minute of the key with this hash is used up.
    pub(crate) fn remember_spent(&self, key: Digest256, class: RateClass, now: Timestamp) {
        let mut spent = self.lock_spent();
        let spent = spent.ending(end_of_minute(now));
        if spent.len() < MOST_SPENT {
            spent.insert((key, class));
        }
    }

    fn lock_spent(&self) -> MutexGuard<'_, Minute<HashSet<(Digest256, RateClass)>>> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of_minute(now: Timestamp) -> Timestamp {
    let ends = (now.as_second().div_euclid(WINDOW_SECONDS) + 1) * WINDOW_SECONDS;
    Timestamp::from_second(ends).unwrap_or(Timestamp::MAX)
}

impl Budget {
    fn new(class: RateClass, remaining: u32, now: Timestamp) -> Self {
        let ends = end_of_minute(now);
        let resets_in = Wait::between(now, ends).seconds;
        Self { class, remaining, resets_in, resets_at: ends.as_second() }
    }

    /// Whether nothing is left until the minute ends.
    pub(crate) fn is_spent(self) -> bool {
        self.remaining == 0
    }

    /// The refusal of a request that exceeds the limit.
    pub(crate) fn exceeded(self) -> Problem {
        Wait { seconds: self.resets_in }.into()
    }

    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let name = self.class.as_str();
        let policy = format!("\"{name}\";q={};w={WINDOW_SECONDS}", self.class.per_minute());
        let state = format!("\"{name}\";r={};t={}", self.remaining, self.resets_in);
        for (header, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        }
        headers.insert("x-ratelimit-reset", HeaderValue::from(self.resets_at));
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Mutex as Locked};

    use async_trait::async_trait;
    use domain::ports::{Outcome, Taken};

    use super::*;

    /// How many of each window are taken, and the number of requests.
    #[derive(Default)]
    struct Windows(Locked<(BTreeMap<String, u32>, u32)>);

    #[async_trait]
    impl RateWindows for Windows {
        async fn take(&self, name: &str, _: Timestamp, want: u32, limit: u32) -> Outcome<Taken> {
            let mut windows = self.0.lock().unwrap();
            windows.1 += 1;
            let used = windows.0.entry(name.to_owned()).or_default();
            if *used + want > limit {
                return Ok(Taken { granted: 0, used: limit });
            }
            *used += want;
            Ok(Taken { granted: want, used: *used })
        }
    }

    /// The remaining requests after each, by two containers in turn, until one is refused.
    async fn spend(windows: &Windows, class: RateClass) -> Vec<u32> {
        let containers = [Leases::default(), Leases::default()];
        let mut left = Vec::new();
        for container in containers.iter().cycle() {
            match container.spend(windows, "key_1", class, Timestamp::UNIX_EPOCH).await {
                Ok(budget) => left.push(budget.remaining),
                Err((stop, budget)) => {
                    assert_eq!((stop.into_problem().retry_after, budget.remaining), (Some(60), 0));
                    return left;
                }
            }
        }
        left
    }

    #[tokio::test]
    async fn uploads_have_a_counter_of_their_own_that_containers_share() {
        let windows = Windows::default();
        assert_eq!(spend(&windows, RateClass::Upload).await, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(spend(&windows, RateClass::Default).await.len(), 100);
        let taken = windows.0.lock().unwrap();
        let both = [("key_1/default".to_owned(), 100), ("key_1/upload".to_owned(), 10)];
        assert_eq!(taken.0, BTreeMap::from(both));
        // The eleventh of each was refused.
        assert_eq!(taken.1, 2 * 11);
    }

    #[test]
    fn spent_minute_is_remembered_until_it_ends_and_for_no_more_keys_than_fit() {
        let (leases, at) = (Leases::default(), |second| Timestamp::from_second(second).unwrap());
        let key = |n: usize| Digest256::of(n.to_string());
        let spent = |n: usize, class, second| leases.spent(key(n), class, at(second));
        assert!(spent(0, RateClass::Default, 0).is_none());
        leases.remember_spent(key(0), RateClass::Default, at(0));
        let budget = spent(0, RateClass::Default, 59).unwrap();
        assert_eq!((budget.remaining, budget.exceeded().retry_after), (0, Some(1)));
        assert!(spent(0, RateClass::Upload, 59).is_none());
        assert!(spent(1, RateClass::Default, 59).is_none());
        assert!(spent(0, RateClass::Default, 60).is_none());
        (0..=MOST_SPENT).for_each(|n| leases.remember_spent(key(n), RateClass::Default, at(60)));
        assert!(spent(MOST_SPENT - 1, RateClass::Default, 60).is_some());
        assert!(spent(MOST_SPENT, RateClass::Default, 60).is_none());
    }

    #[tokio::test]
    async fn the_headers_name_the_counter_and_its_limit() {
        let (windows, leases, mut headers) = (Windows::default(), Leases::default(), HeaderMap::new());
        let now = Timestamp::from_second(90).unwrap();
        let spent = leases.spend(&windows, "key_1", RateClass::Upload, now).await;
        spent.unwrap_or_else(|_| panic!("refused")).write(&mut headers);
        let said = ["ratelimit-policy", "ratelimit", "x-ratelimit-reset"].map(|name| headers[name].to_str());
        assert_eq!(said.map(Result::unwrap), ["\"upload\";q=10;w=60", "\"upload\";r=9;t=30", "120"]);
    }
}
