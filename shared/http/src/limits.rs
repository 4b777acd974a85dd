//! How often an API key may call: a counter a minute, shared by all containers.
//!
//! A container takes a tenth of a limit at a time out of the shared counter and spends that without asking again, so that
//! a limit costs ten writes a minute and is never exceeded. Headers as in the [RateLimit draft].
//!
//! [RateLimit draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/

use std::collections::HashMap;

use domain::{Timestamp, ports::RateWindows, throttle::Wait};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

use crate::{problem::Problem, spec::RateClass};

const WINDOW_SECONDS: i64 = 60;

/// The requests that this container may still let through.
#[derive(Default)]
pub struct Leases(Mutex<HashMap<String, Lease>>);

#[derive(Clone, Copy)]
struct Lease {
    ends: Timestamp,
    left: u32,
    used: u32,
}

/// Where a caller stands in its window.
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
    ) -> Result<Budget, (Problem, Budget)> {
        let name = format!("{caller}/{}", class.as_str());
        let limit = class.per_minute();
        let ends = (now.as_second().div_euclid(WINDOW_SECONDS) + 1) * WINDOW_SECONDS;
        let ends = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
        let budget = |used: u32, left: u32| Budget {
            class,
            remaining: limit.saturating_sub(used) + left,
            resets_in: Wait::between(now, ends).seconds,
            resets_at: ends.as_second(),
        };
        // Held while more are taken, so that those who wait find what was taken instead of taking more themselves.
        let mut leases = self.0.lock().await;
        leases.retain(|_, lease| now < lease.ends);
        if let Some(lease) = leases.get_mut(&name).filter(|lease| lease.left > 0) {
            lease.left -= 1;
            return Ok(budget(lease.used, lease.left));
        }
        let taken = windows
            .take(&name, ends, class.lease(), limit)
            .await
            .map_err(|failure| (failure.into(), budget(0, 0)))?;
        let Some(left) = taken.granted.checked_sub(1) else {
            let wait = Wait { seconds: budget(0, 0).resets_in };
            return Err((wait.into(), budget(limit, 0)));
        };
        leases.insert(name, Lease { ends, left, used: taken.used });
        Ok(budget(taken.used, left))
    }
}

impl Budget {
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

    /// How many of each window are taken, and how often somebody asked.
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

    /// What is left after each request, by two containers in turn, until one is refused.
    async fn spend(windows: &Windows, class: RateClass) -> Vec<u32> {
        let containers = [Leases::default(), Leases::default()];
        let mut left = Vec::new();
        for container in containers.iter().cycle() {
            match container.spend(windows, "key_1", class, Timestamp::UNIX_EPOCH).await {
                Ok(budget) => left.push(budget.remaining),
                Err((problem, budget)) => {
                    assert_eq!((problem.retry_after, budget.remaining), (Some(60), 0));
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
