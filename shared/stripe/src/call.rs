//! One call of Stripe's API. A call that failed is repeated once where that is safe, and everything has an
//! end in time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::ports::{Failure, PaymentError, StepKey};
use http::{HeaderValue, Method, Request, header};
use providers::{Fetch, USER_AGENT};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{
    config::StripeCredentials,
    error::{ApiAnswer, CallError, classify, refused},
    form::Form,
};

/// The version of the API whose objects `answers.rs` reads ([versioning]). Events of webhooks have the
/// version of their endpoint.
///
/// [versioning]: https://docs.stripe.com/api/versioning
const VERSION: HeaderValue = HeaderValue::from_static("2026-10-28.endive");
/// The type of a body.
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Times of a call.
#[derive(Clone, Copy)]
pub struct Pace {
    /// The time before the second attempt.
    pub wait: Duration,
    /// The time for everything: both attempts of a call, or all calls of one operation.
    pub total: Duration,
}

impl Pace {
    /// A request of a person has three seconds in all, and needs some of them for its own reads and writes.
    pub const OF_REQUESTS: Self =
        Self { wait: Duration::from_millis(100), total: Duration::from_millis(2_200) };
}

/// Stripe's API with one set of credentials.
pub struct Api<'a, F> {
    /// The credentials.
    pub credentials: Arc<StripeCredentials>,
    /// Sends requests.
    pub http: &'a F,
    /// Times.
    pub pace: Pace,
}

/// A request, as it is sent at every attempt.
struct ApiCall<'a> {
    method: Method,
    path: &'a str,
    form: &'a Form,
    step: Option<&'a StepKey>,
}

impl ApiCall<'_> {
    /// Whether a second attempt can't do it twice. Stripe knows a repeated POST by its key, and needs none
    /// for other methods ([idempotent requests]).
    ///
    /// [idempotent requests]: https://docs.stripe.com/api/idempotent_requests
    fn is_repeatable(&self) -> bool {
        self.method != Method::POST || self.step.is_some()
    }
}

impl<F: Fetch> Api<'_, F> {
    /// Reads an object or a list.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form) -> ApiAnswer<T> {
        self.send(&ApiCall { method: Method::GET, path, form: query, step: None }).await
    }

    /// Changes an object. It is sent once.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form) -> ApiAnswer<T> {
        self.send(&ApiCall { method: Method::POST, path, form, step: None }).await
    }

    /// Takes a step. Repeating it answers what the first attempt did.
    pub async fn take<T: DeserializeOwned>(&self, path: &str, form: &Form, step: &StepKey) -> ApiAnswer<T> {
        self.send(&ApiCall { method: Method::POST, path, form, step: Some(step) }).await
    }

    /// Deletes an object. An object that is gone is deleted.
    pub async fn delete(&self, path: &str) -> ApiAnswer<()> {
        self.delete_with(path, &Form::default()).await
    }

    /// The same with parameters. A DELETE has no body: they are a query.
    pub async fn delete_with(&self, path: &str, query: &Form) -> ApiAnswer<()> {
        let call = ApiCall { method: Method::DELETE, path, form: query, step: None };
        match self.send::<IgnoredAny>(&call).await {
            Ok(_) | Err(CallError::Payment(PaymentError::NotFound)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends an operation of several calls in time.
    pub async fn within<T>(&self, operation: impl Future<Output = ApiAnswer<T>>) -> ApiAnswer<T> {
        let ended = tokio::time::timeout(self.pace.total, operation).await;
        ended.unwrap_or_else(|_| Err(PaymentError::Unavailable.into()))
    }

    async fn send<T: DeserializeOwned>(&self, call: &ApiCall<'_>) -> ApiAnswer<T> {
        let body = self.within(self.attempts(call)).await?;
        serde_json::from_slice(&body).map_err(|_| refused("answer"))
    }

    /// A call that has no result for the time being gets a second attempt, with the same key.
    async fn attempts(&self, call: &ApiCall<'_>) -> ApiAnswer<Bytes> {
        match self.attempt(call).await {
            Err(CallError::Payment(PaymentError::Unavailable)) if call.is_repeatable() => {
                tokio::time::sleep(self.pace.wait).await;
                self.attempt(call).await
            }
            answer => answer,
        }
    }

    async fn attempt(&self, call: &ApiCall<'_>) -> ApiAnswer<Bytes> {
        let request = self.request(call).ok_or_else(|| refused("request"))?;
        let response = match self.http.fetch(request).await {
            Ok(response) => response,
            Err(Failure::Unavailable { .. }) => return Err(PaymentError::Unavailable.into()),
            Err(failure) => return Err(failure.into()),
        };
        if response.status().is_success() {
            Ok(response.into_body())
        } else {
            Err(classify(response.status(), response.body()).into())
        }
    }

    /// `None` if a part of it can't be sent, such as a step key with other characters than those of headers.
    fn request(&self, call: &ApiCall<'_>) -> Option<Request<Bytes>> {
        let credentials = &self.credentials;
        let key = format!("Bearer {}", credentials.secret_key.expose());
        let mut authorization = HeaderValue::try_from(key).ok()?;
        authorization.set_sensitive(true);
        let url = format!("{}{}", credentials.api_url, call.path);
        let request = Request::builder()
            .method(call.method.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, authorization)
            .header(header::USER_AGENT, USER_AGENT)
            .header("stripe-version", VERSION);
        let request = match call.step {
            Some(StepKey(key)) => request.header("idempotency-key", key.as_str()),
            None => request,
        };
        let request = match call.method {
            Method::POST => {
                request.uri(url).header(header::CONTENT_TYPE, FORM).body(Bytes::from(call.form.encode()))
            }
            _ if call.form.is_empty() => request.uri(url).body(Bytes::new()),
            _ => request.uri(format!("{url}?{}", call.form.encode())).body(Bytes::new()),
        };
        request.ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Answered, Script, broken, error, ok, unreachable};

    fn step() -> StepKey {
        StepKey("step-1".to_owned())
    }

    fn form() -> Form {
        Form::default().with("metadata[region]", "eu")
    }

    fn headers(request: &Request<Bytes>) -> Vec<(&str, &str)> {
        let headers = request.headers().iter();
        let mut headers: Vec<_> =
            headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        headers.sort_unstable();
        headers
    }

    #[tokio::test]
    async fn post_has_form_version_and_key() {
        let script = Script::of([ok(json!({}))]);
        assert!(script.api().take::<Value>("/v1/customers", &form(), &step()).await.is_ok());
        let requests = script.requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].method(), "POST");
        assert_eq!(requests[0].uri(), "https://stripe.example/v1/customers");
        assert_eq!(requests[0].body(), "metadata%5Bregion%5D=eu");
        assert_eq!(
            headers(&requests[0]),
            [
                ("accept", "application/json"),
                ("authorization", "Bearer sk_test_1"),
                ("content-type", "application/x-www-form-urlencoded"),
                ("idempotency-key", "step-1"),
                ("stripe-version", "2026-10-28.endive"),
                ("user-agent", "account-platform"),
            ]
        );
        assert!(requests[0].headers()["authorization"].is_sensitive());
    }

    #[tokio::test]
    async fn get_and_delete_have_no_body_and_no_key() {
        let script = Script::of([ok(json!({})), ok(json!({})), ok(json!({}))]);
        let api = script.api();
        assert!(api.get::<Value>("/v1/events", &Form::page()).await.is_ok());
        assert!(api.get::<Value>("/v1/events", &Form::default()).await.is_ok());
        assert!(api.delete("/v1/customers/cus_1").await.is_ok());
        let requests = script.requests();
        let urls: Vec<_> =
            requests.iter().map(|request| format!("{} {}", request.method(), request.uri())).collect();
        assert_eq!(
            urls,
            [
                "GET https://stripe.example/v1/events?limit=100",
                "GET https://stripe.example/v1/events",
                "DELETE https://stripe.example/v1/customers/cus_1",
            ]
        );
        for request in requests {
            assert!(request.body().is_empty());
            assert_eq!(
                headers(&request),
                [
                    ("accept", "application/json"),
                    ("authorization", "Bearer sk_test_1"),
                    ("stripe-version", "2026-10-28.endive"),
                    ("user-agent", "account-platform"),
                ]
            );
        }
    }

    #[tokio::test]
    async fn second_attempt_has_the_same_key_and_form() {
        let failures: [fn() -> Answered; 8] = [
            unreachable,
            || error(409, json!({ "code": "idempotency_key_in_use" })),
            || error(409, json!({ "code": "lock_timeout" })),
            || error(429, json!({})),
            || error(500, json!({})),
            || error(502, json!({})),
            || error(503, json!({})),
            || error(504, json!({})),
        ];
        for failure in failures {
            let script = Script::of([failure(), ok(json!({ "id": "x" }))]);
            let answer = script.api().take::<Value>("/v1/customers", &form(), &step()).await;
            assert_eq!(answer.ok(), Some(json!({ "id": "x" })));
            let asked = "POST /v1/customers metadata[region]=eu [step-1]";
            assert_eq!(script.asked(), [asked, asked]);
        }
    }

    #[tokio::test]
    async fn there_is_never_a_third_attempt() {
        let failures: [fn() -> Answered; 2] = [unreachable, || error(503, json!({}))];
        for failure in failures {
            let script = Script::of([failure(), failure(), ok(json!({}))]);
            let answer = script.api().take::<Value>("/v1/customers", &form(), &step()).await;
            assert!(matches!(answer, Err(CallError::Payment(PaymentError::Unavailable))));
            assert_eq!(script.asked().len(), 2);
        }
    }

    #[tokio::test]
    async fn get_and_delete_are_repeated_without_key() {
        let script = Script::of([unreachable(), ok(json!({}))]);
        assert!(script.api().get::<Value>("/v1/events", &Form::default()).await.is_ok());
        assert_eq!(script.asked(), ["GET /v1/events", "GET /v1/events"]);
        let script = Script::of([error(503, json!({})), error(404, json!({ "code": "resource_missing" }))]);
        assert!(script.api().delete("/v1/customers/cus_1").await.is_ok());
        assert_eq!(script.asked(), ["DELETE /v1/customers/cus_1", "DELETE /v1/customers/cus_1"]);
    }

    #[tokio::test]
    async fn post_without_key_is_sent_once() {
        let failures: [fn() -> Answered; 3] =
            [unreachable, || error(503, json!({})), || error(429, json!({}))];
        for failure in failures {
            let script = Script::of([failure(), ok(json!({}))]);
            let answer = script.api().post::<Value>("/v1/customers/cus_1", &form()).await;
            assert!(matches!(answer, Err(CallError::Payment(PaymentError::Unavailable))));
            assert_eq!(script.asked(), ["POST /v1/customers/cus_1 metadata[region]=eu"]);
        }
    }

    #[tokio::test]
    async fn answer_that_will_not_change_is_not_asked_for_again() {
        for (status, code) in [(400, "x"), (401, "x"), (402, "x"), (404, "resource_missing"), (409, "x")] {
            let script = Script::of([error(status, json!({ "code": code })), ok(json!({}))]);
            assert!(script.api().take::<Value>("/v1/customers", &form(), &step()).await.is_err());
            assert_eq!(script.asked().len(), 1, "{status}");
        }
    }

    #[tokio::test]
    async fn attempts_end_together_in_time() {
        for (answers, attempts) in [(vec![Answered::Never], 1), (vec![unreachable(), Answered::Never], 2)] {
            let script = Script::of(answers);
            let pace = Pace { total: Duration::from_millis(50), ..script.api().pace };
            let api = Api { pace, ..script.api() };
            let answer = api.take::<Value>("/v1/customers", &form(), &step()).await;
            assert!(matches!(answer, Err(CallError::Payment(PaymentError::Unavailable))));
            assert_eq!(script.asked().len(), attempts);
        }
    }

    #[tokio::test]
    async fn unreadable_answer_and_unsendable_key_are_refused() {
        let script = Script::of([Answered::with(200, "<html>")]);
        let answer = script.api().take::<Value>("/v1/customers", &form(), &step()).await;
        assert!(matches!(answer, Err(CallError::Payment(PaymentError::Refused(code))) if code == "answer"));
        let script = Script::of([]);
        let answer = script.api().take::<Value>("/v1/customers", &form(), &StepKey("a\nb".to_owned())).await;
        assert!(matches!(answer, Err(CallError::Payment(PaymentError::Refused(code))) if code == "request"));
        assert!(script.asked().is_empty());
    }

    #[tokio::test]
    async fn defect_of_the_client_is_a_failure() {
        let script = Script::of([broken(), ok(json!({}))]);
        let answer = script.api().get::<Value>("/v1/events", &Form::default()).await;
        assert!(matches!(answer, Err(CallError::Failed(Failure::Broken(_)))));
        assert_eq!(script.asked().len(), 1);
    }
}
