//! Delivers events to webhook endpoints, with signatures
//! (<https://docs.stripe.com/webhooks#verify-manually>).

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, header::CONTENT_TYPE};
use sha2::Sha256;
use tokio::time::timeout;

use crate::{
    deliveries::Delivery,
    server::Shared,
    stand_in::{Deliver, WebhookEndpoint},
};

/// How long an endpoint may take to answer.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// How often the clock is read. It can be moved, so nobody can sleep until a time.
const PAUSE: Duration = Duration::from_secs(1);

/// A delivery that is due.
pub(crate) struct DueDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// The event, as JSON.
    pub body: Vec<u8>,
}

/// Delivers events, one after the other, as long as the process runs.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        match shared.next_delivery() {
            Some(due) => {
                let status = send(&shared, &due.delivery.url, due.body).await;
                shared.finish_delivery(&due.delivery, is_success(&status));
            }
            None => {
                if timeout(PAUSE, shared.wake.notified()).await.is_err() {
                    shared.release_late();
                }
            }
        }
    }
}

/// Performs what is due by the clock, as long as the process runs.
pub(crate) async fn tick(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        shared.with(None, |_| ());
    }
}

/// Whether an endpoint accepted a delivery.
pub(crate) fn is_success(status: &Result<u16, String>) -> bool {
    matches!(status, Ok(200..=299))
}

/// Sends an event to an endpoint, and returns the status of its answer.
pub(crate) async fn send(shared: &Shared, url: &str, body: Vec<u8>) -> Result<u16, String> {
    let endpoint = shared.endpoints.iter().find(|endpoint| endpoint.url == url);
    let endpoint = endpoint.ok_or("the endpoint is not configured any more")?;
    send_to(shared, endpoint, body).await
}

/// Sends an event to this endpoint, which need not be configured.
pub(crate) async fn send_to(
    shared: &Shared,
    endpoint: &WebhookEndpoint,
    body: Vec<u8>,
) -> Result<u16, String> {
    let request = request(endpoint, body, shared.now_second())?;
    post(&shared.deliver, request).await
}

async fn post(deliver: &Deliver, request: Request<Bytes>) -> Result<u16, String> {
    match timeout(ANSWER_TIME, deliver(request)).await {
        Ok(answer) => answer,
        Err(_) => Err("the endpoint did not answer in time".to_owned()),
    }
}

fn request(endpoint: &WebhookEndpoint, body: Vec<u8>, now: i64) -> Result<Request<Bytes>, String> {
    Request::builder()
        .method(Method::POST)
        .uri(&endpoint.url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("stripe-signature", signature(&endpoint.secret, now, &body))
        .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .body(Bytes::from(body))
        .map_err(|error| error.to_string())
}

/// The header `Stripe-Signature`: the time, and the signature of the time, a dot and the body.
fn signature(secret: &str, now: i64, body: &[u8]) -> String {
    // HMAC accepts keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_is_that_of_the_time_and_the_body() {
        // Computed with `openssl dgst -sha256 -hmac whsec_test` over `1800000000.{"id":"evt_1"}`.
        let expected = "t=1800000000,v1=45705be2a45ab5acdd1395cc695e9e7073125385ec24194921c401dff44176f8";
        assert_eq!(signature("whsec_test", 1_800_000_000, br#"{"id":"evt_1"}"#), expected);
    }

    #[test]
    fn only_2xx_is_a_success() {
        for (status, expected) in [(Ok(200), true), (Ok(204), true), (Ok(302), false), (Ok(500), false)] {
            assert_eq!(is_success(&status), expected, "{status:?}");
        }
        assert!(!is_success(&Err("refused".to_owned())));
    }

    #[test]
    fn request_goes_to_the_endpoint() {
        let (url, secret) = ("http://localhost/hook".to_owned(), "whsec_test".to_owned());
        let request = request(&WebhookEndpoint { url, secret }, b"{}".to_vec(), 1).unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/hook"));
        assert!(request.headers()["stripe-signature"].to_str().unwrap().starts_with("t=1,v1="));
    }
}
