//! Every AWS call made, and the faults planned for the next ones.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::fault::{Armed, Fault, FaultKind};
use crate::permission::Need;
use crate::request::Caller;

/// How many calls are kept.
const KEPT: usize = 100_000;

/// The calls of all regions, and their fault plan.
pub struct Journal {
    began: Instant,
    calls: Mutex<Calls>,
    faults: Mutex<Vec<Armed>>,
}

#[derive(Default)]
struct Calls {
    last: u64,
    kept: VecDeque<Call>,
}

/// One AWS call. `service:operation` is the name of its IAM action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Call {
    /// Counts up from 1, in the order in which the calls ended.
    pub n: u64,
    /// The request on whose behalf it was made: the field `Request` of `x-amzn-trace-id`.
    pub request: Option<String>,
    /// The function that called.
    pub function: String,
    /// The region that the function runs in; none if an outsider called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<String>,
    /// The region of the signature.
    pub region: String,
    /// The service as in the signature and in IAM: `dynamodb`, `kms`, `ses`, …
    pub service: String,
    /// As the service names it: `GetItem`, `Decrypt`, …
    pub operation: String,
    /// DynamoDB's tables, joined by commas if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What IAM asks the caller's policies about.
    pub needs: Vec<Need>,
    /// DynamoDB's capacity units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// When it began, in milliseconds since the journal did: what overlaps was not sequential.
    pub began: f64,
    /// How long it took.
    pub millis: f64,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The fault it met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultKind>,
}

/// Capacity units that DynamoDB charged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Capacity {
    /// Read units.
    pub read: f64,
    /// Write units.
    pub write: f64,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty journal with no faults planned.
    pub fn new() -> Self {
        Self { began: Instant::now(), calls: Mutex::default(), faults: Mutex::default() }
    }

    /// The calls after call `n`, oldest first; 0 for all that are kept.
    pub fn calls_since(&self, n: u64) -> Vec<Call> {
        let calls = lock(&self.calls);
        let wanted = usize::try_from(calls.last.saturating_sub(n)).unwrap_or(usize::MAX);
        calls.kept.iter().skip(calls.kept.len().saturating_sub(wanted)).cloned().collect()
    }

    /// Replaces the fault plan; every fault counts from here.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.faults) = faults.into_iter().map(Armed::from).collect();
    }

    /// Ends the fault plan.
    pub fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// Counts a call against every fault it matches; the first fault that is due strikes.
    pub(crate) fn strike(&self, caller: &Caller) -> Option<FaultKind> {
        let mut struck = None;
        for armed in lock(&self.faults).iter_mut() {
            let due = armed.counts(caller);
            struck = struck.or(due);
        }
        struck
    }

    /// Begins the record of a call. It is written when the entry is dropped, whatever became of the call.
    pub(crate) fn entry<'a>(&'a self, caller: &'a Caller) -> Entry<'a> {
        Entry { journal: self, caller, began: Instant::now(), seen: Seen::default() }
    }
}

/// What became of a call, as far as it is known.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) needs: Vec<Need>,
    pub(crate) table: Option<String>,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) status: u16,
    pub(crate) fault: Option<FaultKind>,
}

/// A call under way.
pub(crate) struct Entry<'a> {
    journal: &'a Journal,
    caller: &'a Caller,
    began: Instant,
    pub(crate) seen: Seen,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        let mut calls = lock(&self.journal.calls);
        calls.last += 1;
        let call = Call {
            n: calls.last,
            request: self.caller.request.clone(),
            function: self.caller.function.clone(),
            home: self.caller.home.clone(),
            region: self.caller.region.clone(),
            service: self.caller.service.name().to_owned(),
            operation: self.caller.operation.clone(),
            table: seen.table,
            needs: seen.needs,
            capacity: seen.capacity,
            began: self.began.duration_since(self.journal.began).as_secs_f64() * 1000.0,
            millis: self.began.elapsed().as_secs_f64() * 1000.0,
            status: seen.status,
            fault: seen.fault,
        };
        if calls.kept.len() == KEPT {
            calls.kept.pop_front();
        }
        calls.kept.push_back(call);
    }
}

/// A panic while the lock was held leaves a list that is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
