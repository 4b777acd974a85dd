//! Planned faults of the API, for tests.

use serde::Deserialize;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultKind {
    /// 503, without an effect. The idempotency key stays unused.
    Refused,
    /// The request has its effect, but the caller gets a 502.
    LostResponse,
    /// 500, without an effect. The answer is kept for the idempotency key.
    Error,
    /// 429 `rate_limit`, without an effect.
    RateLimited,
    /// The request waits before it is performed.
    Stall,
}

/// A planned fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The operation, as the table of routes names it: `POST /v1/payment_intents/{id}/confirm`.
    pub operation: String,
    /// What happens.
    pub kind: FaultKind,
    /// The first of the operation's calls that it happens to, from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many calls it happens to.
    #[serde(default = "one")]
    pub times: u64,
    /// How long a stalled request waits, in milliseconds of real time.
    #[serde(default)]
    pub millis: u64,
    /// How many calls were made since the fault was planned.
    #[serde(skip)]
    seen: u64,
}

const fn one() -> u64 {
    1
}

/// The planned faults.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Plans a fault.
    pub fn plan(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Removes all faults.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call, and returns the fault that happens to it: the one that was planned first.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        let mut taken = None;
        let of_call = |fault: &&mut Fault| fault.operation.split_once(' ') == Some((method, path));
        for fault in self.0.iter_mut().filter(of_call) {
            fault.seen = fault.seen.saturating_add(1);
            let hits = fault.nth..fault.nth.saturating_add(fault.times);
            if taken.is_none() && hits.contains(&fault.seen) {
                taken = Some(fault.clone());
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn fault_happens_to_the_nth_calls() {
        let mut faults = Faults::default();
        faults.plan(fault(r#"{"operation":"POST /v1/refunds","kind":"lost-response","nth":2,"times":2}"#));
        let mut hit = || faults.take("POST", "/v1/refunds").map(|fault| fault.kind);
        let lost = Some(FaultKind::LostResponse);
        assert_eq!([hit(), hit(), hit(), hit()], [None, lost, lost, None]);
    }

    #[test]
    fn other_operations_do_not_count() {
        let mut faults = Faults::default();
        faults.plan(fault(r#"{"operation":"POST /v1/refunds","kind":"refused"}"#));
        assert!(faults.take("GET", "/v1/refunds").is_none());
        assert!(faults.take("POST", "/v1/refunds").is_some());
        faults.plan(fault(r#"{"operation":"POST /v1/refunds","kind":"refused"}"#));
        faults.clear();
        assert!(faults.take("POST", "/v1/refunds").is_none());
    }
}
