//! Local stand-ins for the AWS services this project uses: DynamoDB and its streams, KMS, Secrets Manager,
//! SES, EventBridge and S3. The functions reach them through the real SDK clients, over HTTP on 127.0.0.1.
//!
//! One [`start`] is one region: one address for all services, told apart by the scope of the request's
//! signature (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).
//! A [`Front`] is one address for several regions, told apart in the same way.
//! The access key id names the function that calls and the region it runs in, as in
//! `eu-central-1.auth-sign-in`; the secret is [`SECRET_ACCESS_KEY`] for all of them. Functions reach their own
//! region and the [`Directory`]; a name without a region is an outsider's, who may go anywhere. Every call is
//! recorded in the [`Journal`] and passes its fault plan.

mod answer;
mod durable;
mod dynamo;
mod events;
mod fault;
mod gateway;
mod index;
mod journal;
mod kms;
mod permission;
mod request;
mod s3;
mod secrets;
mod server;
mod service;
mod ses;
mod signature;
mod upstream;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use crate::dynamo::Databases;
pub use crate::fault::{Fault, FaultKind};
use crate::gateway::Gateway;
pub use crate::index::Read;
pub use crate::journal::{Call, Capacity, Journal};
pub use crate::permission::Need;
use crate::server::{Regions, Server};
pub use crate::ses::Mail;

/// The secret access key of everybody.
pub const SECRET_ACCESS_KEY: &str = "local-secret";

/// The account that every ARN names.
pub const ACCOUNT: &str = "000000000000";

/// Where the stand-ins read the time.
pub type Now = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// What one region's stand-ins need.
pub struct Config {
    /// The only region whose signatures are taken.
    pub region: String,
    /// Everything durable lives here but the mail; made if missing.
    pub folder: PathBuf,
    /// The file that sent mail is kept in; made if missing.
    pub mail: PathBuf,
    /// The directory and this region's replica of it.
    pub directory: Directory,
    /// The local clock.
    pub now: Now,
    /// An external emulator for DynamoDB, its streams and S3, instead of the embedded ones.
    pub external: Option<Url>,
    /// Where calls are recorded and faults planned; one for all regions.
    pub journal: Arc<Journal>,
    /// Receives what `PutEvents` accepted.
    pub bus: Arc<dyn Bus>,
    /// What the functions may do.
    pub policy: Arc<dyn Policy>,
}

/// What IAM knows of the functions' roles.
pub trait Policy: Send + Sync {
    /// Whether a function that runs in the AWS region `home` may do what a call needs.
    fn allows(&self, function: &str, home: &str, need: &Need) -> bool;
}

/// Roles that allow everything, where it is not about them.
pub struct AllowAll;

impl Policy for AllowAll {
    fn allows(&self, _: &str, _: &str, _: &Need) -> bool {
        true
    }
}

/// The one table that all regions share. Functions write it in one region, from which it is replicated; every
/// region's functions read the replica of their own.
#[derive(Debug, Clone)]
pub struct Directory {
    /// The table's name, the same in every region.
    pub table: String,
    /// The AWS region in which functions write it.
    pub authority: String,
    /// This region's replica lives here; made if missing.
    pub folder: PathBuf,
}

/// Receives what `PutEvents` accepted; whoever implements it delivers to the consumers.
pub trait Bus: Send + Sync {
    /// Takes one event as a consumer sees it: the whole envelope, from `version` to `detail`.
    fn put(&self, region: &str, event: Value);
}

/// Why a region's stand-ins did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder or a file in it can't be used.
    #[error("{path}: {source}")]
    File {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something that this version did not write.
    #[error("{path} was not written by this version: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No port on 127.0.0.1 could be had, or no thread.
    #[error("can't serve on 127.0.0.1: {0}")]
    Listen(#[source] std::io::Error),
}

/// One region's running stand-ins. Dropping it stops them too, without waiting.
pub struct Aws {
    endpoint: String,
    gateway: Arc<Gateway>,
    server: Server,
    databases: Option<Databases>,
}

/// Starts one region on a free port of 127.0.0.1; it is ready when this returns.
pub async fn start(config: Config) -> Result<Aws, StartError> {
    durable::make_folder(&config.folder)?;
    let databases = match config.external {
        Some(_) => None,
        None => Some(Databases::start(&config).await?),
    };
    let gateway = Arc::new(Gateway::open(config, databases.as_ref())?);
    let regions = Regions { first: Arc::clone(&gateway), others: Vec::new() };
    let server = Server::start(regions).await.map_err(StartError::Listen)?;
    Ok(Aws { endpoint: format!("http://{}", server.address()), gateway, server, databases })
}

/// One address for the stand-ins of several regions. A function that was built for AWS is told of one endpoint, and
/// calls the directory's authority there too. Dropping it stops it, without waiting.
pub struct Front {
    endpoint: String,
    server: Server,
}

impl Front {
    /// Listens on a free port of 127.0.0.1, for these regions.
    pub async fn start<'a>(
        first: &'a Aws,
        others: impl IntoIterator<Item = &'a Aws>,
    ) -> Result<Self, StartError> {
        let gateway = |aws: &Aws| Arc::clone(&aws.gateway);
        let regions = Regions { first: gateway(first), others: others.into_iter().map(gateway).collect() };
        let server = Server::start(regions).await.map_err(StartError::Listen)?;
        Ok(Self { endpoint: format!("http://{}", server.address()), server })
    }

    /// The address of every region's services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops listening. The regions go on.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl Aws {
    /// The address of every service, as in `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Changes after every write to the region's own tables that succeeded, so that who reads streams need not
    /// poll.
    pub fn writes(&self) -> watch::Receiver<u64> {
        self.gateway.writes.subscribe()
    }

    /// The same for this region's replica of the directory.
    pub fn directory_writes(&self) -> watch::Receiver<u64> {
        self.gateway.directory_writes.subscribe()
    }

    /// Changes after every change of a secret, so that who replicates need not poll.
    pub fn secret_writes(&self) -> watch::Receiver<u64> {
        self.gateway.secrets.writes.subscribe()
    }

    /// Makes `other` have a replica of a secret of this region as it is now.
    pub async fn replicate_secret(&self, name: String, other: &Self) {
        let (from, to) = (Arc::clone(&self.gateway.secrets), Arc::clone(&other.gateway.secrets));
        let replicate = move || from.copy(&name).and_then(|copy| to.replicate(&name, copy));
        match tokio::task::spawn_blocking(replicate).await {
            Ok(Ok(())) => {}
            failed => tracing::warn!(?failed, "a secret was not replicated"),
        }
    }

    /// The mail sent from this region, newest first, one entry a recipient; only that address's if one is
    /// given.
    pub fn mail(&self, to: Option<&str>) -> Vec<Mail> {
        self.gateway.ses.sent(to)
    }

    /// Deletes items whose time to live has passed, as DynamoDB does some time after: the region's own, and those
    /// in its replica of the directory.
    pub async fn sweep_ttl(&self) {
        let Some(databases) = &self.databases else { return };
        let gateway = &self.gateway;
        for (database, writes) in
            [(&databases.own, &gateway.writes), (&databases.directory, &gateway.directory_writes)]
        {
            match database.sweep_ttl().await {
                Ok(0) => {}
                Ok(_) => writes.send_modify(|n| *n += 1),
                Err(error) => tracing::warn!(%error, "expired items were not swept"),
            }
        }
    }

    /// Leaves nothing in the files of the tables of what was deleted from them, nor of what their streams told up to
    /// where they were read: those of the region's own tables, and of its replica of the directory. How many records
    /// of streams are left, because they were not read yet.
    pub async fn compact(&self, own: Read, directory: Read) -> Result<u64, String> {
        let Some(databases) = &self.databases else { return Ok(0) };
        let (own, directory) =
            tokio::try_join!(databases.own.compact(own), databases.directory.compact(directory))
                .map_err(|error| error.to_string())?;
        Ok(own + directory)
    }

    /// Stops and returns once the files are closed.
    pub async fn stop(self) {
        self.server.stop().await;
        self.gateway.rest().await;
        if let Some(databases) = self.databases {
            databases.stop().await;
        }
    }
}
