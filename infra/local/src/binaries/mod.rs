//! Runs the functions' built binaries, each as Lambda does: started on demand with Lambda's environment and nothing else,
//! handed one event at a time by a Lambda Runtime API of its own, kept for the next one, killed when it takes too long.

mod environment;
mod faketime;
mod files;
mod instance;
mod log;
mod pool;
mod runtime_api;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use infra::template::{REQUEST_SECONDS, worker_seconds};
use kit::{Endpoint, Memory, Worker};
use lambda::Config;

pub use self::files::Missing;
use self::{environment::Environment, faketime::Faketime, files::Binaries, instance::Recipe, pool::Pool};
use crate::{
    clock::{Hands, LocalClock},
    functions::{Function, Mount},
};

/// Every function's binary, and what has them follow the local clock.
pub struct Built {
    binaries: Binaries,
    partitions: PathBuf,
    faketime: Option<Arc<Faketime>>,
}

/// What a build puts beside each binary that is deployed.
const PARTITIONS: &str = include_str!("../../../partitions.json");

/// Why binaries can't be run.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Some are missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// They would not follow the clock.
    #[error(transparent)]
    Clock(#[from] Stuck),
    /// The file that they read when they start can't be written.
    #[error("the binaries' partitions.json can't be written: {0}")]
    Partitions(#[from] std::io::Error),
}

/// Why binaries can't follow the local clock.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// Nothing can stand between them and the machine's clock.
    #[error(
        "binaries follow a moved clock only where libfaketime is installed (Debian: apt-get install faketime)"
    )]
    NoFaketime,
    /// The file that says how far it was moved can't be written.
    #[error("the binaries' clock can't be set: {0}")]
    File(#[from] std::io::Error),
}

impl Built {
    /// The binaries in `folder`; what they need beside is kept in `data`.
    pub fn open(folder: &Path, data: &Path, clock: &LocalClock) -> Result<Self, Unusable> {
        let binaries = Binaries::find(folder)?;
        // Instances run elsewhere.
        let partitions = std::path::absolute(data)?.join("partitions.json");
        crate::files::replace_text(&partitions, PARTITIONS)?;
        let built = Self { binaries, partitions, faketime: Faketime::find(data).map(Arc::new) };
        match built.follow(clock) {
            // A clock that nobody moves is the machine's.
            Err(Stuck::NoFaketime) if clock.hands() == Hands::Running(0) => Ok(built),
            followed => followed.map(|()| built).map_err(Unusable::Clock),
        }
    }

    /// Has every instance see what the local clock shows.
    pub fn follow(&self, clock: &LocalClock) -> Result<(), Stuck> {
        Ok(self.faketime()?.follow(clock)?)
    }

    /// Whether the clock may be moved.
    pub fn can_follow(&self) -> Result<(), Stuck> {
        self.faketime().map(drop)
    }

    fn faketime(&self) -> Result<&Faketime, Stuck> {
        self.faketime.as_deref().ok_or(Stuck::NoFaketime)
    }
}

/// The binaries of one region.
pub struct Fleet {
    built: Arc<Built>,
    config: Config,
    aws: String,
    clock: Arc<LocalClock>,
    pools: Mutex<Vec<Arc<Pool>>>,
}

impl Fleet {
    /// Nothing runs yet. `aws` is where every region's AWS is.
    pub fn new(built: &Arc<Built>, config: &Config, aws: &str, clock: &Arc<LocalClock>) -> Self {
        let (built, clock) = (Arc::clone(built), Arc::clone(clock));
        Self { built, config: config.clone(), aws: aws.to_owned(), clock, pools: Mutex::default() }
    }

    fn function(&self, id: &'static str, memory: Memory, seconds: u32) -> Function {
        let environment = Environment {
            config: self.config.clone(),
            function: id,
            memory,
            aws: self.aws.clone(),
            partitions: self.built.partitions.clone(),
            faketime: self.built.faketime.clone(),
        };
        let binary = self.built.binaries.of(id);
        let recipe = Recipe { function: id, region: self.config.region, binary, environment };
        let limit = Duration::from_secs(seconds.into());
        let pool = Arc::new(Pool::new(recipe, limit, Arc::clone(&self.clock)));
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pool));
        Function::new(move |event| {
            let pool = Arc::clone(&pool);
            Box::pin(async move { pool.invoke(event).await })
        })
    }

    /// Ends every instance, and returns when none is left.
    pub async fn stop(&self) {
        let pools = std::mem::take(&mut *self.pools.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(pools.iter().map(|pool| pool.stop())).await;
    }
}

impl Mount for Fleet {
    fn endpoint<E: Endpoint>(&self) -> Function {
        self.function(E::SPEC.id, E::SPEC.memory, REQUEST_SECONDS)
    }

    fn worker<W: Worker>(&self) -> Function {
        self.function(W::SPEC.id, Memory::Small, worker_seconds(&W::SPEC))
    }
}
