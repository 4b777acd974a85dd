//! Local stand-ins for the AWS services of this project: DynamoDB and its streams, KMS, Secrets Manager, SES,
//! EventBridge, SQS and S3. The functions call them with the real SDK clients, over HTTP on 127.0.0.1.
//!
//! [`start`] starts one region with one address for all services. The credential scope of a request's signature selects
//! the service (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>). A
//! [`Front`] is one address for several regions; the scope also selects the region.
//!
//! The access key id names the region in which the calling function runs and the function, for example
//! `eu-central-1.auth-sign-in`. All callers share the secret access key [`SECRET_ACCESS_KEY`]. Functions may call their
//! own region and the [`DirectoryTable`]; a caller without a region in its name may call every region. The [`Journal`]
//! records every call and injects faults.

mod account;
mod answer;
mod bus;
mod config;
mod directory;
mod durable;
mod dynamo;
mod events;
mod fault;
mod gateway;
mod index;
mod journal;
mod kms;
mod mail_feedback;
mod permission;
mod request;
mod s3;
mod secrets;
mod server;
mod service;
mod ses;
mod signature;
mod sqs;
mod start_error;
mod upstream;

use std::sync::Arc;

use tokio::sync::watch;

pub use crate::account::{ACCOUNT, SECRET_ACCESS_KEY};
pub use crate::config::{EventRule, QueueConfig, RedrivePolicy, StandInConfig, TimeSource};
pub use crate::directory::DirectoryTable;
use crate::dynamo::Databases;
pub use crate::fault::{Fault, FaultKind};
use crate::gateway::Gateway;
pub use crate::index::StreamPositions;
pub use crate::journal::{Capacity, Journal, RecordedCall};
pub use crate::mail_feedback::Feedback;
pub use crate::permission::{AllowAll, IamPermission, IamPolicy, LeadingKeys};
use crate::server::{Regions, Server};
pub use crate::ses::{SentMail, address_refusal};
pub use crate::sqs::{QueueDepth, QueueError, Queues, ReceivedMessage};
pub use crate::start_error::StandInError;

/// The running stand-ins of a region. Dropping it stops them without waiting.
pub struct Aws {
    endpoint: String,
    gateway: Arc<Gateway>,
    server: Server,
    databases: Option<Databases>,
}

/// Starts the stand-ins of a region on a free port of 127.0.0.1. They are ready when this function returns.
pub async fn start(config: StandInConfig) -> Result<Aws, StandInError> {
    durable::make_folder(&config.folder)?;
    let databases = match config.external {
        Some(_) => None,
        None => Some(Databases::start(&config).await?),
    };
    let gateway = Arc::new(Gateway::open(config, databases.as_ref())?);
    let regions = Regions { first: Arc::clone(&gateway), others: Vec::new() };
    let server = Server::start(regions).await.map_err(StandInError::Listen)?;
    Ok(Aws { endpoint: format!("http://{}", server.address()), gateway, server, databases })
}

/// A single address for the stand-ins of several regions. A function that was built for AWS knows only one endpoint,
/// and also calls the directory's authority there. Dropping it stops it without waiting.
pub struct Front {
    endpoint: String,
    server: Server,
}

impl Front {
    /// Listens on a free port of 127.0.0.1 for these regions.
    pub async fn start<'a>(
        first: &'a Aws,
        others: impl IntoIterator<Item = &'a Aws>,
    ) -> Result<Self, StandInError> {
        let gateway = |aws: &Aws| Arc::clone(&aws.gateway);
        let regions = Regions { first: gateway(first), others: others.into_iter().map(gateway).collect() };
        let server = Server::start(regions).await.map_err(StandInError::Listen)?;
        Ok(Self { endpoint: format!("http://{}", server.address()), server })
    }

    /// The address of all services in all regions.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stops listening. The stand-ins of the regions keep running.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

impl Aws {
    /// The address of all services, for example `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether the tables are embedded. Only embedded tables notify readers of every write; an external emulator may
    /// have other clients.
    pub fn is_embedded(&self) -> bool {
        self.databases.is_some()
    }

    /// The queues of the region.
    pub fn queues(&self) -> Arc<Queues> {
        Arc::clone(&self.gateway.queues)
    }

    /// Notifies of successful writes to the region's own tables, so that stream readers need not poll.
    pub fn writes(&self) -> watch::Receiver<u64> {
        self.gateway.writes.subscribe()
    }

    /// Notifies of successful writes to the region's replica of the directory.
    pub fn directory_writes(&self) -> watch::Receiver<u64> {
        self.gateway.directory_writes.subscribe()
    }

    /// Notifies of changed secrets, so that replication need not poll.
    pub fn secret_writes(&self) -> watch::Receiver<u64> {
        self.gateway.secrets.writes.subscribe()
    }

    /// Replicates a secret of this region to `other`.
    pub async fn replicate_secret(&self, name: String, other: &Self) {
        let (from, to) = (Arc::clone(&self.gateway.secrets), Arc::clone(&other.gateway.secrets));
        let replicate = move || from.copy(&name).and_then(|copy| to.replicate(&name, copy));
        match tokio::task::spawn_blocking(replicate).await {
            Ok(Ok(())) => {}
            failed => tracing::warn!(?failed, "secret was not replicated"),
        }
    }

    /// The mail sent from this region, newest first, one entry per recipient. `to` limits the result to one recipient.
    pub fn mail(&self, to: Option<&str>) -> Vec<SentMail> {
        self.gateway.ses.sent(to)
    }

    /// Publishes what becomes of the mail to an address that was sent from this region.
    pub fn report_mail(&self, to: &str, feedback: Feedback) -> Result<(), QueueError> {
        self.gateway.ses.publish(to, feedback)
    }

    /// Deletes expired items of the region's own tables and of its replica of the directory. DynamoDB also deletes them
    /// with a delay.
    pub async fn sweep_ttl(&self) {
        let Some(databases) = &self.databases else { return };
        let gateway = &self.gateway;
        for (database, writes) in
            [(&databases.own, &gateway.writes), (&databases.directory, &gateway.directory_writes)]
        {
            match database.sweep_ttl().await {
                Ok(0) => {}
                Ok(_) => writes.send_modify(|n| *n += 1),
                Err(error) => tracing::warn!(%error, "expired items were not deleted"),
            }
        }
    }

    /// Erases deleted data, and the stream records up to these positions, from the files of the region's own tables and
    /// its replica of the directory. Returns the number of unread stream records.
    pub async fn compact(&self, own: StreamPositions, directory: StreamPositions) -> Result<u64, String> {
        let Some(databases) = &self.databases else { return Ok(0) };
        let (own, directory) =
            tokio::try_join!(databases.own.compact(own), databases.directory.compact(directory))
                .map_err(|error| error.to_string())?;
        Ok(own + directory)
    }

    /// Stops the stand-ins. Returns after all files are closed.
    pub async fn stop(self) {
        self.server.stop().await;
        self.gateway.rest().await;
        if let Some(databases) = self.databases {
            databases.stop().await;
        }
    }
}
