//! Requests whose home is another region: sent on to it, once, and its answer passed back as it is.
//!
//! What the client's region found out goes along in a header that only the regions can sign: the client's address, the
//! request's id, how much time is left, and, if the session's home is not the workspace's, who calls. A request that was
//! sent on is not sent on again, but for this: from the session's home to the workspace's.

use std::{net::IpAddr, time::Duration};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use domain::{
    Timestamp,
    forwarding::LETTER_VALID,
    id::{RequestId, UserId},
    ports::{ForwardingKeys, Outcome},
    region::Region,
    secret::{Digest256, MacKey, decode_base64},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use serde::{Deserialize, Serialize};

use crate::problem::{Code, Problem};

/// The header that carries the signed [`Letter`].
pub const HEADER: &str = "x-account-forwarded";
/// What is kept back of the time that is left, for the way.
const WAY: Duration = Duration::from_millis(100);

/// What of a request goes along.
const SENT: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
    HeaderName::from_static("idempotency-key"),
];
const CSRF: HeaderName = HeaderName::from_static(crate::caller::CSRF_HEADER);
/// What of an answer is ours. Gateways and connections add headers of their own, which would tell that there were two.
const PASSED_BACK: [HeaderName; 12] = [
    header::CONTENT_TYPE,
    header::CONTENT_DISPOSITION,
    header::CACHE_CONTROL,
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

/// The way to the other regions.
#[async_trait]
pub trait Regions: Send + Sync {
    /// Has `region` answer a request within so much time.
    async fn send(
        &self,
        region: Region,
        request: Request<Bytes>,
        within: Duration,
    ) -> Outcome<Response<Bytes>>;
}

/// What a region tells another of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Letter {
    to: Region,
    at: Timestamp,
    /// The request's id, the same in both regions' logs and in the answer.
    pub request: RequestId,
    /// The network address that the client called from.
    pub network: Option<IpAddr>,
    /// The time left, in milliseconds.
    within: u64,
    /// Who calls, if the sender is the home of the caller's session and the receiver is not.
    pub caller: Option<Vouched>,
}

/// A caller whom the session's home vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vouched {
    /// Who.
    pub user: UserId,
    /// The handle of the workspace that they want to act in.
    pub owner: String,
    /// Whether they proved who they are recently.
    pub stepped_up: bool,
}

impl Letter {
    /// A letter from here.
    pub fn new(
        to: Region,
        at: Timestamp,
        request: RequestId,
        network: Option<IpAddr>,
        left: Duration,
    ) -> Self {
        let within = u64::try_from(left.saturating_sub(WAY).as_millis()).unwrap_or(u64::MAX);
        Self { to, at, request, network, within, caller: None }
    }

    /// The same, vouching for a caller.
    pub fn vouching_for(self, caller: Option<Vouched>) -> Self {
        Self { caller, ..self }
    }

    /// How long the receiver has.
    pub fn within(&self) -> Duration {
        Duration::from_millis(self.within)
    }

    /// The letter that came with a request, if one did. A letter that is not genuine is refused, not ignored: the request
    /// could go round in circles.
    pub async fn read(
        keys: &dyn ForwardingKeys,
        request: &Request<Bytes>,
        here: Region,
        now: Timestamp,
    ) -> Result<Option<Self>, Problem> {
        let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
        let refused =
            || Problem::new(Code::BadRequest, "This request was not sent on by one of our regions.");
        let (letter, mac) = value.to_str().ok().and_then(|text| text.split_once('.')).ok_or_else(refused)?;
        let (letter, mac) = decode_base64(letter).zip(Digest256::from_base64(mac)).ok_or_else(refused)?;
        // What it says is not believed yet: its time only tells which of our keys it has to be signed with.
        let said: Self = serde_json::from_slice(&letter).map_err(|_| refused())?;
        if now.duration_since(said.at).abs() > LETTER_VALID || said.to != here {
            return Err(refused());
        }
        let key = keys.forwarding_key(said.at).await?;
        if sign(&key, &letter, request).matches(mac) { Ok(Some(said)) } else { Err(refused()) }
    }

    /// `request` with this letter and the headers that matter.
    pub async fn attach(
        &self,
        keys: &dyn ForwardingKeys,
        request: &Request<Bytes>,
    ) -> Result<Request<Bytes>, Problem> {
        let broken = |error: &dyn std::fmt::Display| Problem::internal(error.to_string());
        let mut sent = Request::new(request.body().clone());
        *sent.method_mut() = request.method().clone();
        *sent.uri_mut() = request.uri().clone();
        for name in SENT.iter().chain([&CSRF]) {
            // Whom this region vouches for needs no other credential there.
            let is_credential = *name == header::AUTHORIZATION || *name == header::COOKIE || *name == CSRF;
            if !(is_credential && self.caller.is_some()) {
                copy(request.headers(), sent.headers_mut(), name);
            }
        }
        let letter = serde_json::to_vec(self).map_err(|error| broken(&error))?;
        let mac = sign(&keys.forwarding_key(self.at).await?, &letter, request).to_base64();
        let value = format!("{}.{mac}", BASE64_URL_SAFE_NO_PAD.encode(letter));
        sent.headers_mut().insert(HEADER, HeaderValue::from_str(&value).map_err(|error| broken(&error))?);
        Ok(sent)
    }
}

/// The letter is good for this request only. The query is left out: gateways write it anew.
fn sign(key: &MacKey, letter: &[u8], request: &Request<Bytes>) -> Digest256 {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let parts = [letter, method.as_bytes(), path.as_bytes(), request.body()];
    Digest256::from_bytes(key.derive("forward", &parts))
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, name: &HeaderName) {
    for value in from.get_all(name) {
        to.append(name.clone(), value.clone());
    }
}

/// Another region's answer, without what its gateway and the way here added.
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
    use domain::id::{Id, OfRequest};

    use super::*;

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

    fn letter() -> Letter {
        let id: Id<OfRequest> = "req_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        Letter::new(Region::Eu, at(0), id, "192.0.2.1".parse().ok(), Duration::from_secs(2))
    }

    async fn read(request: &Request<Bytes>, here: Region, now: i64) -> Option<Letter> {
        Letter::read(&Key("key"), request, here, at(now)).await.ok().flatten()
    }

    #[tokio::test]
    async fn a_letter_is_read_by_the_region_that_it_is_for() {
        let sent = letter().attach(&Key("key"), &request()).await.unwrap();
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
    async fn a_letter_is_good_for_its_request_only() {
        let sent = letter().attach(&Key("key"), &request()).await.unwrap();
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
        let forged = letter().attach(&Key("another"), &request()).await.unwrap();
        assert!(Letter::read(&Key("key"), &forged, Region::Eu, at(1)).await.is_err());
        assert!(Letter::read(&Key("key"), &request(), Region::Eu, at(1)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn whoever_is_vouched_for_brings_no_other_credential() {
        let user = "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let caller = Vouched { user, stepped_up: true, owner: "the-team".to_owned() };
        let vouched = letter().vouching_for(Some(caller));
        let sent = vouched.attach(&Key("key"), &request()).await.unwrap();
        assert!(!sent.headers().contains_key("authorization"));
        assert_eq!(read(&sent, Region::Eu, 1).await.unwrap().caller, vouched.caller);
    }
}
