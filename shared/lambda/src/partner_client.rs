//! The HTTP client for third parties: short, small and without redirects. Linked only into functions that call out.

use std::{sync::OnceLock, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::ports::{Failure, Outcome};
use http::{Request, Response};
use providers::Fetch;

use crate::http_client::HttpClient;

/// The timeout of a request with its connection. A sign-in makes two in a row, within the three seconds of a request.
const TIMEOUT: Duration = Duration::from_millis(1_300);
/// The maximum size of a response in bytes. The key set of Google has 2 kB; GitHub's list of addresses has 100 bytes each.
const MAX_RESPONSE: usize = 256 * 1024;

/// A client that connects on first use.
#[derive(Default)]
pub struct PartnerClient(OnceLock<HttpClient>);

impl PartnerClient {
    /// A client that is not connected.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Fetch for PartnerClient {
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
        let unavailable = |detail: String| Failure::Unavailable { service: "provider", detail };
        let client = match self.0.get() {
            Some(client) => client,
            None => {
                let client = HttpClient::public().map_err(|error| Failure::Broken(error.to_string()))?;
                self.0.get_or_init(|| client)
            }
        };
        match tokio::time::timeout(TIMEOUT, client.send_limited(request, MAX_RESPONSE)).await {
            Ok(answer) => answer.map_err(|error| unavailable(error.message)),
            Err(_) => Err(unavailable("timeout".to_owned())),
        }
    }
}
