//! How often an API key may call: a counter a minute, shared by all containers.
//!
//! A container takes a few requests at a time out of the shared counter and spends them without asking again, so that a
//! limit costs one write in ten requests and is never exceeded. Headers as in the [RateLimit draft].
//!
//! [RateLimit draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    Timestamp,
    ports::RateWindows,
    throttle::Wait,
};
use http::{HeaderMap, HeaderValue};

use crate::{problem::Problem, spec::RateClass};

/// How many requests a container takes at once.
const LEASE: u32 = 10;
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
        if let Some(lease) = self.spend_lease(&name, now) {
            return Ok(budget(lease.used, lease.left));
        }
        let taken = windows.take(&name, ends, LEASE, limit).await.map_err(|failure| (failure.into(), budget(0, 0)))?;
        let Some(left) = taken.granted.checked_sub(1) else {
            let wait = Wait { seconds: budget(0, 0).resets_in };
            return Err((wait.into(), budget(limit, 0)));
        };
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|_, lease| now < lease.ends);
        let lease = leases.entry(name).or_insert(Lease { ends, left: 0, used: 0 });
        // Others may have taken some at the same time; theirs are still good.
        (lease.left, lease.used) = (lease.left.saturating_add(left), lease.used.max(taken.used));
        Ok(budget(lease.used, lease.left))
    }

    fn spend_lease(&self, name: &str, now: Timestamp) -> Option<Lease> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases.get_mut(name).filter(|lease| now < lease.ends && lease.left > 0)?;
        lease.left -= 1;
        Some(*lease)
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
