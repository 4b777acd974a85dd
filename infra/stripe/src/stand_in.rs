//! Starts and stops the stand-in.

use std::{path::PathBuf, sync::Arc};

use axum::Router;
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    server::{self, Shared},
    webhooks,
};

/// Sends a request to a webhook endpoint, and returns the status of its answer, or why there is none.
pub type Deliver = Arc<dyn Fn(http::Request<Bytes>) -> BoxFuture<'static, Result<u16, String>> + Send + Sync>;

/// An endpoint that gets all events (<https://docs.stripe.com/webhooks>).
#[derive(Clone)]
pub struct WebhookEndpoint {
    /// Its URL.
    pub url: String,
    /// The secret of its signatures, for example `whsec_…`.
    pub secret: String,
}

/// The settings of the stand-in.
pub struct StripeOptions {
    /// The URL under which the routes of [`StripeStandIn::router`] are reached, without a slash at the end.
    /// It ends with `/_local/stripe`. A client of the API uses it as the host: operations are at
    /// `<base>/v1/...`.
    pub base: String,
    /// The key that requests must have, for example `sk_test_…`.
    pub secret_key: String,
    /// The file of the state. Without it, the state ends with the process.
    pub file: Option<PathBuf>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The endpoints that get the events.
    pub endpoints: Vec<WebhookEndpoint>,
    /// Sends events to the endpoints.
    pub deliver: Deliver,
}

/// Why the stand-in did not start.
#[derive(Debug, thiserror::Error)]
pub enum StripeStartError {
    /// The file of the state can't be used.
    #[error("{path}: {source}")]
    File {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file was not written by this version.
    #[error("{path} was not written by this version: {reason}")]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The defect.
        reason: String,
    },
    /// The stand-in must start in a Tokio runtime, which runs its deliveries.
    #[error("no Tokio runtime: {0}")]
    NoRuntime(#[from] tokio::runtime::TryCurrentError),
}

/// A running stand-in. Dropping it ends its deliveries.
pub struct StripeStandIn {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl StripeStandIn {
    /// Reads the state, and begins to deliver events.
    ///
    /// # Errors
    ///
    /// Fails if the file can't be used, or outside of a Tokio runtime.
    pub fn start(options: StripeOptions) -> Result<Self, StripeStartError> {
        let runtime = Handle::try_current()?;
        let shared = Arc::new(Shared::open(options)?);
        let tasks = vec![
            runtime.spawn(webhooks::run(Arc::clone(&shared))),
            runtime.spawn(webhooks::tick(Arc::clone(&shared))),
        ];
        Ok(Self { shared, tasks })
    }

    /// The routes, which all begin with `/_local/stripe/`.
    pub fn router(&self) -> Router {
        server::router(Arc::clone(&self.shared))
    }

    /// Ends the deliveries. Undelivered events are kept in the file.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // The task was aborted, so its result is that.
            drop(task.await);
        }
    }
}

impl Drop for StripeStandIn {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
