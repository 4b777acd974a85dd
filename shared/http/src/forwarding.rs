//! Forwards requests to the region that they belong to, and returns its answers unchanged.
//!
//! A header that only the regions can sign carries the client's address, the request's id, the time left, and, if the sender read
//! the request's credentials, what it vouches for. A request is forwarded once, with one exception: the home of the credential
//! forwards it to the region that it belongs to.
//!
//! Requests that regions send on their own account have the same header ([`RegionClient`](crate::region_client::RegionClient)).

use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use domain::{
    Timestamp,
    forwarding::FORWARDED_REQUEST_VALID,
    id::RequestId,
    ports::{ForwardingKeys, Outcome},
    region::Region,
    secret::{Digest256, MacKey, decode_base64},
    throttle::Wait,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};

use crate::{
    caller_assertion::CallerAssertion,
    credentials::CSRF_HEADER,
    problem::{Code, Problem},
    stop::Stop,
};

/// The header that carries the signed [`ForwardedRequest`].
pub const HEADER: &str = "x-account-forwarded";
/// The part of the time left that is reserved for the way between the regions.
const WAY: Duration = Duration::from_millis(100);

/// The headers of a request that are forwarded.
const SENT: [HeaderName; 8] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
];
const CSRF: HeaderName = HeaderName::from_static(CSRF_HEADER);
/// The headers of an answer that are returned. Gateways and connections add their own, which would show that there were two.
const PASSED_BACK: [HeaderName; 13] = [
    header::CONTENT_TYPE,
    header::CONTENT_DISPOSITION,
    header::CACHE_CONTROL,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::WWW_AUTHENTICATE,
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("x-ratelimit-reset"),
];

/// Sends requests to the other regions.
#[async_trait]
pub trait Regions: Send + Sync {
    /// The answer of `region` to a request, within this time. A `repeatable` request may be sent a second time if its
    /// connection breaks.
    async fn send(
        &self,
        region: Region,
        request: Request<Bytes>,
        repeatable: bool,
        within: Duration,
    ) -> Outcome<Response<Bytes>>;
}

/// The facts about a request that a region sends along with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForwardedRequest {
    to: Region,
    at: Timestamp,
    /// The request's id, the same in both regions' logs and in the answer.
    pub request: RequestId,
    /// The network address that the client called from.
    pub network: Option<IpAddr>,
    /// The time left, in milliseconds.
    within: u64,
    /// How long the client's network has to wait, in seconds, if nothing is left of its limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network_wait: Option<u64>,
    /// What the sender read about the caller. If it is anything, the request has no credentials any more.
    #[serde(flatten)]
    pub assertion: CallerAssertion,
}

impl ForwardedRequest {
    /// The facts about a request that this region forwards.
    pub fn new(
        to: Region,
        at: Timestamp,
        request: RequestId,
        network: Option<IpAddr>,
        left: Duration,
    ) -> Self {
        let within = u64::try_from(left.saturating_sub(WAY).as_millis()).unwrap_or(u64::MAX);
        Self { to, at, request, network, within, network_wait: None, assertion: CallerAssertion::default() }
    }

    /// The same, with what this region read about the caller.
    pub fn asserting(self, assertion: CallerAssertion) -> Self {
        Self { assertion, ..self }
    }

    /// Whether the sender read the request's credentials. Then it is forwarded no more.
    pub fn is_settled(&self) -> bool {
        !self.assertion.is_nothing()
    }

    /// The same, with the time that the client's network has to wait.
    pub fn refusing(self, wait: Option<Wait>) -> Self {
        Self { network_wait: wait.map(|wait| wait.seconds), ..self }
    }

    /// How long the client's network has to wait, if nothing is left of its limit.
    pub fn network_wait(&self) -> Option<Wait> {
        self.network_wait.map(|seconds| Wait { seconds })
    }

    /// The time that the receiver has.
    pub fn within(&self) -> Duration {
        Duration::from_millis(self.within)
    }

    /// The facts that came with a request, if it was forwarded. A header that is not genuine is refused, not ignored: the
    /// request could be forwarded in circles.
    pub async fn read(
        keys: &dyn ForwardingKeys,
        request: &Request<Bytes>,
        here: Region,
        now: Timestamp,
    ) -> Result<Option<Self>, Stop> {
        let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
        let refused = || Problem::new(Code::BadRequest, "Invalid forwarding header.");
        let (forwarded, mac) =
            value.to_str().ok().and_then(|text| text.split_once('.')).ok_or_else(refused)?;
        let (forwarded, mac) =
            decode_base64(forwarded).zip(Digest256::from_base64(mac)).ok_or_else(refused)?;
        // Nothing in it is trusted yet: its time only selects the key that must have signed it.
        let said: Self = serde_json::from_slice(&forwarded).map_err(|_| refused())?;
        if now.duration_since(said.at).abs() > FORWARDED_REQUEST_VALID || said.to != here {
            return Err(refused().into());
        }
        let key = keys.forwarding_key(said.at).await?;
        if sign(&key, &forwarded, request).matches(mac) { Ok(Some(said)) } else { Err(refused().into()) }
    }

    /// `request` with the signed header and the headers that are forwarded.
    pub async fn attach(
        &self,
        keys: &dyn ForwardingKeys,
        request: &Request<Bytes>,
    ) -> Result<Request<Bytes>, Stop> {
        let broken = |error: &dyn std::fmt::Display| Problem::internal(error.to_string());
        let mut sent = Request::new(request.body().clone());
        *sent.method_mut() = request.method().clone();
        *sent.uri_mut() = request.uri().clone();
        for name in SENT.iter().chain([&CSRF]) {
            // Credentials that this region has read are not needed there.
            let is_credential = *name == header::AUTHORIZATION || *name == header::COOKIE || *name == CSRF;
            if !(is_credential && self.is_settled()) {
                copy(request.headers(), sent.headers_mut(), name);
            }
        }
        let forwarded = serde_json::to_vec(self).map_err(|error| broken(&error))?;
        let mac = sign(&keys.forwarding_key(self.at).await?, &forwarded, request).to_base64();
        let value = format!("{}.{mac}", BASE64_URL_SAFE_NO_PAD.encode(forwarded));
        sent.headers_mut().insert(HEADER, HeaderValue::from_str(&value).map_err(|error| broken(&error))?);
        Ok(sent)
    }
}

/// Signs the facts for this request only. The query is left out: gateways rewrite it.
fn sign(key: &MacKey, forwarded: &[u8], request: &Request<Bytes>) -> Digest256 {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let parts = [forwarded, method.as_bytes(), path.as_bytes(), request.body()];
    Digest256::from_bytes(key.derive("forward", &parts))
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &HeaderName) {
    for value in from.get_all(name) {
        to.append(name.clone(), value.clone());
    }
}

/// Another region's answer, without the headers that gateways and connections added.
pub fn passed_back(answer: Response<Bytes>) -> Response<Bytes> {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    // In the order in which they came.
    for (name, value) in parts.headers.iter().filter(|(name, _)| PASSED_BACK.contains(name)) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use domain::{
        handle::Handle,
        id::{Id, OfRequest},
        user::EmailHash,
    };

    use super::*;
    use crate::caller_assertion::{DelegatedCaller, Guest};

    struct Key(&'static str);

    #[async_trait]
    impl ForwardingKeys for Key {
        async fn forwarding_key(&self, _: Timestamp) -> Outcome<MacKey> {
            Ok(MacKey::of(self.0))
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn request() -> Request<Bytes> {
        let request = Request::post("/api/x?owner=ada").header("authorization", "Bearer token");
        request.header("host", "us.example").body(Bytes::from_static(b"{}")).unwrap()
    }

    fn forwarded() -> ForwardedRequest {
        let id: Id<OfRequest> = "req_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        ForwardedRequest::new(Region::Eu, at(0), id, "192.0.2.1".parse().ok(), Duration::from_secs(2))
    }

    async fn read(request: &Request<Bytes>, here: Region, now: i64) -> Option<ForwardedRequest> {
        ForwardedRequest::read(&Key("key"), request, here, at(now)).await.ok().flatten()
    }

    #[tokio::test]
    async fn forwarded_request_is_read_by_its_receiver_only() {
        let sent = forwarded().attach(&Key("key"), &request()).await.unwrap();
        assert_eq!(sent.uri(), "/api/x?owner=ada");
        assert_eq!(sent.headers().get("authorization").unwrap(), "Bearer token");
        assert!(!sent.headers().contains_key("host"));
        let read_there = read(&sent, Region::Eu, 1).await.unwrap();
        assert_eq!(read_there.network, "192.0.2.1".parse().ok());
        assert_eq!(read_there.within(), Duration::from_millis(1_900));
        assert!(read(&sent, Region::Ap, 1).await.is_none());
        assert!(read(&sent, Region::Eu, 31).await.is_none());
    }

    #[tokio::test]
    async fn forwarding_header_is_valid_for_its_request_only() {
        let sent = forwarded().attach(&Key("key"), &request()).await.unwrap();
        let changed: [fn(&mut Request<Bytes>); 3] = [
            |request| *request.body_mut() = Bytes::from_static(b"{} "),
            |request| *request.method_mut() = http::Method::DELETE,
            |request| *request.uri_mut() = "/api/y".parse().unwrap(),
        ];
        for change in changed {
            let mut other = request();
            other.headers_mut().insert(HEADER, sent.headers().get(HEADER).unwrap().clone());
            assert!(read(&other, Region::Eu, 1).await.is_some());
            change(&mut other);
            assert!(read(&other, Region::Eu, 1).await.is_none());
        }
        let forged = forwarded().attach(&Key("another"), &request()).await.unwrap();
        assert!(ForwardedRequest::read(&Key("key"), &forged, Region::Eu, at(1)).await.is_err());
        assert!(ForwardedRequest::read(&Key("key"), &request(), Region::Eu, at(1)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn asserted_caller_brings_no_other_credential() {
        let user = "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let caller = DelegatedCaller { user, stepped_up: true, owner: "the-team".to_owned() };
        let address = EmailHash(Digest256::of("ada@people.example"));
        let handle = Handle::parse("ada-lovelace").ok();
        let guest = Guest { user, home: Region::Us, handle, stepped_up: false, addresses: vec![address] };
        for assertion in [
            CallerAssertion::of_caller(caller),
            CallerAssertion::of_guest(guest),
            CallerAssertion::of_following(true),
            CallerAssertion::of_following(false),
        ] {
            let sent =
                forwarded().asserting(assertion.clone()).attach(&Key("key"), &request()).await.unwrap();
            assert!(!sent.headers().contains_key("authorization"));
            let there = read(&sent, Region::Eu, 1).await.unwrap();
            assert!(there.is_settled());
            assert_eq!(there.assertion, assertion);
        }
    }

    #[test]
    fn header_of_an_older_version_vouches_for_nothing() {
        let mut header = serde_json::to_value(forwarded()).unwrap();
        assert!(header.get("follows").is_none() && header.get("guest").is_none());
        // Older versions wrote it also without a caller.
        header["caller"] = serde_json::Value::Null;
        assert!(!serde_json::from_value::<ForwardedRequest>(header).unwrap().is_settled());
    }
}
