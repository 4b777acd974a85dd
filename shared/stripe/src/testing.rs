//! A scripted Stripe for the tests: it answers in order, and notes the requests.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use domain::ports::{Failure, Outcome, PaymentError};
use http::{Request, Response};
use percent_encoding::percent_decode_str;
use providers::Fetch;
use serde_json::{Value, json};

use crate::{
    call::{Api, Pace},
    config::StripeConfig,
    error::{ApiAnswer, CallError},
};

/// The workspace of the tests.
pub const WORKSPACE_ID: &str = "ws_01m858qy4a1ar9by88nhafn40x";

/// What a request is answered.
pub enum Answered {
    /// With this.
    With(Outcome<Response<Bytes>>),
    /// Never.
    Never,
}

impl Answered {
    /// A response.
    pub fn with(status: u16, body: impl Into<Bytes>) -> Self {
        Self::With(Ok(Response::builder().status(status).body(body.into()).unwrap()))
    }
}

/// An object.
pub fn ok(object: Value) -> Answered {
    Answered::with(200, object.to_string())
}

/// A page of a list.
pub fn list(data: Value, has_more: bool) -> Answered {
    ok(json!({ "object": "list", "data": data, "has_more": has_more, "url": "/v1/x" }))
}

/// An error object.
pub fn error(status: u16, error: Value) -> Answered {
    Answered::with(status, json!({ "error": error }).to_string())
}

/// No connection.
pub fn unreachable() -> Answered {
    Answered::With(Err(Failure::Unavailable { service: "stripe", detail: "timeout".to_owned() }))
}

/// A client that can't be made.
pub fn broken() -> Answered {
    Answered::With(Err(Failure::Broken("no TLS".to_owned())))
}

/// What Stripe says instead of a result.
pub fn why<T>(answer: ApiAnswer<T>) -> PaymentError {
    match answer {
        Err(CallError::Payment(error)) => error,
        Err(CallError::Failed(failure)) => panic!("{failure}"),
        Ok(_) => panic!("there is a result"),
    }
}

/// The result of a call.
pub fn done<T>(answer: ApiAnswer<T>) -> T {
    match answer {
        Ok(value) => value,
        Err(CallError::Payment(error)) => panic!("{error:?}"),
        Err(CallError::Failed(failure)) => panic!("{failure}"),
    }
}

/// A scripted Stripe.
pub struct Script {
    answers: Mutex<VecDeque<Answered>>,
    requests: Mutex<Vec<Request<Bytes>>>,
    config: StripeConfig,
}

impl Script {
    /// Answers the requests in this order.
    pub fn of(answers: impl IntoIterator<Item = Answered>) -> Self {
        let prices = json!({ "proMonthlyPrice": "price_month", "proYearlyPrice": "price_year" });
        Self::with_prices(answers, prices)
    }

    /// The same for a deployment with other prices, or none.
    pub fn with_prices(answers: impl IntoIterator<Item = Answered>, prices: Value) -> Self {
        let mut document = prices;
        document["secretKey"] = json!("sk_test_1");
        document["webhookSecrets"] = json!(["whsec_old", "whsec_new"]);
        document["apiUrl"] = json!("https://stripe.example");
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            requests: Mutex::default(),
            config: serde_json::from_value(document).unwrap(),
        }
    }

    /// The API, that hardly waits before a second attempt.
    pub fn api(&self) -> Api<'_, Self> {
        let pace = Pace { wait: Duration::from_millis(1), total: Duration::from_secs(60) };
        Api { credentials: self.config.credentials().unwrap(), http: self, pace }
    }

    /// The requests.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The requests, each as method, path, decoded parameters and `[key]`.
    pub fn asked(&self) -> Vec<String> {
        self.requests().iter().map(line).collect()
    }
}

fn line(request: &Request<Bytes>) -> String {
    let body = str::from_utf8(request.body()).unwrap();
    let parameters = [request.uri().query().unwrap_or_default(), body];
    let parameters = parameters.iter().flat_map(|text| text.split('&')).filter(|pair| !pair.is_empty());
    let parameters = parameters.map(|pair| percent_decode_str(pair).decode_utf8().unwrap().into_owned());
    let key = request.headers().get("idempotency-key").map(|key| format!("[{}]", key.to_str().unwrap()));
    let words = [request.method().to_string(), request.uri().path().to_owned()];
    words.into_iter().chain(parameters).chain(key).collect::<Vec<_>>().join(" ")
}

#[async_trait]
impl Fetch for Script {
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let answer = self.answers.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match answer {
            Some(Answered::With(answer)) => answer,
            Some(Answered::Never) => std::future::pending().await,
            None => panic!("there are more requests than answers"),
        }
    }
}
