//! The local platform: three regions side by side, each with every function behind an HTTP gateway, on stand-ins for AWS
//! that the real SDK clients talk to.
//!
//! The functions are the library code that the Lambda binaries serve, or those binaries themselves, each behind a Lambda
//! Runtime API (`binaries`). Only what stands around them differs: `gateway` is API Gateway, `delivery` is the table stream
//! and the event bus, `schedule` is EventBridge Scheduler, `replication` is what makes the directory a global table,
//! `rotation` is what Secrets Manager does by itself, `controls` is what a deployment does not have.

mod binaries;
mod clock;
mod compaction;
mod controls;
mod delivery;
mod files;
mod functions;
mod gateway;
mod in_process;
mod listeners;
mod pages;
mod payload;
pub mod policy;
mod provision;
mod region;
mod replication;
mod rotation;
mod schedule;
mod stream;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::region::Region;
use futures::future::join_all;
use lambda::HttpClient;
use tokio::{sync::watch, task::JoinHandle};
use url::Url;

pub use crate::functions::{credentials, outsider};
use crate::{
    binaries::{Built, Fleet, Unusable},
    clock::LocalClock,
    controls::Controls,
    listeners::Listeners,
    provision::Site,
    region::{RunningRegion, StandIns, Way},
    replication::{Replication, Switch},
};

/// The form of the data folder. A folder of another form is refused, never guessed at.
const DATA_VERSION: &str = "5";

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The entry point's port; the regions listen on the ports after it. 0: any free ones.
    pub port: u16,
    /// Where everything is kept.
    pub data: PathBuf,
    /// An external emulator for DynamoDB and S3 instead of the embedded ones.
    pub aws: Option<Url>,
    /// A folder with the functions' built binaries, which are run instead of the library code in this process.
    pub binaries: Option<PathBuf>,
}

/// Why the platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is somebody else's.
    #[error("port {port} can't be listened on: {source}. Choose another with --port.")]
    Port {
        /// Which port.
        port: u16,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data folder can't be used.
    #[error("the data folder {folder} can't be used: {reason}")]
    Data {
        /// Which folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The binaries can't be run.
    #[error("the binaries can't be run: {0}")]
    Binaries(#[from] Unusable),
    /// A stand-in does not start.
    #[error("the stand-ins for AWS don't start: {0}")]
    Aws(#[from] aws::StartError),
    /// The HTTP client can't be made.
    #[error(transparent)]
    Http(#[from] lambda::ConfigError),
    /// The tables, keys, secrets or buckets can't be made.
    #[error("the regions can't be set up: {0}")]
    Provision(String),
}

/// A running platform.
pub struct Platform {
    url: String,
    endpoints: BTreeMap<Region, String>,
    regions: Vec<Arc<RunningRegion>>,
    front: Option<aws::Front>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    replication: Vec<JoinHandle<()>>,
}

impl Platform {
    /// Starts everything; ready when this returns. What could not start leaves nothing running.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        open_folder(&options.data)?;
        let listeners = Listeners::bind(options.port).await?;
        let (url, endpoints) = (listeners::url(&listeners.entry)?, listeners.endpoints()?);
        let clock = Arc::new(LocalClock::open(options.data.join("clock.json")));
        let built = options.binaries.as_deref().map(|folder| Built::open(folder, &options.data, &clock));
        let built = built.transpose()?.map(Arc::new);
        let journal = Arc::new(aws::Journal::new());
        let stand_ins = StandIns::start_all(&options, &clock, &journal).await?;
        let (http, switch) = (HttpClient::new()?, Arc::new(Switch::default()));
        let replication = match set_up(&options, &stand_ins, &endpoints, &http, &switch).await {
            Ok(replication) => replication,
            Err(error) => {
                StandIns::stop_all(stand_ins).await;
                return Err(StartError::Provision(error));
            }
        };
        let front = match open_front(built.is_some(), &stand_ins).await {
            Ok(front) => front,
            Err(error) => {
                StandIns::stop_all(stand_ins).await;
                return Err(error.into());
            }
        };
        let authority = authority(&stand_ins).map(|it| it.aws.endpoint().to_owned()).unwrap_or_default();
        let mount = |stand_ins: StandIns| {
            let config = region::config(stand_ins.region, &endpoints);
            let way = match (&built, &front) {
                (Some(built), Some(front)) => {
                    Way::Binaries(Arc::new(Fleet::new(built, &config, front.endpoint(), &clock)))
                }
                _ => Way::InProcess { authority: &authority, http: &http },
            };
            RunningRegion::start(stand_ins, &config, way, &http, &clock)
        };
        let regions: Vec<_> = stand_ins.into_iter().map(mount).collect();
        let (stop, stopping) = watch::channel(false);
        let mut replication = replication.start(&stopping);
        replication.extend(rotation::follow(&regions, Arc::clone(&switch), &stopping));
        let (data, regions_too) = (options.data, regions.clone());
        let controls = Arc::new(Controls { clock, built, journal, switch, data, regions: regions_too });
        let servers = serve(listeners, controls, &stopping);
        Ok(Self { url, endpoints, regions, front, stop, servers, replication })
    }

    /// The entry point's address, as in `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The address of a region's API, as in `http://127.0.0.1:9002`.
    pub fn region_url(&self, region: Region) -> String {
        self.endpoints.get(&region).cloned().unwrap_or_default()
    }

    /// The address of a region's stand-ins, for whoever wants to look into its tables.
    pub fn aws_endpoint(&self, region: Region) -> Option<String> {
        let region = self.regions.iter().find(|running| running.region == region)?;
        Some(region.aws.endpoint().to_owned())
    }

    /// Stops and returns once every request is answered and every file closed.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        join_all(self.servers).await;
        join_all(self.replication).await;
        join_all(self.regions.into_iter().map(RunningRegion::stop)).await;
        if let Some(front) = self.front {
            front.stop().await;
        }
    }
}

/// Makes what the regions need and don't have, and waits until it has arrived everywhere.
async fn set_up(
    options: &Options,
    stand_ins: &[StandIns],
    endpoints: &BTreeMap<Region, String>,
    http: &HttpClient,
    switch: &Arc<Switch>,
) -> Result<Replication, String> {
    let site = |it: &StandIns| {
        let config = region::config(it.region, endpoints);
        Site::new(config, &it.endpoint(outsider("provision")), http)
    };
    let sites: Vec<Site> = stand_ins.iter().map(site).collect();
    provision::provision(&sites).await?;
    let authority = authority(stand_ins).ok_or("the directory has no authority")?;
    let others = stand_ins.iter().filter(|it| it.region != authority.region).map(|it| &it.aws);
    rotation::replicate(&authority.aws, &others.collect::<Vec<_>>()).await;
    let mut replication = Replication::new(authority, http, Arc::clone(switch));
    for replica in stand_ins.iter().filter(|it| it.region != authority.region) {
        replication.add(replica, options.data.join("directory").join(replica.region.as_str()))?;
    }
    replication.catch_up().await?;
    Ok(replication)
}

/// Opens one address for every region's AWS, which is what a binary knows.
async fn open_front(wanted: bool, stand_ins: &[StandIns]) -> Result<Option<aws::Front>, aws::StartError> {
    match stand_ins {
        [first, others @ ..] if wanted => {
            aws::Front::start(&first.aws, others.iter().map(|it| &it.aws)).await.map(Some)
        }
        _ => Ok(None),
    }
}

fn authority(stand_ins: &[StandIns]) -> Option<&StandIns> {
    stand_ins.iter().find(|it| it.region == Region::AUTHORITY)
}

/// Opens the doors: each region's, and the entry point, which is the first region's and has the controls.
fn serve(
    listeners: Listeners,
    controls: Arc<Controls>,
    stopping: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let mut entry = controls::router(Arc::clone(&controls));
    let mut doors = listeners.regions;
    let mut servers = Vec::new();
    for running in &controls.regions {
        let router = gateway::router(Arc::clone(running));
        if running.region == Region::Us {
            entry = entry.merge(router.clone());
        }
        if let Some(door) = doors.remove(&running.region) {
            servers.push(gateway::serve(door, router, stopping.clone()));
        }
    }
    servers.push(gateway::serve(listeners.entry, entry, stopping.clone()));
    servers
}

/// An error with its causes.
fn why(error: impl std::error::Error) -> String {
    aws_sdk_dynamodb::error::DisplayErrorContext(error).to_string()
}

/// Makes the folder, or sees that it is one of ours.
fn open_folder(folder: &Path) -> Result<(), StartError> {
    let refuse = |reason: String| StartError::Data { folder: folder.to_owned(), reason };
    std::fs::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
    let marker = folder.join("version");
    match std::fs::read_to_string(&marker) {
        Ok(version) if version.trim() == DATA_VERSION => Ok(()),
        Ok(version) => Err(refuse(format!(
            "it is of version {}, and this platform reads version {DATA_VERSION}. Move it away or choose another with --data",
            version.trim()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut entries = std::fs::read_dir(folder).map_err(|error| refuse(error.to_string()))?;
            if entries.next().is_some() {
                return Err(refuse("it holds files, but none of this platform's".to_owned()));
            }
            std::fs::write(marker, DATA_VERSION).map_err(|error| refuse(error.to_string()))
        }
        Err(error) => Err(refuse(error.to_string())),
    }
}
