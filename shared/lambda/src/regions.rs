//! Sends requests to the public endpoints of the other regions.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ports::{Failure, Outcome},
    region::Region,
};
use http::{Request, Response};
use kit::forwarding::Regions;

use crate::http_client::{HttpClient, SendError};

/// The endpoints of the other regions.
pub struct HttpRegions {
    endpoints: BTreeMap<Region, String>,
    http: HttpClient,
}

impl HttpRegions {
    /// The regions with these endpoints.
    pub fn new(endpoints: BTreeMap<Region, String>, http: HttpClient) -> Self {
        Self { endpoints, http }
    }
}

impl HttpRegions {
    /// Sends a request, and once more if there was no connection, or if the connection broke and a second request changes
    /// nothing.
    async fn send_twice(
        &self,
        request: &Request<Bytes>,
        repeatable: bool,
    ) -> Result<Response<Bytes>, SendError> {
        match self.http.send(request.clone()).await {
            Err(error) if error.is_unsent || repeatable => self.http.send(request.clone()).await,
            answer => answer,
        }
    }
}

#[async_trait]
impl Regions for HttpRegions {
    async fn send(
        &self,
        region: Region,
        request: Request<Bytes>,
        repeatable: bool,
        within: Duration,
    ) -> Outcome<Response<Bytes>> {
        let unavailable = |detail| Failure::Unavailable { service: region.as_str(), detail };
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let unknown = || Failure::Broken(format!("no endpoint for {region}"));
        let endpoint = self.endpoints.get(&region).ok_or_else(unknown)?;
        parts.uri = format!("{endpoint}{path}").parse().map_err(|_| unknown())?;
        let request = Request::from_parts(parts, body);
        match tokio::time::timeout(within, self.send_twice(&request, repeatable)).await {
            Ok(answer) => answer.map_err(|error| unavailable(error.message)),
            Err(_) => Err(unavailable("timeout".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that breaks the first connections after it has read a request. Counts requests.
    async fn server(breaks: usize) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request).await.unwrap();
                if counted.fetch_add(1, Ordering::Relaxed) >= breaks {
                    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
                }
            }
        });
        (address, count)
    }

    #[tokio::test]
    async fn broken_request_is_repeated_once_if_that_is_safe() {
        for (breaks, repeatable, arrives, requests) in
            [(0, false, true, 1), (1, true, true, 2), (1, false, false, 1), (2, true, false, 2)]
        {
            let (address, count) = server(breaks).await;
            let endpoints = BTreeMap::from([(Region::Eu, format!("http://{address}"))]);
            let regions = HttpRegions::new(endpoints, HttpClient::new().unwrap());
            let request = Request::post("/api/x").body(Bytes::from_static(b"{}")).unwrap();
            let answer = regions.send(Region::Eu, request, repeatable, Duration::from_secs(30)).await;
            assert_eq!(answer.is_ok(), arrives, "{breaks} {repeatable} {answer:?}");
            assert_eq!(count.load(Ordering::Relaxed), requests, "{breaks} {repeatable}");
        }
    }
}
