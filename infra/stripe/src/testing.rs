//! State, requests and objects for the tests of the operations.

use serde_json::Value;

use crate::{
    api_error::ApiError, params::Params, prices, routes, state::State, subscriptions::member::text,
    work::Work,
};

/// The time at which the tests begin: 2027-01-15T08:00:00Z.
pub(crate) const START: i64 = 1_800_000_000;

/// A state with the provisioned prices, and a clock that tests move.
pub(crate) struct TestBench {
    /// The state.
    pub state: State,
    /// The time, in Unix seconds.
    pub now: i64,
}

impl TestBench {
    /// A new state at [`START`].
    pub fn new() -> Self {
        let mut bench = Self { state: State::new(Vec::new()), now: START };
        prices::provision(&mut bench.work());
        bench
    }

    /// The access of a request.
    pub fn work(&mut self) -> Work<'_> {
        Work { state: &mut self.state, now: self.now, base: "http://localhost/_local/stripe" }
    }

    /// Calls an operation, for example `call("POST", "/v1/customers", "name=Ada")`.
    pub fn call(&mut self, method: &str, path: &str, params: &str) -> Result<Value, ApiError> {
        let routes::Lookup::Found(route, ids) = routes::find(method, path) else { panic!("{method} {path}") };
        (route.handler)(&mut self.work(), &Params::parse(params).unwrap(), &ids)
    }

    /// `POST` that succeeds.
    pub fn post(&mut self, path: &str, params: &str) -> Value {
        self.call("POST", path, params).unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// `GET` that succeeds.
    pub fn get(&mut self, path: &str) -> Value {
        self.call("GET", path, "").unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    /// A new customer's id.
    pub fn customer(&mut self) -> String {
        id(&self.post("/v1/customers", "name=Ada&email=ada@example.com"))
    }

    /// A new customer with a card, for example `4242424242424242`, as the default payment method: the ids of
    /// both.
    pub fn customer_with_card(&mut self, number: &str) -> (String, String) {
        let customer = self.customer();
        let card =
            format!("type=card&card[number]={number}&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123");
        let method = id(&self.post("/v1/payment_methods", &card));
        self.post(&format!("/v1/payment_methods/{method}/attach"), &format!("customer={customer}"));
        let default = format!("invoice_settings[default_payment_method]={method}");
        self.post(&format!("/v1/customers/{customer}"), &default);
        (customer, method)
    }

    /// The types of all events, oldest first.
    pub fn event_types(&mut self) -> Vec<String> {
        let events = self.state.all("event");
        events.into_iter().rev().map(|event| text(event, "/type").to_owned()).collect()
    }
}

/// The id of an object.
pub(crate) fn id(object: &Value) -> String {
    text(object, "/id").to_owned()
}
