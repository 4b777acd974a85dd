//! Listens for HTTP/1.1 requests to one or several regions. No web framework, because faults must be able to break
//! connections.

use std::net::SocketAddr;
use std::sync::Arc;

use http::request::Parts;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::gateway::Gateway;
use crate::request::region_of;

/// The regions behind a listener. The region of the signature selects the region; the first region refuses requests for
/// unknown regions.
pub(crate) struct Regions {
    pub(crate) first: Arc<Gateway>,
    pub(crate) others: Vec<Arc<Gateway>>,
}

impl Regions {
    fn of(&self, parts: &Parts) -> Arc<Gateway> {
        let named = if self.others.is_empty() { None } else { region_of(parts) };
        let other = named.and_then(|named| self.others.iter().find(|gateway| gateway.region() == named));
        Arc::clone(other.unwrap_or(&self.first))
    }
}

/// A running listener. Dropping it stops it.
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    pub(crate) async fn start(regions: Regions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, Arc::new(regions), stopped));
        Ok(Self { address, task, _stop: stop })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and closes open connections.
    pub(crate) async fn stop(self) {
        drop(self._stop);
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, regions: Arc<Regions>, mut stopped: oneshot::Receiver<()>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { open.spawn(converse(stream, Arc::clone(&regions))); }
                Err(error) => tracing::warn!(%error, "connection was not accepted"),
            },
            Some(_) = open.join_next() => {}
        }
    }
    open.shutdown().await;
}

async fn converse(stream: TcpStream, regions: Arc<Regions>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (parts, body) = request.into_parts();
        regions.of(&parts).serve(http::Request::from_parts(parts, body))
    });
    // Errors are expected: clients disconnect, and faults break connections.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
