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

use crate::http_client::HttpClient;

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

#[async_trait]
impl Regions for HttpRegions {
    async fn send(
        &self,
        region: Region,
        request: Request<Bytes>,
        within: Duration,
    ) -> Outcome<Response<Bytes>> {
        let unavailable = |detail| Failure::Unavailable { service: region.as_str(), detail };
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let unknown = || Failure::Broken(format!("no endpoint for {region}"));
        let endpoint = self.endpoints.get(&region).ok_or_else(unknown)?;
        parts.uri = format!("{endpoint}{path}").parse().map_err(|_| unknown())?;
        match tokio::time::timeout(within, self.http.send(Request::from_parts(parts, body))).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_) => Err(unavailable("timeout".to_owned())),
        }
    }
}
