//! Records every AWS call and holds the fault plan.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use crate::fault::{ArmedFault, Fault, FaultKind, StruckBy};
use crate::permission::IamPermission;
use crate::request::Caller;

/// The maximum number of calls kept, about 40 MB. It exceeds the calls of the largest test between two queries.
const MAX_CALLS: usize = 80_000;

/// The calls of all regions, and the fault plan.
pub struct Journal {
    began: Instant,
    calls: Mutex<Calls>,
    faults: Mutex<Vec<ArmedFault>>,
}

#[derive(Default)]
struct Calls {
    last: u64,
    kept: VecDeque<RecordedCall>,
}

/// An AWS call. `service:operation` is its IAM action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedCall {
    /// A sequence number, starting at 1, in the order in which calls completed.
    pub n: u64,
    /// The id of the request that caused the call, from the `Request` field of `x-amzn-trace-id`.
    pub request: Option<String>,
    /// The function that made the call.
    pub function: String,
    /// The region in which the function runs; `None` for callers that are no functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The region of the signature.
    pub region: String,
    /// The name of the service in signatures and IAM: `dynamodb`, `kms`, `ses`, …
    pub service: String,
    /// The name of the operation: `GetItem`, `Decrypt`, …
    pub operation: String,
    /// The DynamoDB tables of the call, joined by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The permissions that the call needs.
    pub needs: Vec<IamPermission>,
    /// The consumed capacity of a DynamoDB call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// The start of the call in milliseconds since the creation of the journal. Calls that overlap ran concurrently.
    pub began: f64,
    /// The duration in milliseconds.
    pub millis: f64,
    /// The HTTP status; 0 without a response.
    pub status: u16,
    /// The fault that was injected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
}

/// The capacity units that DynamoDB consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Capacity {
    /// Read capacity units.
    pub read: f64,
    /// Write capacity units.
    pub write: f64,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty journal without planned faults.
    pub fn new() -> Self {
        Self { began: Instant::now(), calls: Mutex::default(), faults: Mutex::default() }
    }

    /// The calls after call `n`, oldest first. `n` = 0 returns all calls that are kept.
    pub fn calls_since(&self, n: u64) -> Vec<RecordedCall> {
        let calls = lock(&self.calls);
        let wanted = usize::try_from(calls.last.saturating_sub(n)).unwrap_or(usize::MAX);
        calls.kept.iter().skip(calls.kept.len().saturating_sub(wanted)).cloned().collect()
    }

    /// Replaces the fault plan. All faults start counting at this point.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.faults) = faults.into_iter().map(ArmedFault::from).collect();
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// Counts a call against all matching faults. Returns the first fault that applies.
    pub(crate) fn strike(&self, caller: &Caller, body: &[u8], now: Timestamp) -> Option<StruckBy> {
        let mut struck = None;
        for armed in lock(&self.faults).iter_mut() {
            let due = armed.counts(caller, body, now);
            struck = struck.or(due);
        }
        struck
    }

    /// Starts the record of a call. Dropping the entry writes the record, regardless of the outcome.
    pub(crate) fn entry<'a>(&'a self, caller: &'a Caller) -> OngoingCall<'a> {
        OngoingCall { journal: self, caller, began: Instant::now(), outcome: CallOutcome::default() }
    }
}

/// The outcome of a call, as far as it is known.
#[derive(Default)]
pub(crate) struct CallOutcome {
    pub(crate) needs: Vec<IamPermission>,
    pub(crate) table: Option<String>,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) status: u16,
    pub(crate) fault: Option<FaultKind>,
}

/// The record of a call in progress.
pub(crate) struct OngoingCall<'a> {
    journal: &'a Journal,
    caller: &'a Caller,
    began: Instant,
    pub(crate) outcome: CallOutcome,
}

impl Drop for OngoingCall<'_> {
    fn drop(&mut self) {
        let outcome = std::mem::take(&mut self.outcome);
        let mut calls = lock(&self.journal.calls);
        calls.last += 1;
        let call = RecordedCall {
            n: calls.last,
            request: self.caller.request.clone(),
            function: self.caller.function.clone(),
            home: self.caller.home.clone(),
            region: self.caller.region.clone(),
            service: self.caller.service.name().to_owned(),
            operation: self.caller.operation.clone(),
            table: outcome.table,
            needs: outcome.needs,
            capacity: outcome.capacity,
            began: self.began.duration_since(self.journal.began).as_secs_f64() * 1000.0,
            millis: self.began.elapsed().as_secs_f64() * 1000.0,
            status: outcome.status,
            fault: outcome.fault,
        };
        if calls.kept.len() == MAX_CALLS {
            calls.kept.pop_front();
        }
        calls.kept.push_back(call);
    }
}

/// Locks a mutex, even after a panic: no holder leaves the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
