//! The way to the other regions: their public endpoints, over HTTP.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ports::{Failure, Outcome},
    region::Region,
};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kit::forward::Regions;

/// What a function can answer at the most ([Lambda's limit]).
///
/// [Lambda's limit]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const LARGEST: usize = 6 * 1024 * 1024;

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The other regions' endpoints.
pub struct HttpRegions {
    endpoints: BTreeMap<Region, String>,
    client: OnceLock<HttpClient>,
}

impl HttpRegions {
    /// The regions at these addresses.
    pub fn new(endpoints: BTreeMap<Region, String>) -> Self {
        Self { endpoints, client: OnceLock::new() }
    }

    /// Made when it is first needed: most requests are at home where they arrive.
    fn client(&self) -> std::io::Result<&HttpClient> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(self.client.get_or_init(|| Client::builder(TokioExecutor::new()).build(connector)))
    }

    async fn exchange(&self, url: Uri, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let (mut parts, body) = request.into_parts();
        parts.uri = url;
        let client = self.client().map_err(|error| error.to_string())?;
        let answer = client.request(Request::from_parts(parts, Full::new(body)));
        let (parts, body) = answer.await.map_err(|error| error.to_string())?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(|error| error.to_string())?;
        Ok(Response::from_parts(parts, body.to_bytes()))
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
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let endpoint = self.endpoints.get(&region).map(String::as_str).unwrap_or_default();
        let url = format!("{endpoint}{path}").parse();
        let url = url.map_err(|_| Failure::Broken(format!("no endpoint for {region}")))?;
        match tokio::time::timeout(within, self.exchange(url, request)).await {
            Ok(answer) => answer.map_err(unavailable),
            Err(_) => Err(unavailable("timeout".to_owned())),
        }
    }
}
