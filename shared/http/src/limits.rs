//! How often an API key may call: a counter a minute, shared by all containers.
//!
//! A container takes a few requests at a time out of the shared counter and spends them without asking again, so that a
//! limit costs one write in ten requests and is never exceeded. Headers as in the [RateLimit draft].
//!
//! [RateLimit draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/

use std::collections::HashMap;

use domain::{Timestamp, ports::RateWindows, throttle::Wait};
use http::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;

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
        // Held while more are taken, so that those who wait find what was taken instead of taking more themselves.
        let mut leases = self.0.lock().await;
        leases.retain(|_, lease| now < lease.ends);
        if let Some(lease) = leases.get_mut(&name).filter(|lease| lease.left > 0) {
            lease.left -= 1;
            return Ok(budget(lease.used, lease.left));
        }
        let taken = windows
            .take(&name, ends, LEASE, limit)
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
