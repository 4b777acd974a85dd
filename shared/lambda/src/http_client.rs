//! The one HTTP client of a process: every SDK client and the way to the other regions share its connections.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};

use crate::config::ConfigError;

/// The roots of everything that AWS serves, regional endpoints of services and APIs alike ([Amazon Trust Services]). The
/// machine's own store holds over a hundred; reading them costs more than all the rest of a start.
///
/// [Amazon Trust Services]: https://www.amazontrust.com/repository/
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
/// A file of certificates that is trusted instead: a [setting] that all SDKs of AWS share.
///
/// [setting]: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
const BUNDLE: &str = "AWS_CA_BUNDLE";
/// Connecting to another region takes two trips around half the world, about half a second.
const CONNECT: Duration = Duration::from_secs(1);
/// What a function can answer at the most ([Lambda's limit]).
///
/// [Lambda's limit]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const LARGEST: usize = 6 * 1024 * 1024;

/// An HTTP client for HTTPS and, on one machine, HTTP.
#[derive(Debug, Clone)]
pub struct HttpClient(SharedHttpConnector);

impl HttpClient {
    /// A client that trusts Amazon's roots.
    pub fn new() -> Self {
        Self::trusting(AMAZON_ROOTS)
    }

    /// A client that trusts the certificates that `AWS_CA_BUNDLE` names, if it is set, and else Amazon's roots.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Ok(file) = std::env::var(BUNDLE) else { return Ok(Self::new()) };
        let bundle = std::fs::read(file).map_err(|_| ConfigError::Unreadable(BUNDLE))?;
        Ok(Self::trusting(&bundle))
    }

    fn trusting(roots: &[u8]) -> Self {
        let trusted = TrustStore::empty().with_pem_certificate(roots);
        let context = TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default();
        let connector = Connector::builder()
            .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT).build())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context);
        Self(SharedHttpConnector::new(connector.build()))
    }

    /// The same for SDK clients, whose own settings for connecting don't matter: the connections are there already.
    pub fn sdk(&self) -> SharedHttpClient {
        let connector = self.0.clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and collects the answer, of 6 MB at the most.
    ///
    /// # Errors
    ///
    /// When there is no answer, or too long a one; with the reason.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let request = HttpRequest::try_from(request.map(SdkBody::from)).map_err(text)?;
        let answer = self.0.call(request).await.map_err(text)?.try_into_http1x().map_err(text)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.map_err(text)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

impl Default for HttpClient {
    fn default() -> Self {
        Self::new()
    }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roots_are_certificates_and_not_many() {
        let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
        // Panics when one can't be read.
        HttpClient::new();
    }
}
