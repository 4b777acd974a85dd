//! Runs the built binaries of functions as Lambda does. An instance starts on demand with the environment of Lambda,
//! takes one event at a time from its own Lambda Runtime API, is reused for later events, and is killed when it exceeds
//! its timeout.

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
use infra::timeouts::{REQUEST_SECONDS, worker_seconds};
use kit::{Endpoint, Memory, Worker};
use lambda::Config;

pub use self::files::MissingBinaries;
use self::{
    environment::Environment, faketime::Faketime, files::Binaries, instance::InstanceConfig, pool::Pool,
};
use crate::{
    clock::{ClockState, LocalClock},
    functions::{Function, Mount},
};

/// The binaries of all functions, and the library that makes them use the local clock.
pub struct FunctionBinaries {
    binaries: Binaries,
    partitions: PathBuf,
    faketime: Option<Arc<Faketime>>,
}

/// The file that `infra/build` puts beside each deployed binary.
const PARTITIONS: &str = include_str!("../../../partitions.json");

/// Why binaries can't be run.
#[derive(Debug, thiserror::Error)]
pub enum BinariesError {
    /// Binaries are missing.
    #[error(transparent)]
    Missing(#[from] MissingBinaries),
    /// The binaries can't use the local clock.
    #[error(transparent)]
    Clock(#[from] ClockError),
    /// The file that binaries read at start can't be written.
    #[error("can't write partitions.json for the binaries: {0}")]
    Partitions(#[from] std::io::Error),
}

/// Why binaries can't use the local clock.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// libfaketime is not installed.
    #[error("binaries need libfaketime to use a moved clock: install it (Debian: apt-get install faketime)")]
    NoFaketime,
    /// The file with the clock offset can't be written.
    #[error("can't set the clock of the binaries: {0}")]
    File(#[from] std::io::Error),
}

impl FunctionBinaries {
    /// Opens the binaries in `folder`. Writes supporting files to `data`.
    pub fn open(folder: &Path, data: &Path, clock: &LocalClock) -> Result<Self, BinariesError> {
        let binaries = Binaries::find(folder)?;
        // Instances have another working directory.
        let partitions = std::path::absolute(data)?.join("partitions.json");
        crate::files::replace_text(&partitions, PARTITIONS)?;
        let built = Self { binaries, partitions, faketime: Faketime::find(data).map(Arc::new) };
        match built.follow(clock) {
            // A clock without an offset needs no libfaketime.
            Err(ClockError::NoFaketime) if clock.state() == ClockState::Running(0) => Ok(built),
            followed => followed.map(|()| built).map_err(BinariesError::Clock),
        }
    }

    /// Sets the clock of all instances to the local clock.
    pub fn follow(&self, clock: &LocalClock) -> Result<(), ClockError> {
        Ok(self.faketime()?.follow(clock)?)
    }

    /// Returns an error if the clock of the binaries can't be moved.
    pub fn can_follow(&self) -> Result<(), ClockError> {
        self.faketime().map(drop)
    }

    fn faketime(&self) -> Result<&Faketime, ClockError> {
        self.faketime.as_deref().ok_or(ClockError::NoFaketime)
    }
}

/// The binaries of one region.
pub struct RegionBinaries {
    built: Arc<FunctionBinaries>,
    config: Config,
    aws: String,
    clock: Arc<LocalClock>,
    pools: Mutex<Vec<Arc<Pool>>>,
}

impl RegionBinaries {
    /// Starts no instance yet. `aws` is the AWS endpoint of all regions.
    pub fn new(built: &Arc<FunctionBinaries>, config: &Config, aws: &str, clock: &Arc<LocalClock>) -> Self {
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
        let recipe = InstanceConfig { function: id, region: self.config.region, binary, environment };
        let limit = Duration::from_secs(seconds.into());
        let pool = Arc::new(Pool::new(recipe, limit, Arc::clone(&self.clock)));
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&pool));
        Function::new(move |event| {
            let pool = Arc::clone(&pool);
            Box::pin(async move { pool.invoke(event).await })
        })
    }

    /// Stops all instances. Returns after all have ended.
    pub async fn stop(&self) {
        let pools = std::mem::take(&mut *self.pools.lock().unwrap_or_else(PoisonError::into_inner));
        join_all(pools.iter().map(|pool| pool.stop())).await;
    }
}

impl Mount for RegionBinaries {
    fn endpoint<E: Endpoint>(&self) -> Function {
        self.function(E::SPEC.id, E::SPEC.memory, REQUEST_SECONDS)
    }

    fn worker<W: Worker>(&self) -> Function {
        self.function(W::SPEC.id, Memory::Small, worker_seconds(&W::SPEC))
    }
}
