//! The local platform: every function behind one HTTP gateway, on stand-ins for AWS that the real SDK clients talk to.
//!
//! The functions are the library code that the Lambda binaries serve. Only what stands around them differs: `gateway` is
//! API Gateway, `delivery` is the table stream and the event bus, `controls` is what a deployment does not have.

mod clock;
mod controls;
mod delivery;
mod functions;
mod gateway;
mod pages;
mod provision;
mod region;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::region::Region;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use url::Url;

pub use crate::functions::credentials;
use crate::{clock::LocalClock, controls::Controls, region::RunningRegion};

/// The form of the data folder. A folder of another form is refused, never guessed at.
const DATA_VERSION: &str = "1";

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// The entry point's port; the regions listen on the ports after it. 0: any free ones.
    pub port: u16,
    /// Where everything is kept.
    pub data: PathBuf,
    /// An external emulator for DynamoDB and S3 instead of the embedded ones.
    pub aws: Option<Url>,
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
    /// A stand-in does not start.
    #[error("the stand-ins for AWS don't start: {0}")]
    Aws(#[from] aws::StartError),
    /// The tables, keys or secrets can't be made.
    #[error("the region can't be set up: {0}")]
    Provision(String),
}

/// A running platform.
pub struct Platform {
    entry: SocketAddr,
    regions: Vec<Arc<RunningRegion>>,
    stop: watch::Sender<bool>,
    servers: Vec<JoinHandle<()>>,
}

impl Platform {
    /// Starts everything; ready when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        open_folder(&options.data)?;
        let entry = listen(options.port).await?;
        let clock = Arc::new(LocalClock::open(options.data.join("clock.json")));
        let journal = Arc::new(aws::Journal::new());
        let us = RunningRegion::start(Region::Us, &options, Arc::clone(&clock), Arc::clone(&journal)).await?;
        let (stop, stopping) = watch::channel(false);
        let mut servers = Vec::new();
        let at = if options.port == 0 { 0 } else { options.port.saturating_add(1) };
        servers.push(gateway::serve(listen(at).await?, gateway::router(Arc::clone(&us)), stopping.clone()));
        let controls = Arc::new(Controls { clock, journal, regions: vec![Arc::clone(&us)] });
        let address = entry.local_addr().map_err(|source| StartError::Port { port: options.port, source })?;
        let router = controls::router(controls).merge(gateway::router(Arc::clone(&us)));
        servers.push(gateway::serve(entry, router, stopping));
        Ok(Self { entry: address, regions: vec![us], stop, servers })
    }

    /// The entry point's address, as in `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.entry)
    }

    /// The address of a region's stand-ins, for whoever wants to look into its tables.
    pub fn aws_endpoint(&self, region: Region) -> Option<String> {
        let region = self.regions.iter().find(|running| running.region == region)?;
        Some(region.aws.endpoint().to_owned())
    }

    /// Stops and returns once every request is answered and every file closed.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        for server in self.servers {
            let _ = server.await;
        }
        for region in self.regions {
            region.stop().await;
        }
    }
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| StartError::Port { port, source })
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
