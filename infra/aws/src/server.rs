//! The one listener of a region. It speaks HTTP/1.1 without a framework, because it has to be able to break a
//! connection instead of answering.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::gateway::Gateway;

/// A running listener; dropping it stops it.
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    pub(crate) async fn start(gateway: Arc<Gateway>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, gateway, stopped));
        Ok(Self { address, task, _stop: stop })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening and breaks what is open.
    pub(crate) async fn stop(self) {
        drop(self._stop);
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, gateway: Arc<Gateway>, mut stopped: oneshot::Receiver<()>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { open.spawn(converse(stream, Arc::clone(&gateway))); }
                Err(error) => tracing::warn!(%error, "a connection was not accepted"),
            },
            Some(_) = open.join_next() => {}
        }
    }
    open.shutdown().await;
}

async fn converse(stream: TcpStream, gateway: Arc<Gateway>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection stays slow");
    }
    let service = service_fn(move |request| Arc::clone(&gateway).serve(request));
    // Clients hang up, and faults break connections: neither is news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
