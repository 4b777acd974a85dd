//! One region: its stand-ins, its functions, and what sets those off that have no route.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_dynamodbstreams::Client as StreamsClient;
use domain::region::Region;
use futures::future::join_all;
use kit::Clock;
use lambda::{Boot, Config, Endpoint, HttpClient, OsEntropy};
use store::table::Table;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Options, StartError,
    binaries::Fleet,
    clock::LocalClock,
    delivery::{self, LocalBus, Outbox},
    functions::{Functions, credentials},
    gateway::Routes,
    in_process::InProcess,
    policy::{EVENT_SOURCE, Roles},
    schedule,
    stream::{self, Stream},
};

/// Here the regions are a few microseconds apart.
const REFUSALS_AFTER: Duration = Duration::from_millis(100);

/// The directory's table.
pub const DIRECTORY: &str = "account-directory";

/// What everything of a region is called; `endpoints` says where each region's API is.
pub fn config(region: Region, endpoints: &BTreeMap<Region, String>) -> Config {
    Config {
        region,
        table_prefix: format!("account-{region}-"),
        secret_prefix: format!("account/{region}/"),
        shared_secret_prefix: "account/shared/".to_owned(),
        kms_key: format!("alias/account-{region}"),
        event_bus: format!("account-{region}"),
        bucket: format!("account-{region}-files"),
        mail_from: "no-reply@account.example".to_owned(),
        directory_table: DIRECTORY.to_owned(),
        endpoints: endpoints.clone(),
        refusals_after: REFUSALS_AFTER,
    }
}

/// A region's running stand-ins, without functions yet.
pub struct StandIns {
    /// Which region.
    pub region: Region,
    /// What runs.
    pub aws: aws::Aws,
    folder: PathBuf,
    bus: Arc<LocalBus>,
}

impl StandIns {
    /// Starts every region's at the same time: all of them run then, or none.
    pub async fn start_all(
        options: &Options,
        clock: &Arc<LocalClock>,
        journal: &Arc<aws::Journal>,
    ) -> Result<Vec<Self>, StartError> {
        let starting = Region::ALL.map(|region| Self::start(region, options, clock, journal));
        let (mut running, mut failure) = (Vec::new(), None);
        for started in join_all(starting).await {
            match started {
                Ok(started) => running.push(started),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            None => Ok(running),
            Some(error) => {
                Self::stop_all(running).await;
                Err(error)
            }
        }
    }

    async fn start(
        region: Region,
        options: &Options,
        clock: &Arc<LocalClock>,
        journal: &Arc<aws::Journal>,
    ) -> Result<Self, StartError> {
        let folder = options.data.join(region.as_str());
        let unusable =
            |error: std::io::Error| StartError::Data { folder: folder.clone(), reason: error.to_string() };
        let bus = Arc::new(LocalBus::open(folder.join("bus")).map_err(unusable)?);
        let now = Arc::clone(clock);
        let started = aws::start(aws::Config {
            region: region.aws().to_owned(),
            folder: folder.clone(),
            mail: options.data.join("mail").join(format!("{region}.ndjson")),
            directory: aws::Directory {
                table: DIRECTORY.to_owned(),
                authority: Region::AUTHORITY.aws().to_owned(),
                folder: options.data.join("directory").join(region.as_str()),
            },
            now: Arc::new(move || now.now()),
            external: options.aws.clone(),
            journal: Arc::clone(journal),
            bus: bus.clone(),
            policy: Arc::new(Roles::new(infra::grants())),
        });
        Ok(Self { region, aws: started.await?, folder, bus })
    }

    /// Where these are, for whoever calls under that name.
    pub fn endpoint(&self, credentials: Credentials) -> Endpoint {
        Endpoint { url: Some(self.aws.endpoint().to_owned()), credentials }
    }

    /// Stops them all.
    pub async fn stop_all(running: Vec<Self>) {
        join_all(running.into_iter().map(|stand_ins| stand_ins.aws.stop())).await;
    }
}

/// How a region's functions are run.
pub enum Way<'a> {
    /// As library code, told where the directory is written.
    InProcess { authority: &'a str, http: &'a HttpClient },
    /// As the binaries that were built of it.
    Binaries(Arc<Fleet>),
}

impl Way<'_> {
    fn mount(
        self,
        stand_ins: &StandIns,
        config: &Config,
        clock: &Arc<LocalClock>,
    ) -> (Functions, Option<Arc<Fleet>>) {
        let (authority, http) = match self {
            Self::Binaries(fleet) => return (Functions::mount(&*fleet), Some(fleet)),
            Self::InProcess { authority, http } => (authority, http),
        };
        let boot = |id| {
            let own = stand_ins.endpoint(credentials(stand_ins.region, id));
            let authority =
                Endpoint { url: Some(authority.to_owned()), credentials: own.credentials.clone() };
            let entropy = Arc::new(OsEntropy);
            Boot::new(config.clone(), &own, &authority, http, clock.clone(), entropy)
        };
        (Functions::mount(&InProcess(boot)), None)
    }
}

/// A running region.
pub struct RunningRegion {
    /// Which.
    pub region: Region,
    /// Its stand-ins.
    pub aws: aws::Aws,
    /// Its functions.
    pub functions: Arc<Functions>,
    /// Its routes.
    pub routes: Routes,
    /// The time in it.
    pub clock: Arc<LocalClock>,
    fleet: Option<Arc<Fleet>>,
    stop: watch::Sender<bool>,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl RunningRegion {
    /// Mounts the functions on a region's stand-ins.
    pub fn start(
        stand_ins: StandIns,
        config: &Config,
        way: Way<'_>,
        http: &HttpClient,
        clock: &Arc<LocalClock>,
    ) -> Arc<Self> {
        let region = stand_ins.region;
        let (functions, fleet) = way.mount(&stand_ins, config, clock);
        let functions = Arc::new(functions);
        let StandIns { aws, folder, bus, .. } = &stand_ins;
        let sdk = stand_ins.endpoint(credentials(region, EVENT_SOURCE));
        let client = StreamsClient::new(&lambda::patient_sdk_config(region.aws(), &sdk, http));
        let outbox = Table::Operations.name(&config.table_prefix);
        let stream = Stream::open(client, outbox, stream::position(folder), aws.writes());
        let (stop, stopping) = watch::channel(false);
        let timetable = folder.join("schedule.json");
        let tasks = vec![
            tokio::spawn(follow(stream, Outbox(Arc::clone(&functions)), stopping.clone())),
            tokio::spawn(delivery::deliver_bus(Arc::clone(bus), Arc::clone(&functions), stopping.clone())),
            tokio::spawn(schedule::run(Arc::clone(&functions), Arc::clone(clock), timetable, stopping)),
        ];
        let routes = Routes::new(functions.endpoints());
        let (tasks, clock) = (std::sync::Mutex::new(tasks), Arc::clone(clock));
        Arc::new(Self { region, aws: stand_ins.aws, functions, routes, clock, fleet, stop, tasks })
    }

    /// Stops what sets functions off, then their binaries, then, if nobody else holds on to it, the stand-ins.
    pub async fn stop(self: Arc<Self>) {
        let _ = self.stop.send(true);
        let tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
        if let Some(fleet) = &self.fleet {
            fleet.stop().await;
        }
        if let Some(region) = Arc::into_inner(self) {
            region.aws.stop().await;
        }
    }
}

async fn follow(mut stream: Stream, outbox: Outbox, stopping: watch::Receiver<bool>) {
    stream.follow(&outbox, stopping).await;
}
