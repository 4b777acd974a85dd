//! Requests that a region sends to another on its own account: what one region must know of another's users and teams.
//!
//! Each is an endpoint with [`Access::region`](crate::Access::region) and may be sent twice.

use std::{fmt::Display, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    entropy::Entropy,
    id::RequestId,
    ports::{Failure, ForwardingKeys, Outcome},
    region::Region,
};
use http::{Request, header};

use crate::{
    clock::Clock,
    forwarding::{ForwardedRequest, Regions},
    spec::Spec,
    stop::Stop,
};

/// How long a request waits for what it can do without.
pub const BRIEFLY: Duration = Duration::from_millis(1_500);
/// How long a request waits for what it needs: most of the time that it has itself.
pub const PATIENTLY: Duration = Duration::from_millis(2_200);
/// How long a worker waits.
pub const IN_BACKGROUND: Duration = Duration::from_secs(8);

/// Sends requests to the other regions.
#[derive(Clone)]
pub struct RegionClient {
    regions: Arc<dyn Regions>,
    keys: Arc<dyn ForwardingKeys>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl RegionClient {
    /// A client that signs with these keys.
    pub fn new(
        regions: Arc<dyn Regions>,
        keys: Arc<dyn ForwardingKeys>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self { regions, keys, clock, entropy }
    }

    /// Sends a body to an endpoint of another region. Returns the body of the answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Unavailable`] without an answer in time, and for every answer but a success: a region of an older version may not
    /// have the endpoint yet.
    pub async fn send(&self, region: Region, spec: &Spec, body: Vec<u8>, within: Duration) -> Outcome<Bytes> {
        let broken = |error: &dyn Display| Failure::Broken(format!("{}: {error}", spec.id));
        let request = Request::builder().method(spec.method.as_str()).uri(spec.path);
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Bytes::from(body));
        let request = request.map_err(|error| broken(&error))?;
        let now = self.clock.now();
        let id = RequestId::new(now, &*self.entropy);
        let signed = ForwardedRequest::new(region, now, id, None, within);
        let sent = signed.attach(&*self.keys, &request).await;
        let sent = sent.map_err(|stop: Stop| broken(&stop.into_problem().code.as_str()))?;
        let answer = self.regions.send(region, sent, true, within).await?;
        let status = answer.status();
        if !status.is_success() {
            let detail = format!("{}: status {status}", spec.id);
            return Err(Failure::Unavailable { service: region.as_str(), detail });
        }
        Ok(answer.into_body())
    }
}
