//! Requests of another service of the platform, signed as for API Gateway.

use std::{borrow::Cow, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::identity::Identity;
use jiff::Timestamp;
use reqwest::{Method, Request, RequestBuilder};
use serde_json::Value;

use crate::{Answer, App};

/// How a service signs. Tests of refusals change one part.
#[derive(Clone)]
pub struct Signing {
    /// The access key.
    pub credentials: Credentials,
    /// The AWS region.
    pub region: String,
    /// The name of API Gateway.
    pub service: String,
    /// The time of signing.
    pub at: Timestamp,
    /// A header that the signature leaves out.
    pub unsigned: Option<&'static str>,
}

impl Signing {
    /// Adds a signature to a request.
    pub fn sign(&self, request: &mut Request) {
        let identity = Identity::from(self.credentials.clone());
        let mut settings = SigningSettings::default();
        if let (Some(unsigned), Some(excluded)) = (self.unsigned, &mut settings.excluded_headers) {
            excluded.push(Cow::Borrowed(unsigned));
        }
        let params = SigningParams::builder().identity(&identity).region(&self.region).name(&self.service);
        let params = params.time(SystemTime::try_from(self.at).unwrap()).settings(settings);
        let params = params.build().unwrap().into();
        let signed = {
            let headers = request.headers().iter();
            let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
            let (method, url) = (request.method().as_str(), request.url().as_str());
            let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body)).unwrap();
            let (instructions, _) = sign(signable, &params).unwrap().into_parts();
            instructions.into_parts().0
        };
        for header in signed {
            request.headers_mut().insert(header.name(), header.value().parse().unwrap());
        }
    }
}

impl App {
    /// How the service signs now, for the region whose endpoint requests go to.
    pub async fn signing(&self) -> Signing {
        Signing {
            credentials: local::service_credentials(),
            region: self.endpoint().aws().to_owned(),
            service: "execute-api".to_owned(),
            at: self.now().await,
            unsigned: None,
        }
    }

    /// Sends JSON as the service.
    pub async fn as_service(&self, method: Method, path: &str, body: Value) -> Answer {
        self.send_signed(crate::with_body(self.request(method, path), &body)).await
    }

    /// Sends a request as the service.
    pub async fn send_signed(&self, request: RequestBuilder) -> Answer {
        self.send_signed_as(&self.signing().await, request, |_| {}, |_| {}).await
    }

    /// Sends a request with a signature, which `before` and `after` change beforehand and afterwards.
    pub async fn send_signed_as(
        &self,
        signing: &Signing,
        request: RequestBuilder,
        before: impl FnOnce(&mut Request),
        after: impl FnOnce(&mut Request),
    ) -> Answer {
        let (client, request) = request.build_split();
        let mut request = request.unwrap();
        before(&mut request);
        signing.sign(&mut request);
        after(&mut request);
        Answer::of(client.execute(request).await.unwrap()).await
    }
}
