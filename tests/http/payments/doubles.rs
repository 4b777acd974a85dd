//! The client of Stripe against doubles that others wrote: `localstripe` 1.15.10 and `emulate` 0.12.2, as far
//! as they have what it calls. Where they differ from Stripe, the tests say how, so that a difference
//! that goes away shows.
//!
//! | call | at Stripe | localstripe | emulate |
//! |---|---|---|---|
//! | all with a step key | the same key has one effect | each has its own | each has its own |
//! | ids | letters, digits, `_` | the same | some have hyphens, which the client refuses |
//! | object that is gone | 404 `resource_missing` | 404 without a code | the same |
//! | billing details | an empty text unsets | it stays an empty text | the same; no address, no tax ids |
//! | change of the tax id | list, create, delete | its list refuses `limit` | lacks tax ids |
//! | payment methods, of a customer | list | lacks it under the customer's path | lacks it |
//! | default payment method | kept | the same | ignored |
//! | detaching twice | the second is refused | the second succeeds | lacks it |
//! | charge | confirmed at once | refuses `description`, `error_on_requires_action` | ignores `confirm` |
//! | payment | amount received, receipt | lacks both | lacks both, and the charge |
//! | refund | lowers the charge | the same | lacks it |
//! | payments, of a span of time | list | refuses `created` | not called: one unreadable id spoils it |
//! | subscription | price and period in the item | plan, and the period outside | lacks it |
//! | seats | quantity of the item | 500 | lacks it |
//! | cancel at the end, cancel now | – | the same; twice, too | lacks them |
//! | invoices | number, pages | lacks these members | lacks them |
//! | events | newest first | oldest first | lacks the list |
//! | Checkout of a top-up | price in the request | lacks Checkout | needs a stored price |
//! | Checkout to save a card | makes a setup intent | lacks Checkout | makes none |
//! | Checkout to subscribe | makes a subscription | lacks Checkout | makes none |
//! | webhooks | signed event | the same | signed, without id, time and mode |

mod emulate;
mod localstripe;

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{HeaderMap, Request, Response},
    routing::post,
};
use domain::{
    Timestamp,
    id::WorkspaceId,
    payment::{
        BillingDetailsChange, Cents, CustomerId, IntentStatus, PaymentIntent, PaymentIntentId,
        PaymentPurpose, PaymentTag, PostalAddress, TaxId,
    },
    ports::{Failure, Outcome, PaymentError, PaymentResult, Payments, StepKey},
    region::Region,
};
use providers::{Fetch, Origins};
use reqwest::{Url, redirect::Policy};
use stripe::StripeClient;
use tests::{Answer, App, Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

/// The key of the doubles, which accept any.
const KEY: &str = "sk_test_double";
/// The secret of their webhooks.
const SECRET: &str = "whsec_double";
/// The workspace that pays.
const WORKSPACE: &str = "ws_01m858qy4a1ar9by88nhafn40x";
/// Only a hang is to end here.
const PATIENCE: Duration = Duration::from_secs(300);

/// Sends requests as they are.
struct Http(reqwest::Client);

#[async_trait]
impl Fetch for Http {
    async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
        let unavailable =
            |error: reqwest::Error| Failure::Unavailable { service: "stripe", detail: error.to_string() };
        let request = reqwest::Request::try_from(request).map_err(unavailable)?;
        let answer = self.0.execute(request).await.map_err(unavailable)?;
        let status = answer.status();
        let mut response = Response::new(answer.bytes().await.map_err(unavailable)?);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// A webhook that a double sent.
struct Delivery {
    /// The name of the double.
    double: String,
    signature: String,
    body: Bytes,
}

/// The running doubles.
struct Doubles {
    urls: Value,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    _process: Child,
}

impl Doubles {
    async fn start() -> Self {
        let (sender, deliveries) = mpsc::unbounded_channel();
        let receive = move |Path(double): Path<String>, headers: HeaderMap, body: Bytes| {
            let sender = sender.clone();
            async move {
                let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
                // A test may be over before its last webhook comes.
                drop(sender.send(Delivery { double, signature, body }));
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/{double}", post(receive));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let start = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/stripe-doubles/start");
        let mut command = Command::new(start);
        let command = command.args([webhook.as_str(), SECRET]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        Self { urls: tests::from_str(&line).unwrap(), deliveries, _process: process }
    }

    /// The next webhook of a double whose body contains a text.
    async fn delivery(&mut self, double: &str, text: &str) -> Delivery {
        let next = async {
            loop {
                let delivery = self.deliveries.recv().await.unwrap();
                if delivery.double == double && String::from_utf8_lossy(&delivery.body).contains(text) {
                    return delivery;
                }
            }
        };
        timeout(PATIENCE, next).await.unwrap()
    }
}

/// A double, and the client of it.
struct Double {
    stripe: StripeClient<Http>,
    http: reqwest::Client,
    url: String,
}

impl Double {
    /// The client has its credentials in a secret of its own.
    async fn new(app: &App, doubles: &Doubles, name: &str) -> Self {
        let url = doubles.urls[name].as_str().unwrap().to_owned();
        let credentials = json!({
            "secretKey": KEY, "webhookSecrets": [SECRET], "apiUrl": url,
            "proMonthlyPrice": "price_month", "proYearlyPrice": "price_year",
        });
        let (secrets, secret) = (app.secrets_manager(), format!("tests/{name}"));
        let created = secrets.create_secret().name(&secret).secret_string(credentials.to_string());
        created.send().await.unwrap();
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let origins = Origins { own: app.url().to_owned(), others: Vec::new() };
        let fetch = Http(http.clone());
        // The clock is for the age of the credentials only.
        let stripe = StripeClient::new(move || secrets, secret, origins, fetch, || Timestamp::UNIX_EPOCH);
        Self { stripe, http, url }
    }

    /// Sends a form, as somebody else than the client.
    async fn send(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut url: Url = format!("{}{path}", self.url).parse().unwrap();
        url.query_pairs_mut().extend_pairs(form);
        let body = url.query().unwrap_or_default().to_owned();
        url.set_query(None);
        let kind = "application/x-www-form-urlencoded";
        let request = self.http.post(url).bearer_auth(KEY).header("content-type", kind).body(body);
        Answer::of(request.send().await.unwrap()).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        self.send(path, form).await.expect(200).body
    }

    /// A customer of the workspace.
    async fn customer(&self) -> CustomerId {
        readable(|| self.stripe.create_customer(workspace(), Region::Eu)).await
    }
}

/// The result of a call that succeeds.
async fn ok<T>(call: impl Future<Output = PaymentResult<T>>) -> T {
    call.await.unwrap().unwrap()
}

/// Why a call has no result.
async fn refused<T>(call: impl Future<Output = PaymentResult<T>>) -> PaymentError {
    call.await.unwrap().err().unwrap()
}

fn code(code: &str) -> PaymentError {
    PaymentError::Refused(code.to_owned())
}

/// Makes an object again and again until the client can read its id: some ids of emulate have hyphens.
async fn readable<T, F: Future<Output = PaymentResult<T>>>(make: impl Fn() -> F) -> T {
    for _ in 0..100 {
        match make().await.unwrap() {
            Err(error) if error == code("answer") => {}
            made => return made.unwrap(),
        }
    }
    panic!("no id of 100 is readable");
}

fn workspace() -> WorkspaceId {
    WORKSPACE.parse().unwrap()
}

fn tag() -> PaymentTag {
    PaymentTag {
        purpose: PaymentPurpose::AutoTopUp,
        workspace: workspace(),
        region: Region::Eu,
        amount: Cents::new(2_000),
    }
}

fn step() -> StepKey {
    StepKey("step-1".to_owned())
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

fn details() -> BillingDetailsChange {
    BillingDetailsChange {
        name: Some("Ada".to_owned()),
        email: Some("ada@people.example".to_owned()),
        address: Some(PostalAddress {
            line1: Some("Main Street 1".to_owned()),
            country: Some("DE".to_owned()),
            ..PostalAddress::default()
        }),
        tax_id: None,
    }
}

fn tax_id() -> BillingDetailsChange {
    let tax_id = TaxId { r#type: "eu_vat".to_owned(), value: "DE123456789".to_owned() };
    BillingDetailsChange { tax_id: Some(Some(tax_id)), ..BillingDetailsChange::default() }
}

/// A payment of the tag, as the doubles tell of it.
fn payment(id: &PaymentIntentId, customer: &CustomerId) -> PaymentIntent {
    PaymentIntent {
        id: id.clone(),
        customer: Some(customer.clone()),
        status: IntentStatus::Succeeded,
        currency: "usd".to_owned(),
        amount: Cents::new(2_000),
        received: Cents::ZERO,
        refunded: Cents::ZERO,
        disputed: Cents::ZERO,
        tag: Some(tag()),
    }
}

/// What both doubles do with customers. Returns a customer, who has billing details.
async fn customers(double: &Double) -> CustomerId {
    let (stripe, change) = (&double.stripe, details());
    let (customer, other) = (double.customer().await, double.customer().await);
    assert_ne!(customer, other, "the step key counts");
    ok(stripe.change_billing_details(&customer, &change)).await;
    let found = ok(stripe.billing_details(&customer)).await;
    assert_eq!((found.name, found.email), (change.name, change.email));
    ok(stripe.delete_customer(&other)).await;
    customer
}

/// The time in a signature.
fn signed_at(delivery: &Delivery) -> Timestamp {
    let time = delivery.signature.split(',').find_map(|part| part.strip_prefix("t=")).unwrap();
    Timestamp::from_second(time.parse().unwrap()).unwrap()
}
