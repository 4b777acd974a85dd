//! The record of the API's calls, for tests.

use std::collections::VecDeque;

use serde::Serialize;

/// How many calls are kept.
const KEPT: usize = 10_000;

/// A call of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Call {
    /// Its number since the start, from 1.
    pub n: u64,
    /// The HTTP method.
    pub method: String,
    /// The path, without the stand-in's own.
    pub path: String,
    /// The idempotency key.
    pub idempotency_key: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Whether the answer was kept for the key.
    pub replayed: bool,
}

/// The recorded calls.
#[derive(Default)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    count: u64,
}

impl CallLog {
    /// Records a call, and numbers it.
    pub fn record(&mut self, call: Call) {
        self.count = self.count.saturating_add(1);
        self.calls.push_back(Call { n: self.count, ..call });
        if self.calls.len() > KEPT {
            self.calls.pop_front();
        }
    }

    /// The calls with a number above this one.
    pub fn since(&self, number: u64) -> Vec<Call> {
        self.calls.iter().filter(|call| call.n > number).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_numbered_and_bounded() {
        let mut log = CallLog::default();
        let (method, path) = ("GET".to_owned(), "/v1/events".to_owned());
        let call = Call { n: 0, method, path, idempotency_key: None, status: 200, replayed: false };
        for _ in 0..KEPT + 5 {
            log.record(call.clone());
        }
        assert_eq!(log.since(0).len(), KEPT);
        assert_eq!(log.since(0)[0].n, 6);
        assert_eq!(log.since(KEPT as u64 + 3).len(), 2);
    }
}
