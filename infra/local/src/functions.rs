//! Mounts the functions: each gets a boot of its own, so that each calls AWS under its own name.

use std::{collections::BTreeMap, sync::Arc};

use aws_credential_types::Credentials;
use bytes::Bytes;
use domain::region::Region;
use futures::future::BoxFuture;
use http::{Request, Response};
use kit::{
    Endpoint, Ports, Spec, Visitor, Worker,
    spec::{Method, Trigger},
};
use lambda::Boot;
use serde_json::Value;

use crate::schedule::Scheduled;

type Answer = BoxFuture<'static, Response<Bytes>>;
type Outcome = BoxFuture<'static, Result<Value, String>>;

/// An endpoint, ready to be called.
pub struct MountedEndpoint {
    /// What it is.
    pub spec: Spec,
    call: Box<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>,
}

impl MountedEndpoint {
    /// Calls it.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        (self.call)(request).await
    }
}

/// A worker, ready to be run.
pub struct MountedWorker {
    /// What sets it off.
    pub trigger: Trigger,
    run: Box<dyn Fn(Value) -> Outcome + Send + Sync>,
}

impl MountedWorker {
    /// Runs it on an event.
    pub async fn run(&self, event: Value) -> Result<Value, String> {
        (self.run)(event).await
    }
}

/// Every function of a region.
#[derive(Default)]
pub struct Functions {
    endpoints: Vec<Arc<MountedEndpoint>>,
    workers: BTreeMap<&'static str, Arc<MountedWorker>>,
}

impl Functions {
    /// Mounts every function; `boot` makes what one is built from, by its name.
    pub fn mount(boot: impl Fn(&'static str) -> Boot) -> Self {
        let mut mounting = Mounting { functions: Self::default(), boot };
        infra::every(&mut mounting);
        mounting.functions
    }

    /// The routes: each path's functions by method.
    pub fn routes(&self) -> BTreeMap<&'static str, Vec<(Method, Arc<MountedEndpoint>)>> {
        let mut routes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for endpoint in &self.endpoints {
            let methods = endpoint.spec.methods().map(|method| (method, Arc::clone(endpoint)));
            routes.entry(endpoint.spec.path).or_default().extend(methods);
        }
        routes
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
        let listens = |worker: &MountedWorker| match worker.trigger {
            Trigger::Bus(types) => types.contains(&detail_type),
            Trigger::OutboxStream | Trigger::Authorizer | Trigger::Schedule(_) | Trigger::Rotation => false,
        };
        let consumers = self.workers.iter().filter(|(_, worker)| listens(worker));
        consumers.map(|(id, worker)| (*id, Arc::clone(worker))).collect()
    }

    /// The workers that run by the clock.
    pub fn scheduled(&self) -> Vec<Scheduled> {
        let scheduled = |(id, worker): (&&'static str, &Arc<MountedWorker>)| match worker.trigger {
            Trigger::Schedule(every) => Some(Scheduled { id, every, worker: Arc::clone(worker) }),
            Trigger::Bus(_) | Trigger::OutboxStream | Trigger::Authorizer | Trigger::Rotation => None,
        };
        self.workers.iter().filter_map(scheduled).collect()
    }

    /// The workers that the outbox's stream sets off.
    pub fn stream_readers(&self) -> Vec<Arc<MountedWorker>> {
        self.workers.values().filter(|worker| worker.trigger == Trigger::OutboxStream).cloned().collect()
    }

    /// The worker that rotates secrets.
    pub fn rotator(&self) -> Option<(&'static str, Arc<MountedWorker>)> {
        let mut rotators = self.workers.iter().filter(|(_, worker)| worker.trigger == Trigger::Rotation);
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

struct Mounting<B> {
    functions: Functions,
    boot: B,
}

impl<B: Fn(&'static str) -> Boot> Visitor for Mounting<B> {
    fn endpoint<E: Endpoint>(&mut self) {
        let boot = (self.boot)(E::SPEC.id);
        let (kit, deps) = (Arc::new(boot.kit()), Arc::new(E::deps(&boot)));
        let call = move |request| -> Answer {
            let (kit, deps) = (Arc::clone(&kit), Arc::clone(&deps));
            Box::pin(async move { kit::dispatch::<E>(&kit, &deps, request).await })
        };
        self.functions.endpoints.push(Arc::new(MountedEndpoint { spec: E::SPEC, call: Box::new(call) }));
    }

    fn worker<W: Worker>(&mut self) {
        let boot = Arc::new((self.boot)(W::SPEC.id));
        let deps = Arc::new(W::deps(&*boot));
        let run = move |event| -> Outcome {
            let (boot, deps) = (Arc::clone(&boot), Arc::clone(&deps));
            Box::pin(async move {
                let event = serde_json::from_value(event)
                    .map_err(|error| format!("not an event of this function: {error}"))?;
                let result = W::handle(&deps, &boot.job(), event).await.map_err(|error| error.to_string())?;
                serde_json::to_value(result).map_err(|error| error.to_string())
            })
        };
        self.functions
            .workers
            .insert(W::SPEC.id, Arc::new(MountedWorker { trigger: W::SPEC.trigger, run: Box::new(run) }));
    }
}
