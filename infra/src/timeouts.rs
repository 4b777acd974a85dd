//! The timeouts of functions. The template and the local platform use the same numbers.

use kit::{Trigger, WorkerSpec};

/// The timeout of endpoints in seconds.
pub const REQUEST_SECONDS: u32 = 5;
/// The timeout of background work in seconds.
pub const WORK_SECONDS: u32 = 60;
/// The timeout of a consumer of events in seconds. A mail, the slowest event, takes up to 20 seconds.
const EVENT_SECONDS: u32 = 30;

/// The timeout of a worker in seconds. An authorizer delays requests and has the timeout of an endpoint. A consumer whose
/// events are short work has a shorter one: the delay before its retries is a multiple of it.
pub fn worker_seconds(spec: &WorkerSpec) -> u32 {
    match spec.has(Trigger::Authorizer) {
        true => REQUEST_SECONDS,
        false if spec.reads_queue() && spec.schedule().is_none() => EVENT_SECONDS,
        false => WORK_SECONDS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise two workers could write the same bundle.
    #[test]
    fn export_lease_outlasts_the_worker_timeout() {
        let lease = domain::export::LEASE.as_secs();
        let every = kit::spec::Every::Minutes(15);
        let exports = kit::worker("x", Trigger::Bus, "", &[]).also(Trigger::Schedule(every));
        assert!(i64::from(worker_seconds(&exports)) < lease, "{lease}");
    }
}
