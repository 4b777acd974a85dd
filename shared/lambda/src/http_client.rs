//! The HTTP client of a process. All SDK clients and calls to other regions share its connections.

use std::sync::Arc;

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedCipherSuite,
    crypto::{
        CryptoProvider,
        ring::{
            cipher_suite::{
                TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                TLS13_AES_128_GCM_SHA256,
            },
            default_provider,
        },
    },
    pki_types::CertificateDer,
};

use crate::config::ConfigError;

/// The root certificates of all AWS endpoints, of services and APIs alike ([Amazon Trust Services]). The system's store
/// contains over a hundred certificates, and parsing them takes longer than the rest of a cold start.
///
/// [Amazon Trust Services]: https://www.amazontrust.com/repository/
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
/// The environment variable with a file of certificates to trust instead: a [setting] of all AWS SDKs.
///
/// [setting]: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
const BUNDLE: &str = "AWS_CA_BUNDLE";
/// The mandatory cipher suite of TLS 1.3 ([RFC 8446, section 9.1]), which AWS prefers, and its counterparts in TLS 1.2.
/// Lambda's CPUs accelerate them.
///
/// [RFC 8446, section 9.1]: https://www.rfc-editor.org/rfc/rfc8446#section-9.1
const SUITES: [SupportedCipherSuite; 3] = [
    TLS13_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];
/// The maximum size of a function's response in bytes ([Lambda quotas]).
///
/// [Lambda quotas]: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MAX_RESPONSE: usize = 6 * 1024 * 1024;

/// A client for HTTPS and, on the local machine, HTTP. It uses HTTP/1.1, as the services do, and has no timeouts of its
/// own.
#[derive(Debug, Clone)]
pub struct HttpClient(Client<HttpsConnector<TcpConnector>, SdkBody>);

impl HttpClient {
    /// A client that trusts Amazon's root certificates.
    ///
    /// # Errors
    ///
    /// When the certificates are invalid. A test checks them.
    pub fn new() -> Result<Self, ConfigError> {
        Self::trusting(AMAZON_ROOTS)
    }

    /// A client that trusts the certificates in `AWS_CA_BUNDLE` or, if it is not set, Amazon's root certificates.
    ///
    /// # Errors
    ///
    /// When the file can't be read or parsed.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Ok(file) = std::env::var(BUNDLE) else { return Self::new() };
        Self::trusting(&std::fs::read(file).map_err(|_| ConfigError::Unreadable(BUNDLE))?)
    }

    fn trusting(pem: &[u8]) -> Result<Self, ConfigError> {
        let unreadable = |_| ConfigError::Unreadable(BUNDLE);
        let mut roots = RootCertStore::empty();
        for certificate in certificates(pem).ok_or(ConfigError::Unreadable(BUNDLE))? {
            roots.add(certificate).map_err(unreadable)?;
        }
        let cryptography = CryptoProvider { cipher_suites: SUITES.to_vec(), ..default_provider() };
        let tls = ClientConfig::builder_with_provider(Arc::new(cryptography))
            .with_safe_default_protocol_versions()
            .map_err(unreadable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Ok(Self(Client::builder(TokioExecutor::new()).build(tls.wrap_connector(tcp))))
    }

    /// An adapter for SDK clients.
    pub fn sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and reads the response, up to 6 MB.
    ///
    /// # Errors
    ///
    /// When there is no response or it is too large. The error is a message for logs.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let answer = self.0.request(request.map(SdkBody::from)).await.map_err(text)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_RESPONSE).collect().await.map_err(text)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }
}

impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.0.request(request);
        HttpConnectorFuture::new(async move {
            // The SDK may retry after any connection error.
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = answer.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Parses certificates in [PEM] format. The parser of rustls runs in constant time, which is needed only for private
/// keys and takes ten times as long.
///
/// [PEM]: https://www.rfc-editor.org/rfc/rfc7468
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let text = str::from_utf8(pem).ok()?;
    let certificate = |after_begin: &str| {
        let (base64, _) = after_begin.split_once("-----END CERTIFICATE-----")?;
        let base64: String = base64.split_ascii_whitespace().collect();
        Some(CertificateDer::from(BASE64_STANDARD.decode(base64).ok()?))
    };
    text.split("-----BEGIN CERTIFICATE-----").skip(1).map(certificate).collect()
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn root_certificates_are_valid_and_few() {
        let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
        let as_rustls_reads_them: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(AMAZON_ROOTS).collect();
        assert_eq!(certificates(AMAZON_ROOTS), as_rustls_reads_them.ok());
        HttpClient::new().unwrap();
    }

    #[test]
    fn invalid_certificate_bundle_is_refused() {
        let bad: [&[u8]; 4] = [
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\nAA A?\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n",
            b"\xff",
        ];
        for bundle in bad {
            assert_eq!(HttpClient::trusting(bundle).unwrap_err(), ConfigError::Unreadable(BUNDLE));
        }
    }
}
