//! The HTTP client for third parties: short, small and without redirects. Linked only into functions that call out.

use std::{sync::OnceLock, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::ports::{Failure, Outcome};
use http::{Request, Response};
use providers::Fetch;

use crate::http_client::HttpClient;

/// A client that connects on first use.
pub struct PartnerClient {
    /// The third party, for the log.
    service: &'static str,
    /// The timeout of a request with its connection.
    timeout: Duration,
    /// The maximum size of a response in bytes.
    max_response: usize,
    client: OnceLock<HttpClient>,
}

impl PartnerClient {
    /// A client for identity providers, that is not connected. A sign-in makes two requests in a row, within the three seconds of a
    /// request. The key set of Google has 2 kB; GitHub's list of addresses has 100 bytes each.
    pub fn for_identity_providers() -> Self {
        Self::new("provider", Duration::from_millis(1_300), 256 * 1024)
    }

    /// A client for ranges of breached passwords, that is not connected. A range of Have I Been Pwned has some
    /// ten kB. The request that sets the password waits for it, and has two more seconds for everything else.
    pub fn for_password_ranges() -> Self {
        Self::new("breached passwords", Duration::from_secs(1), 1024 * 1024)
    }

    /// A client for Stripe, that is not connected. A person's request has three seconds. Stripe asks the bank
    /// of a card meanwhile, so one slow answer is worth more than two short attempts: the time of a second
    /// attempt is for errors that come at once. A page of 100 events has 2 MB if all are of invoices.
    pub fn for_payments() -> Self {
        Self::new("stripe", Duration::from_secs(2), 4 * 1024 * 1024)
    }

    fn new(service: &'static str, timeout: Duration, max_response: usize) -> Self {
        Self { service, timeout, max_response, client: OnceLock::new() }
    }
}

#[async_trait]
impl Fetch for PartnerClient {
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
        let unavailable = |detail: String| Failure::Unavailable { service: self.service, detail };
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = HttpClient::public().map_err(|error| Failure::Broken(error.to_string()))?;
                self.client.get_or_init(|| client)
            }
        };
        match tokio::time::timeout(self.timeout, client.send_limited(request, self.max_response)).await {
            Ok(answer) => answer.map_err(|error| unavailable(error.message)),
            Err(_) => Err(unavailable("timeout".to_owned())),
        }
    }
}
