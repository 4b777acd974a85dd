//! The local platform: three regions on one machine, each with every function behind an HTTP gateway, on stand-ins for
//! AWS that the real SDK clients call.
//!
//! The functions run as library code or as the built binaries, each behind a Lambda Runtime API (`binaries`). These
//! modules replace AWS services: `gateway` and `signature` API Gateway, `delivery` the table stream, `consumer` Lambda's polling of queues,
//! `schedule` EventBridge Scheduler, `replication` the global table of the directory, and `rotation` the rotation and replication
//! of Secrets Manager. `controls` has no counterpart in a deployment.

mod admission;
mod binaries;
mod clock;
mod compaction;
mod consumer;
mod controls;
mod cors;
mod data_folder;
mod delivery;
mod files;
mod functions;
mod gateway;
mod idp;
mod in_process;
mod listeners;
mod options;
mod pages;
mod payload;
mod payments;
pub mod policy;
mod provision;
mod region;
mod region_config;
mod replication;
mod rotation;
mod routes;
mod schedule;
mod sdk_error;
mod signature;
mod start_error;
mod stream;

use std::{collections::BTreeMap, sync::Arc};

use domain::region::Region;
use futures::future::join_all;
use lambda::HttpClient;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    admission::Admission,
    binaries::{FunctionBinaries, RegionBinaries},
    clock::LocalClock,
    controls::Controls,
    cors::ApiCors,
    listeners::Listeners,
    provision::RegionSetup,
    region::{FunctionMode, RunningRegion, StandIns},
    replication::{Replication, ReplicationSwitch},
};
pub use crate::{
    functions::{credentials, outsider},
    options::Options,
    signature::{SERVICE_ACCESS_KEY_ID, SERVICE_ROLE, SERVICE_SECRET_ACCESS_KEY, service_credentials},
    start_error::StartError,
};

/// A running platform.
pub struct Platform {
    url: String,
    endpoints: BTreeMap<Region, String>,
    regions: Vec<Arc<RunningRegion>>,
    front: Option<aws::Front>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
    replication: Vec<JoinHandle<()>>,
    stripe: stripe_stand_in::StripeStandIn,
}

impl Platform {
    /// Starts the platform. It is ready when this function returns; if it fails, nothing keeps running.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        data_folder::open(&options.data)?;
        let listeners = Listeners::bind(options.port).await?;
        let (url, endpoints) = (listeners::url(&listeners.entry)?, listeners.endpoints()?);
        let clock = Arc::new(LocalClock::open(options.data.join("clock.json")));
        let origins: Vec<String> = endpoints.values().chain(&options.origins).cloned().collect();
        let identity =
            idp::router(&url, &origins, Arc::clone(&clock)).map_err(|_| StartError::IdentityProviders)?;
        let built =
            options.binaries.as_deref().map(|folder| FunctionBinaries::open(folder, &options.data, &clock));
        let built = built.transpose()?.map(Arc::new);
        let journal = Arc::new(aws::Journal::new());
        let stand_ins = StandIns::start_all(&options, &clock, &journal).await?;
        let (http, switch) = (HttpClient::new()?, Arc::new(ReplicationSwitch::default()));
        let replication = match set_up(&options, &stand_ins, (&url, &endpoints), &http, &switch).await {
            Ok(replication) => replication,
            Err(error) => return stopped(stand_ins, StartError::Provision(error)).await,
        };
        let started = (
            payments::start(&url, &endpoints, &options.data, &http, Arc::clone(&clock)),
            open_front(built.is_some(), &stand_ins).await,
        );
        let (stripe, front) = match started {
            (Ok(stripe), Ok(front)) => (stripe, front),
            (Err(error), _) => return stopped(stand_ins, error).await,
            (_, Err(error)) => return stopped(stand_ins, error).await,
        };
        let authority = authority(&stand_ins).map(|it| it.aws.endpoint().to_owned()).unwrap_or_default();
        let (admission, cors) = (Arc::new(Admission::default()), ApiCors::new(&options.origins));
        let mount = |stand_ins: StandIns| {
            let config = lambda::Config {
                breached_passwords: options.breached_passwords.clone(),
                ..region_config::config(stand_ins.region, &url, &endpoints)
            };
            let feedback_to = config.feedback_to.clone().filter(|_| options.accepts_feedback);
            let config = lambda::Config { feedback_to, ..config };
            let way = match (&built, &front) {
                (Some(built), Some(front)) => FunctionMode::Binaries(Arc::new(RegionBinaries::new(
                    built,
                    &config,
                    front.endpoint(),
                    &clock,
                ))),
                _ => FunctionMode::InProcess { authority: &authority, http: &http },
            };
            RunningRegion::start(stand_ins, &config, way, &http, &clock, (&admission, cors.clone()))
        };
        let regions: Vec<_> = stand_ins.into_iter().map(mount).collect();
        let (stop, stopping) = watch::channel(false);
        let mut replication = replication.start(&stopping);
        replication.extend(rotation::follow(&regions, Arc::clone(&switch), &stopping));
        let (data, regions_too) = (options.data, regions.clone());
        let controls = Arc::new(Controls { clock, built, journal, switch, data, regions: regions_too });
        let servers = serve(listeners, (controls, identity.merge(stripe.router())), &stopping);
        Ok(Self { url, endpoints, regions, front, stop, servers, replication, stripe })
    }

    /// The URL of the entry point, for example `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The URL of a region's API, for example `http://127.0.0.1:9002`.
    pub fn region_url(&self, region: Region) -> String {
        self.endpoints.get(&region).cloned().unwrap_or_default()
    }

    /// The address of a region's stand-ins, for tools that inspect its tables.
    pub fn aws_endpoint(&self, region: Region) -> Option<String> {
        let region = self.regions.iter().find(|running| running.region == region)?;
        Some(region.aws.endpoint().to_owned())
    }

    /// Stops the platform. Returns after all requests are answered and all files are closed.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        self.stripe.stop().await;
        join_all(self.servers).await;
        join_all(self.replication).await;
        join_all(self.regions.into_iter().map(RunningRegion::stop)).await;
        if let Some(front) = self.front {
            front.stop().await;
        }
    }
}

/// Stops the stand-ins, because something else did not start.
async fn stopped<T>(stand_ins: Vec<StandIns>, error: impl Into<StartError>) -> Result<T, StartError> {
    StandIns::stop_all(stand_ins).await;
    Err(error.into())
}

/// Creates missing resources of all regions, and waits until they are replicated.
async fn set_up(
    options: &Options,
    stand_ins: &[StandIns],
    (url, endpoints): (&str, &BTreeMap<Region, String>),
    http: &HttpClient,
    switch: &Arc<ReplicationSwitch>,
) -> Result<Replication, String> {
    // Pages that the platform itself serves use the buckets, too.
    let own = std::iter::once(url.to_owned()).chain(endpoints.values().cloned());
    let origins: Vec<String> = own.chain(options.origins.iter().cloned()).collect();
    let site = |it: &StandIns| {
        let config = region_config::config(it.region, url, endpoints);
        RegionSetup::new(config, &it.endpoint(outsider("provision")), http, origins.clone())
    };
    let sites: Vec<RegionSetup> = stand_ins.iter().map(site).collect();
    provision::provision(&sites, url).await?;
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

/// Opens a single AWS endpoint for all regions, for functions that run as binaries.
async fn open_front(wanted: bool, stand_ins: &[StandIns]) -> Result<Option<aws::Front>, aws::StandInError> {
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

/// Starts the listeners of all regions, and of the entry point, which serves the first region and the controls.
fn serve(
    listeners: Listeners,
    (controls, identity): (Arc<Controls>, axum::Router),
    stopping: &watch::Receiver<bool>,
) -> Vec<JoinHandle<()>> {
    let mut entry = controls::router(Arc::clone(&controls)).merge(identity);
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
