//! One region: its stand-ins, its functions, and the triggers of its workers.

use std::{path::PathBuf, sync::Arc};

use aws_credential_types::Credentials;
use aws_sdk_dynamodbstreams::Client as StreamsClient;
use domain::region::Region;
use futures::future::join_all;
use kit::Clock;
use lambda::{AwsEndpoint, Config, FunctionRuntime, HttpClient, OsEntropy};
use store::tables::Table;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    admission::Admission,
    binaries::RegionBinaries,
    clock::LocalClock,
    consumer::{Consumer, Handling},
    cors::ApiCors,
    delivery::Outbox,
    functions::{MountedFunctions, credentials},
    in_process::InProcess,
    options::Options,
    policy::{EVENT_SOURCE, Roles},
    region_config,
    routes::Routes,
    schedule,
    start_error::StartError,
    stream::{self, Stream},
};

/// The running stand-ins of a region, without functions.
pub struct StandIns {
    /// The region.
    pub region: Region,
    /// The stand-ins.
    pub aws: aws::Aws,
    folder: PathBuf,
}

impl StandIns {
    /// Starts the stand-ins of all regions concurrently. Either all run afterwards or none.
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
        let now = Arc::clone(clock);
        let started = aws::start(aws::StandInConfig {
            region: region.aws().to_owned(),
            folder: folder.clone(),
            mail: options.data.join("mail").join(format!("{region}.ndjson")),
            directory: aws::DirectoryTable {
                table: region_config::DIRECTORY.to_owned(),
                authority: Region::AUTHORITY.aws().to_owned(),
                folder: options.data.join("directory").join(region.as_str()),
            },
            now: Arc::new(move || now.now()),
            external: options.aws.clone(),
            journal: Arc::clone(journal),
            queues: region_config::queues(),
            rules: region_config::rules(),
            policy: Arc::new(Roles::new(infra::grants(), options.leading_keys)),
            leading_keys: options.leading_keys,
        });
        Ok(Self { region, aws: started.await?, folder })
    }

    /// The endpoint of these stand-ins, with credentials.
    pub fn endpoint(&self, credentials: Credentials) -> AwsEndpoint {
        AwsEndpoint { url: Some(self.aws.endpoint().to_owned()), credentials }
    }

    /// Stops the stand-ins of all regions.
    pub async fn stop_all(running: Vec<Self>) {
        join_all(running.into_iter().map(|stand_ins| stand_ins.aws.stop())).await;
    }
}

/// How the functions of a region run.
pub enum FunctionMode<'a> {
    /// As library code in this process.
    InProcess { authority: &'a str, http: &'a HttpClient },
    /// As built binaries.
    Binaries(Arc<RegionBinaries>),
}

impl FunctionMode<'_> {
    fn mount(
        self,
        stand_ins: &StandIns,
        config: &Config,
        clock: &Arc<LocalClock>,
    ) -> (MountedFunctions, Option<Arc<RegionBinaries>>) {
        let (authority, http) = match self {
            Self::Binaries(fleet) => return (MountedFunctions::mount(&*fleet), Some(fleet)),
            Self::InProcess { authority, http } => (authority, http),
        };
        let boot = |id| {
            let own = stand_ins.endpoint(credentials(stand_ins.region, id));
            let authority =
                AwsEndpoint { url: Some(authority.to_owned()), credentials: own.credentials.clone() };
            let entropy = Arc::new(OsEntropy);
            FunctionRuntime::new(config.clone(), &own, &authority, http, clock.clone(), entropy)
        };
        (MountedFunctions::mount(&InProcess(boot)), None)
    }
}

/// A running region.
pub struct RunningRegion {
    /// The region.
    pub region: Region,
    /// The stand-ins.
    pub aws: aws::Aws,
    /// The functions.
    pub functions: Arc<MountedFunctions>,
    /// The messages that functions are handling.
    pub handling: Arc<Handling>,
    /// The routes.
    pub routes: Routes,
    /// The CORS configuration.
    pub cors: ApiCors,
    /// The clock.
    pub clock: Arc<LocalClock>,
    /// The queue that the functions of all regions share.
    pub admission: Arc<Admission>,
    fleet: Option<Arc<RegionBinaries>>,
    stop: watch::Sender<bool>,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl RunningRegion {
    /// Creates the functions of a region on its stand-ins and starts their triggers.
    pub fn start(
        stand_ins: StandIns,
        config: &Config,
        way: FunctionMode<'_>,
        http: &HttpClient,
        clock: &Arc<LocalClock>,
        (admission, cors): (&Arc<Admission>, ApiCors),
    ) -> Arc<Self> {
        let region = stand_ins.region;
        let (functions, fleet) = way.mount(&stand_ins, config, clock);
        let functions = Arc::new(functions);
        let StandIns { aws, folder, .. } = &stand_ins;
        let sdk = stand_ins.endpoint(credentials(region, EVENT_SOURCE));
        let client = StreamsClient::new(&lambda::patient_sdk_config(region.aws(), &sdk, http));
        let outbox = Table::Operations.name(&config.table_prefix);
        let (position, idle) = (stream::position(folder), stream::idle(aws));
        let stream = Stream::open(client, outbox, position, aws.writes(), idle);
        let (stop, stopping) = watch::channel(false);
        let timetable = folder.join("schedule.json");
        let mut tasks = vec![
            tokio::spawn(follow(stream, Outbox(Arc::clone(&functions)), stopping.clone())),
            tokio::spawn(schedule::run(
                Arc::clone(&functions),
                Arc::clone(clock),
                timetable,
                stopping.clone(),
            )),
        ];
        let handling = Arc::new(Handling::default());
        let consumer = |(id, worker)| Consumer {
            queues: aws.queues(),
            queue: region_config::queue(id),
            worker,
            handling: Arc::clone(&handling),
            clock: Arc::clone(clock),
        };
        let consumers = functions.queue_readers().into_iter().map(consumer);
        tasks.extend(consumers.map(|consumer| tokio::spawn(consumer.follow(stopping.clone()))));
        let routes = Routes::new(functions.endpoints());
        let (tasks, clock) = (std::sync::Mutex::new(tasks), Arc::clone(clock));
        let admission = Arc::clone(admission);
        Arc::new(Self {
            region,
            aws: stand_ins.aws,
            functions,
            handling,
            routes,
            cors,
            clock,
            admission,
            fleet,
            stop,
            tasks,
        })
    }

    /// Stops the triggers, then the binaries and, if no other owner remains, the stand-ins.
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
