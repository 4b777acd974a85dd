//! The HTTP client of a process. All SDK clients and calls to other regions share its connections.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::Timestamp;
use http::{Request, Response, Uri, uri::Authority};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as TcpConnector},
    rt::TokioExecutor,
};
use kit::Clock;
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

use crate::{amazon_roots::ANCHORS, config::ConfigError, system::SystemClock};

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

/// How long a connection may be unused and then still be used: less than load balancers keep one open ([60 seconds]).
///
/// [60 seconds]:
/// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html#connection-idle-timeout
const IDLE: Duration = Duration::from_secs(50);

/// A client for HTTPS and, on the local machine, HTTP. It uses HTTP/1.1, as the services do, and has no timeouts of its
/// own.
///
/// Lambda freezes a process between requests. Meanwhile the other side closes its connections, and nothing here learns of
/// it: a request on such a connection gets no response. So each address has its own connections, and those that were not used
/// for [`IDLE`] are dropped. Wall-clock time measures that, because it certainly goes on while the process is frozen.
#[derive(Debug, Clone)]
pub struct HttpClient {
    connector: HttpsConnector<TcpConnector>,
    pools: Arc<Mutex<HashMap<Authority, Pool>>>,
    now: fn() -> Timestamp,
}

type Connections = Client<HttpsConnector<TcpConnector>, SdkBody>;

/// The connections to one address.
#[derive(Debug)]
struct Pool {
    connections: Connections,
    used: Timestamp,
}

/// Why a request has no response.
#[derive(Debug)]
pub struct SendError {
    /// A message for logs.
    pub message: String,
    /// Whether no connection was established, so that nothing of the request was sent.
    pub is_unsent: bool,
}

impl SendError {
    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        Self { message: text(error), is_unsent: error.is_connect() }
    }

    fn broken(error: impl std::fmt::Debug) -> Self {
        Self { message: text(error), is_unsent: false }
    }
}

impl HttpClient {
    /// A client that trusts the roots of all AWS endpoints, of services and APIs alike ([Amazon Trust Services]). The system's
    /// store contains over a hundred certificates, and parsing them takes longer than the rest of a cold start.
    ///
    /// [Amazon Trust Services]: https://www.amazontrust.com/repository/
    ///
    /// # Errors
    ///
    /// When the TLS library lacks a protocol version. A test checks that it does not.
    pub fn new() -> Result<Self, ConfigError> {
        Self::trusting(RootCertStore { roots: ANCHORS.to_vec() })
    }

    /// A client that trusts the certificates in `AWS_CA_BUNDLE` or, if it is not set, Amazon's roots.
    ///
    /// # Errors
    ///
    /// When the file can't be read or parsed.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Ok(file) = std::env::var(BUNDLE) else { return Self::new() };
        Self::trusting(roots(&std::fs::read(file).map_err(|_| ConfigError::Unreadable(BUNDLE))?)?)
    }

    /// A client for third parties: it trusts the roots that browsers trust, and has the suites of all.
    pub(crate) fn public() -> Result<Self, ConfigError> {
        Self::with(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }, default_provider())
    }

    fn trusting(roots: RootCertStore) -> Result<Self, ConfigError> {
        Self::with(roots, CryptoProvider { cipher_suites: SUITES.to_vec(), ..default_provider() })
    }

    fn with(roots: RootCertStore, cryptography: CryptoProvider) -> Result<Self, ConfigError> {
        let tls = ClientConfig::builder_with_provider(Arc::new(cryptography))
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigError::Unreadable(BUNDLE))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let now = || SystemClock.now();
        Ok(Self { connector: tls.wrap_connector(tcp), pools: Arc::default(), now })
    }

    /// The connections to the address of a URI. Without those that were unused for too long: requests on them that have begun
    /// go on.
    fn connections(&self, uri: &Uri) -> Connections {
        let new =
            || Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(self.connector.clone());
        let Some(address) = uri.authority() else { return new() };
        let now = (self.now)();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get_mut(address) {
            let unused = now.duration_since(pool.used);
            pool.used = now;
            // The clock may also have been set back.
            if unused.is_negative() || unused.unsigned_abs() > IDLE {
                pool.connections = new();
            }
            return pool.connections.clone();
        }
        let connections = new();
        pools.insert(address.clone(), Pool { connections: connections.clone(), used: now });
        connections
    }

    /// An adapter for SDK clients.
    pub fn sdk(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a request and reads the response, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// When there is no response or it is too large.
    pub(crate) async fn send_limited(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, SendError> {
        let answer = self.connections(request.uri()).request(request.map(SdkBody::from)).await;
        let (parts, body) = answer.map_err(|error| SendError::of(&error))?.into_parts();
        let body = Limited::new(body, limit).collect().await.map_err(SendError::broken)?;
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    /// Sends a request and reads the response, up to 6 MB.
    ///
    /// # Errors
    ///
    /// When there is no response or it is too large.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, SendError> {
        self.send_limited(request, MAX_RESPONSE).await
    }
}

impl HttpConnector for HttpClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let answer = self.connections(request.uri()).request(request);
        HttpConnectorFuture::new(async move {
            // The SDK may retry after any connection error.
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            let answer = answer.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The trust anchors of certificates in PEM format.
fn roots(pem: &[u8]) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem).ok_or(ConfigError::Unreadable(BUNDLE))? {
        roots.add(certificate).map_err(|_| ConfigError::Unreadable(BUNDLE))?;
    }
    Ok(roots)
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

/// Errors of hyper print their causes only in this form.
fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicI64, Ordering},
    };

    use rustls::pki_types::pem::PemObject;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that answers every request with the number of its connection, and never closes one.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for number in 1.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 1_024];
                    while let Ok(1..) = stream.read(&mut request).await {
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    static SECONDS: AtomicI64 = AtomicI64::new(1_000_000);

    fn now() -> Timestamp {
        Timestamp::from_second(SECONDS.load(Ordering::Relaxed)).unwrap()
    }

    #[tokio::test]
    async fn connection_that_was_frozen_is_not_used_again() {
        let client = HttpClient { now, ..HttpClient::new().unwrap() };
        let (here, there) = (server().await, server().await);
        let connection = async |address: SocketAddr| {
            let request = Request::get(format!("http://{address}/")).body(Bytes::new()).unwrap();
            String::from_utf8(client.send(request).await.unwrap().into_body().to_vec()).unwrap()
        };
        assert_eq!((connection(here).await.as_str(), connection(there).await.as_str()), ("1", "1"));
        for (frozen, expected) in [(49, "1"), (50, "1"), (51, "2"), (-1, "3"), (1, "3"), (86_400, "4")] {
            SECONDS.fetch_add(frozen, Ordering::Relaxed);
            assert_eq!(connection(here).await, expected, "after {frozen} s");
        }
        // It was not used all the time, although another was.
        assert_eq!(connection(there).await, "2");
    }

    #[test]
    fn anchors_are_those_of_amazons_root_certificates() {
        const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");
        let as_rustls_reads_them: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(AMAZON_ROOTS).collect();
        assert_eq!(certificates(AMAZON_ROOTS), as_rustls_reads_them.ok());
        assert_eq!(roots(AMAZON_ROOTS).unwrap().roots, ANCHORS);
        assert_eq!(ANCHORS.len(), 5);
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
            assert_eq!(roots(bundle).unwrap_err(), ConfigError::Unreadable(BUNDLE));
        }
    }
}
