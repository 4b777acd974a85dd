//! The functions of a region, as library code or as binaries. Each takes an event and returns a result, both JSON, as
//! on Lambda.

use std::{collections::BTreeMap, sync::Arc};

use aws_credential_types::Credentials;
use bytes::Bytes;
use domain::region::Region;
use futures::future::BoxFuture;
use kit::{Endpoint, Spec, Trigger, Visitor, Worker, WorkerSpec, spec::Every};
use serde_json::Value;

/// The maximum size of an event and of a result in bytes ([Lambda quotas]).
///
/// [Lambda quotas]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// Why an invocation has no result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The event is larger than [`MAX_PAYLOAD`].
    #[error("event too large")]
    TooLarge,
    /// No instance was free in time.
    #[error("too many concurrent events")]
    Busy,
    /// The function failed.
    #[error("{0}")]
    Failed(String),
}

/// The pending result of an invocation.
pub type PendingResult = BoxFuture<'static, Result<Bytes, InvocationError>>;

/// A function that can be invoked.
pub struct Function(Box<dyn Fn(Bytes) -> PendingResult + Send + Sync>);

impl Function {
    /// Wraps the closure that invokes the function.
    pub fn new(call: impl Fn(Bytes) -> PendingResult + Send + Sync + 'static) -> Self {
        Self(Box::new(call))
    }

    /// Invokes the function with an event.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvocationError> {
        if event.len() > MAX_PAYLOAD {
            return Err(InvocationError::TooLarge);
        }
        let result = (self.0)(event).await?;
        match result.len() {
            ..=MAX_PAYLOAD => Ok(result),
            _ => Err(InvocationError::Failed("result too large".to_owned())),
        }
    }
}

/// A way to run functions.
pub trait Mount {
    /// Creates the function of an endpoint.
    fn endpoint<E: Endpoint>(&self) -> Function;
    /// Creates the function of a worker.
    fn worker<W: Worker>(&self) -> Function;
}

/// An endpoint and its function.
pub struct MountedEndpoint {
    /// The specification.
    pub spec: Spec,
    /// The function.
    pub function: Function,
}

/// A worker and its function.
pub struct MountedWorker {
    /// The specification.
    pub spec: WorkerSpec,
    function: Function,
}

impl MountedWorker {
    /// A worker that `function` runs.
    pub fn new(spec: WorkerSpec, function: Function) -> Self {
        Self { spec, function }
    }

    /// Runs the worker with an event.
    pub async fn run(&self, event: Value) -> Result<Value, String> {
        let result =
            self.function.invoke(event.to_string().into()).await.map_err(|failed| failed.to_string())?;
        serde_json::from_slice(&result).map_err(|error| format!("invalid result: {error}"))
    }
}

/// A worker with a schedule.
pub struct ScheduledWorker {
    /// The id of the worker.
    pub id: &'static str,
    /// The interval.
    pub every: Every,
    /// The worker.
    pub worker: Arc<MountedWorker>,
}

/// All functions of a region.
#[derive(Default)]
pub struct MountedFunctions {
    endpoints: Vec<Arc<MountedEndpoint>>,
    workers: BTreeMap<&'static str, Arc<MountedWorker>>,
}

impl MountedFunctions {
    /// Creates all functions.
    pub fn mount(mount: &impl Mount) -> Self {
        let mut mounting = MountVisitor { functions: Self::default(), mount };
        infra::every(&mut mounting);
        mounting.functions
    }

    /// The endpoints.
    pub fn endpoints(&self) -> &[Arc<MountedEndpoint>] {
        &self.endpoints
    }

    /// The endpoint with this id.
    pub fn endpoint(&self, id: &str) -> Option<Arc<MountedEndpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.spec.id == id).cloned()
    }

    /// The worker with this id.
    pub fn worker(&self, id: &str) -> Option<Arc<MountedWorker>> {
        self.workers.get(id).cloned()
    }

    /// The ids of all workers.
    pub fn worker_ids(&self) -> Vec<&'static str> {
        self.workers.keys().copied().collect()
    }

    /// The workers that a queue triggers, with their ids.
    pub fn queue_readers(&self) -> Vec<(&'static str, Arc<MountedWorker>)> {
        let readers = self.workers.iter().filter(|(_, worker)| worker.spec.reads_queue());
        readers.map(|(id, worker)| (*id, Arc::clone(worker))).collect()
    }

    /// The workers with a schedule.
    pub fn scheduled(&self) -> Vec<ScheduledWorker> {
        let scheduled = |(id, worker): (&&'static str, &Arc<MountedWorker>)| {
            worker.spec.schedule().map(|every| ScheduledWorker { id, every, worker: Arc::clone(worker) })
        };
        self.workers.iter().filter_map(scheduled).collect()
    }

    /// The workers that the outbox stream triggers.
    pub fn stream_readers(&self) -> Vec<Arc<MountedWorker>> {
        self.workers.values().filter(|worker| worker.spec.has(Trigger::OutboxStream)).cloned().collect()
    }

    /// The worker that rotates secrets, with its id.
    pub fn rotator(&self) -> Option<(&'static str, Arc<MountedWorker>)> {
        let mut rotators = self.workers.iter().filter(|(_, worker)| worker.spec.has(Trigger::Rotation));
        rotators.next().map(|(id, worker)| (*id, Arc::clone(worker)))
    }
}

/// The credentials with which a function of a region calls the stand-ins.
pub fn credentials(region: Region, function: &str) -> Credentials {
    outsider(&format!("{}.{function}", region.aws()))
}

/// The credentials of a caller that is no function. It may do everything in every region.
pub fn outsider(name: &str) -> Credentials {
    Credentials::new(name, aws::SECRET_ACCESS_KEY, None, None, "local")
}

struct MountVisitor<'a, M> {
    functions: MountedFunctions,
    mount: &'a M,
}

impl<M: Mount> Visitor for MountVisitor<'_, M> {
    fn endpoint<E: Endpoint>(&mut self) {
        let endpoint = MountedEndpoint { spec: E::SPEC, function: self.mount.endpoint::<E>() };
        self.functions.endpoints.push(Arc::new(endpoint));
    }

    fn worker<W: Worker>(&mut self) {
        let worker = MountedWorker::new(W::SPEC, self.mount.worker::<W>());
        self.functions.workers.insert(W::SPEC.id, Arc::new(worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_with_two_triggers_is_found_by_both() {
        let every = kit::spec::Every::Days(1);
        let spec = kit::worker("run-export", Trigger::Schedule(every), "Exports", &[]).also(Trigger::Bus);
        let function = Function::new(|event| Box::pin(async move { Ok(event) }));
        let mut functions = MountedFunctions::default();
        functions.workers.insert(spec.id, Arc::new(MountedWorker { spec, function }));
        let ids =
            |found: Vec<(&'static str, Arc<MountedWorker>)>| found.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(ids(functions.queue_readers()), ["run-export"]);
        let scheduled = functions.scheduled();
        assert_eq!(scheduled.iter().map(|it| (it.id, it.every)).collect::<Vec<_>>(), [("run-export", every)]);
        assert!(functions.stream_readers().is_empty() && functions.rotator().is_none());
    }

    #[tokio::test]
    async fn oversized_event_or_result_is_refused() {
        let echo = Function::new(|event| Box::pin(async move { Ok(event) }));
        let large = |size| Bytes::from(vec![b' '; size]);
        assert_eq!(echo.invoke(large(MAX_PAYLOAD)).await, Ok(large(MAX_PAYLOAD)));
        assert_eq!(echo.invoke(large(MAX_PAYLOAD + 1)).await, Err(InvocationError::TooLarge));
        let talks = Function::new(move |_| Box::pin(async move { Ok(large(MAX_PAYLOAD + 1)) }));
        assert!(matches!(talks.invoke(large(0)).await, Err(InvocationError::Failed(_))));
    }
}
