//! The instances of one function in one region: as many as events are under way, up to a bound.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::future::join_all;
use kit::Clock;
use tokio::sync::{Semaphore, watch};

use super::instance::{Ended, Instance, Recipe};
use crate::{clock::LocalClock, functions::Failed};

/// So many instances run at a time. Lambda has a thousand for an account; a laptop has fewer processors.
const MOST: u32 = 20;
/// An event waits so long for one of them, as API Gateway waits for its integration at the most. Lambda would refuse it at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A function's instances.
pub struct Pool {
    recipe: Recipe,
    limit: Duration,
    clock: Arc<LocalClock>,
    /// The one used last is used next, as on Lambda: the others would be let go in time.
    idle: Mutex<Vec<Instance>>,
    room: Semaphore,
    stop: watch::Sender<bool>,
}

impl Pool {
    /// No instance yet.
    pub fn new(recipe: Recipe, limit: Duration, clock: Arc<LocalClock>) -> Self {
        let room = Semaphore::new(MOST as usize);
        Self { recipe, limit, clock, idle: Mutex::default(), room, stop: watch::Sender::new(false) }
    }

    /// Has an instance take the event.
    pub async fn invoke(&self, event: Bytes) -> Result<Bytes, Failed> {
        let Ok(Ok(_room)) = tokio::time::timeout(PATIENCE, self.room.acquire()).await else {
            return Err(Failed::Busy);
        };
        let mut stop = self.stop.subscribe();
        let mut instance = tokio::select! {
            instance = self.instance() => instance.map_err(|reason| self.complain(reason))?,
            _ = stop.wait_for(|stop| *stop) => return Err(self.complain("the platform stops".to_owned())),
        };
        let outcome = tokio::select! {
            outcome = instance.invoke(event, self.limit, self.clock.now()) => outcome,
            _ = stop.wait_for(|stop| *stop) => Err(Ended::Lost("the platform stops".to_owned())),
        };
        match outcome {
            Ok(result) => {
                self.keep(instance);
                Ok(result)
            }
            Err(Ended::Failed(reason)) => {
                self.keep(instance);
                Err(Failed::Error(reason))
            }
            Err(Ended::Lost(reason)) => {
                let failed = self.complain(reason);
                instance.end().await;
                Err(failed)
            }
        }
    }

    /// One that is idle and lives, or a new one.
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

    fn complain(&self, reason: String) -> Failed {
        tracing::error!("{}: {reason}", self.recipe.name());
        Failed::Error(reason)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all instances, also those that hold an event, and returns when none is left.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        // When everybody has left the room, nobody holds an instance.
        let _ = self.room.acquire_many(MOST).await.map(|all| {
            self.room.close();
            all.forget();
        });
        let idle = std::mem::take(&mut *self.lock());
        join_all(idle.into_iter().map(Instance::end)).await;
    }
}
