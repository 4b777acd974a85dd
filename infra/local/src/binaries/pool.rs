//! The instances of one function in one region: one per concurrent event, up to a maximum.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use kit::Clock;
use tokio::sync::{Semaphore, watch};

use super::instance::{Instance, InstanceConfig, InvokeError};
use crate::{clock::LocalClock, functions::InvocationError};

/// The maximum number of concurrent instances. Lambda allows 1,000 per account; a laptop has fewer CPUs.
const MAX_INSTANCES: u32 = 20;
/// The maximum wait for a free instance, equal to the integration timeout of API Gateway. Lambda would refuse the event
/// immediately.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// The instances of a function.
pub struct Pool {
    recipe: InstanceConfig,
    limit: Duration,
    clock: Arc<LocalClock>,
    /// A stack: the most recently used instance is used next, as on Lambda.
    idle: Mutex<Vec<Instance>>,
    slots: Semaphore,
    stop: watch::Sender<bool>,
}

impl Pool {
    /// A pool without instances.
    pub fn new(recipe: InstanceConfig, limit: Duration, clock: Arc<LocalClock>) -> Self {
        let slots = Semaphore::new(MAX_INSTANCES as usize);
        Self { recipe, limit, clock, idle: Mutex::default(), slots, stop: watch::Sender::new(false) }
    }

    /// Sends the event to an idle or new instance.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, InvocationError> {
        let Ok(Ok(_room)) = tokio::time::timeout(MAX_WAIT, self.slots.acquire()).await else {
            return Err(InvocationError::Busy);
        };
        let mut stop = self.stop.subscribe();
        let mut instance = tokio::select! {
            instance = self.instance() => instance.map_err(|reason| self.log_failure(reason))?,
            _ = stop.wait_for(|stop| *stop) => return Err(self.log_failure("platform is stopping".to_owned())),
        };
        let outcome = tokio::select! {
            outcome = instance.invoke(event, self.limit, self.clock.now()) => outcome,
            _ = stop.wait_for(|stop| *stop) => Err(InvokeError::Lost("platform is stopping".to_owned())),
        };
        match outcome {
            Ok(result) => {
                self.keep(instance);
                Ok(result)
            }
            Err(InvokeError::Failed(reason)) => {
                self.keep(instance);
                Err(InvocationError::Failed(reason))
            }
            Err(InvokeError::Lost(reason)) => {
                let failed = self.log_failure(reason);
                instance.end().await;
                Err(failed)
            }
        }
    }

    /// Takes a live idle instance, or starts one.
    async fn instance(&self) -> Result<Instance, String> {
        while let Some(mut instance) = self.take() {
            if instance.is_alive() {
                return Ok(instance);
            }
            instance.end().await;
        }
        Instance::start(&self.recipe).await
    }

    fn take(&self) -> Option<Instance> {
        self.lock().pop()
    }

    fn keep(&self, instance: Instance) {
        self.lock().push(instance);
    }

    fn log_failure(&self, reason: String) -> InvocationError {
        tracing::error!("{}: {reason}", self.recipe.name());
        InvocationError::Failed(reason)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops all instances, including busy ones. Returns after all have ended.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        // With all permits acquired, no event holds an instance.
        let _ = self.slots.acquire_many(MAX_INSTANCES).await.map(|all| {
            self.slots.close();
            all.forget();
        });
        let idle = std::mem::take(&mut *self.lock());
        join_all(idle.into_iter().map(Instance::end)).await;
    }
}
