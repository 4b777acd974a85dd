//! The functions of a region, however they are run: each takes an event and gives a result, both JSON, as on Lambda.

use std::{collections::BTreeMap, sync::Arc};

use aws_credential_types::Credentials;
use bytes::Bytes;
use domain::region::Region;
use futures::future::BoxFuture;
use kit::{Endpoint, Spec, Trigger, Visitor, Worker, WorkerSpec};
use serde_json::Value;

use crate::schedule::Scheduled;

/// What an event, and what a result, may have at the most ([Lambda's quota]).
///
/// [Lambda's quota]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
pub const LARGEST: usize = 6 * 1024 * 1024;

/// Why there is no result.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The event is larger than [`LARGEST`].
    #[error("the event is too large")]
    TooLarge,
    /// Nothing was free to take the event.
    #[error("too many are under way")]
    Busy,
    /// The function took the event and failed.
    #[error("{0}")]
    Error(String),
}

/// What becomes of an event.
pub type Outcome = BoxFuture<'static, Result<Bytes, Failed>>;

/// A function, ready to be called.
pub struct Function(Box<dyn Fn(Bytes) -> Outcome + Send + Sync>);

impl Function {
    /// The function that this calls.
    pub fn new(call: impl Fn(Bytes) -> Outcome + Send + Sync + 'static) -> Self {
        Self(Box::new(call))
    }

    /// Hands it an event, and gives its result.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, Failed> {
        if event.len() > LARGEST {
            return Err(Failed::TooLarge);
        }
        let result = (self.0)(event).await?;
        match result.len() {
            ..=LARGEST => Ok(result),
            _ => Err(Failed::Error("the result is too large".to_owned())),
        }
    }
}

/// How functions are run.
pub trait Mount {
    /// An endpoint.
    fn endpoint<E: Endpoint>(&self) -> Function;
    /// A worker.
    fn worker<W: Worker>(&self) -> Function;
}

/// An endpoint, ready to be called.
pub struct MountedEndpoint {
    /// What it is.
    pub spec: Spec,
    /// What answers.
    pub function: Function,
}

/// A worker, ready to be run.
pub struct MountedWorker {
    /// What it is.
    pub spec: WorkerSpec,
    function: Function,
}

impl MountedWorker {
    /// Runs it on an event.
    pub async fn run(&self, event: Value) -> Result<Value, String> {
        let result =
            self.function.invoke(event.to_string().into()).await.map_err(|failed| failed.to_string())?;
        serde_json::from_slice(&result).map_err(|error| format!("not a result: {error}"))
    }
}

/// Every function of a region.
#[derive(Default)]
pub struct Functions {
    endpoints: Vec<Arc<MountedEndpoint>>,
    workers: BTreeMap<&'static str, Arc<MountedWorker>>,
}

impl Functions {
    /// Mounts every function.
    pub fn mount(mount: &impl Mount) -> Self {
        let mut mounting = Mounting { functions: Self::default(), mount };
        infra::every(&mut mounting);
        mounting.functions
    }

    /// Those with routes.
    pub fn endpoints(&self) -> &[Arc<MountedEndpoint>] {
        &self.endpoints
    }

    /// A worker by its name.
    pub fn worker(&self, id: &str) -> Option<Arc<MountedWorker>> {
        self.workers.get(id).cloned()
    }

    /// The names of all workers.
    pub fn worker_ids(&self) -> Vec<&'static str> {
        self.workers.keys().copied().collect()
    }

    /// The workers that events of this type set off.
    pub fn consumers(&self, detail_type: &str) -> Vec<(&'static str, Arc<MountedWorker>)> {
        let listens = |trigger| match trigger {
            Trigger::Bus(types) => types.contains(&detail_type),
            Trigger::OutboxStream | Trigger::Authorizer | Trigger::Schedule(_) | Trigger::Rotation => false,
        };
        let consumers = self.workers.iter().filter(|(_, worker)| worker.spec.triggers().any(listens));
        consumers.map(|(id, worker)| (*id, Arc::clone(worker))).collect()
    }

    /// The workers that run by the clock.
    pub fn scheduled(&self) -> Vec<Scheduled> {
        let scheduled = |(id, worker): (&&'static str, &Arc<MountedWorker>)| {
            worker.spec.schedule().map(|every| Scheduled { id, every, worker: Arc::clone(worker) })
        };
        self.workers.iter().filter_map(scheduled).collect()
    }

    /// The workers that the outbox's stream sets off.
    pub fn stream_readers(&self) -> Vec<Arc<MountedWorker>> {
        self.workers.values().filter(|worker| worker.spec.has(Trigger::OutboxStream)).cloned().collect()
    }

    /// The worker that rotates secrets.
    pub fn rotator(&self) -> Option<(&'static str, Arc<MountedWorker>)> {
        let mut rotators = self.workers.iter().filter(|(_, worker)| worker.spec.has(Trigger::Rotation));
        rotators.next().map(|(id, worker)| (*id, Arc::clone(worker)))
    }
}

/// Under whose name a function of a region calls the stand-ins.
pub fn credentials(region: Region, function: &str) -> Credentials {
    outsider(&format!("{}.{function}", region.aws()))
}

/// Under whose name one calls them who is no function, and may do everything in every region.
pub fn outsider(name: &str) -> Credentials {
    Credentials::new(name, aws::SECRET_ACCESS_KEY, None, None, "local")
}

struct Mounting<'a, M> {
    functions: Functions,
    mount: &'a M,
}

impl<M: Mount> Visitor for Mounting<'_, M> {
    fn endpoint<E: Endpoint>(&mut self) {
        let endpoint = MountedEndpoint { spec: E::SPEC, function: self.mount.endpoint::<E>() };
        self.functions.endpoints.push(Arc::new(endpoint));
    }

    fn worker<W: Worker>(&mut self) {
        let worker = MountedWorker { spec: W::SPEC, function: self.mount.worker::<W>() };
        self.functions.workers.insert(W::SPEC.id, Arc::new(worker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_with_two_triggers_is_found_by_both() {
        const TYPES: &[&str] = &["trash.unfinished"];
        let every = kit::spec::Every::Days(1);
        let spec = kit::worker("purge", Trigger::Schedule(every), "Purges", &[]).also(Trigger::Bus(TYPES));
        let function = Function::new(|event| Box::pin(async move { Ok(event) }));
        let mut functions = Functions::default();
        functions.workers.insert(spec.id, Arc::new(MountedWorker { spec, function }));
        let ids =
            |found: Vec<(&'static str, Arc<MountedWorker>)>| found.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(ids(functions.consumers("trash.unfinished")), ["purge"]);
        assert_eq!(ids(functions.consumers("trash.other")), [""; 0]);
        let scheduled = functions.scheduled();
        assert_eq!(scheduled.iter().map(|it| (it.id, it.every)).collect::<Vec<_>>(), [("purge", every)]);
        assert!(functions.stream_readers().is_empty() && functions.rotator().is_none());
    }

    #[tokio::test]
    async fn neither_event_nor_result_is_larger_than_lambda_allows() {
        let echo = Function::new(|event| Box::pin(async move { Ok(event) }));
        let large = |size| Bytes::from(vec![b' '; size]);
        assert_eq!(echo.invoke(large(LARGEST)).await, Ok(large(LARGEST)));
        assert_eq!(echo.invoke(large(LARGEST + 1)).await, Err(Failed::TooLarge));
        let talks = Function::new(move |_| Box::pin(async move { Ok(large(LARGEST + 1)) }));
        assert!(matches!(talks.invoke(large(0)).await, Err(Failed::Error(_))));
    }
}
