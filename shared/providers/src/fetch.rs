//! Requests to providers.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::{ports::Outcome, provider::AuthorizationError};
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use crate::{answer::Answer, config::safe};

/// The product's name, for the header `User-Agent`. GitHub and Have I Been Pwned refuse requests without one.
pub const USER_AGENT: HeaderValue = HeaderValue::from_static("account-platform");

/// Sends requests to third parties, within limits of time and size, and follows no redirects.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// The response to a request.
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>>;
}

#[async_trait]
impl<F: Fetch> Fetch for Arc<F> {
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
        (**self).fetch(request).await
    }
}

/// Gets a JSON document, with a bearer token if there is one.
pub async fn get<T: DeserializeOwned>(
    http: &impl Fetch,
    url: &str,
    bearer: Option<&str>,
) -> Answer<(T, Response<Bytes>)> {
    let mut request = Request::get(safe(url)?)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, USER_AGENT);
    if let Some(token) = bearer {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        request = request.header(header::AUTHORIZATION, value.map_err(|_| AuthorizationError::Unavailable)?);
    }
    read(http, request.body(Bytes::new())).await
}

/// Posts a form, and reads the JSON document that answers it.
pub async fn post<T: DeserializeOwned>(
    http: &impl Fetch,
    url: &str,
    form: &impl Serialize,
) -> Answer<(T, Response<Bytes>)> {
    let form = serde_urlencoded::to_string(form).map_err(|_| AuthorizationError::Unavailable)?;
    let request = Request::post(safe(url)?)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, USER_AGENT)
        .body(Bytes::from(form));
    read(http, request).await
}

/// The URL with these parameters.
pub fn with_query(url: &str, parameters: &impl Serialize) -> Answer<String> {
    let query = serde_urlencoded::to_string(parameters).map_err(|_| AuthorizationError::Unavailable)?;
    let before = if url.contains('?') { '&' } else { '?' };
    Ok(format!("{}{before}{query}", safe(url)?))
}

async fn read<T: DeserializeOwned>(
    http: &impl Fetch,
    request: http::Result<Request<Bytes>>,
) -> Answer<(T, Response<Bytes>)> {
    let request = request.map_err(|_| AuthorizationError::Unavailable)?;
    // A provider that can't be reached is no failure of the platform: the person may choose another way to sign in.
    let response = http.fetch(request).await.map_err(|_| AuthorizationError::Unavailable)?;
    match response.status() {
        StatusCode::OK => {}
        // RFC 6749, section 5.2: the code or the token is not good.
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(AuthorizationError::Invalid.into());
        }
        _ => return Err(AuthorizationError::Unavailable.into()),
    }
    let value = serde_json::from_slice(response.body()).map_err(|_| AuthorizationError::Unavailable)?;
    Ok((value, response))
}
