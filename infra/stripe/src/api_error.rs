//! Errors of the API (<https://docs.stripe.com/api/errors>).

use serde_json::{Map, Value, json};

/// An error of the API, as its answer carries it.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `invalid_request_error`, `card_error`, `idempotency_error` or `api_error`.
    pub r#type: &'static str,
    /// The code for machines.
    pub code: Option<&'static str>,
    /// Why the bank declined a card.
    pub decline_code: Option<&'static str>,
    /// The error in words.
    pub message: String,
    /// The parameter at fault, in bracket form.
    pub param: Option<String>,
    /// The object that the error is about, under its member: `payment_intent`, `setup_intent` or
    /// `payment_method`.
    pub object: Option<Box<(&'static str, Value)>>,
}

impl ApiError {
    fn new(status: u16, kind: &'static str, code: Option<&'static str>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, r#type: kind, code, decline_code: None, message, param: None, object: None }
    }

    /// No object of this kind has this id: 404 `resource_missing`, with the parameter `id`. See
    /// [`Self::for_param`] for an id that a parameter names.
    pub fn missing(kind: &str, id: &str) -> Self {
        let kind = kind.replace('_', " ").replace("checkout.session", "checkout session");
        let message = format!("No such {kind}: '{id}'");
        Self { param: Some("id".to_owned()), ..Self::not_found(message) }
    }

    /// 404 `resource_missing` with a message.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "invalid_request_error", Some("resource_missing"), message)
    }

    /// A parameter has a wrong value: 400. `param` is in bracket form.
    pub fn invalid(param: &str, message: impl Into<String>) -> Self {
        let error = Self::new(400, "invalid_request_error", None, message);
        Self { param: Some(param.to_owned()), ..error }
    }

    /// A parameter has a wrong value: 400 with a code.
    pub fn invalid_code(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::invalid(param, message) }
    }

    /// The state of an object forbids the request: 400 with a code and without a parameter.
    pub fn state(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", Some(code), message)
    }

    /// A card was refused: 402 `card_error`.
    pub fn card(
        code: &'static str,
        decline_code: impl Into<Option<&'static str>>,
        message: impl Into<String>,
    ) -> Self {
        let decline_code = decline_code.into();
        Self { decline_code, ..Self::new(402, "card_error", Some(code), message) }
    }

    /// An idempotency key can't be used: `idempotency_error`.
    pub fn idempotency(status: u16, code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self::new(status, "idempotency_error", code, message)
    }

    /// Stripe itself failed: `api_error`.
    pub fn api(status: u16, message: impl Into<String>) -> Self {
        Self::new(status, "api_error", None, message)
    }

    /// The request has no valid key: 401.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, "invalid_request_error", None, message)
    }

    /// Too many requests: 429.
    pub fn rate_limit() -> Self {
        let message = "Too many requests in a short time. Repeat the request later.";
        Self::new(429, "invalid_request_error", Some("rate_limit"), message)
    }

    /// The same error for an id that a parameter names: 400 instead of 404.
    pub fn for_param(self, param: &str) -> Self {
        let status = if self.status == 404 { 400 } else { self.status };
        Self { status, param: Some(param.to_owned()), ..self }
    }

    /// The same error with the object that it is about.
    pub fn with_object(self, member: &'static str, object: Value) -> Self {
        Self { object: Some(Box::new((member, object))), ..self }
    }

    /// Whether the parameters failed validation, so that the request never began. Stripe keeps no answer of
    /// such a request for its idempotency key (<https://docs.stripe.com/api/idempotent_requests>).
    pub fn is_validation(&self) -> bool {
        self.status == 400 && self.code.is_some_and(|code| code.starts_with("parameter_"))
    }

    /// The member `error` of the answer. `last_payment_error` and `last_setup_error` of intents have the same
    /// shape.
    pub fn details(&self) -> Value {
        let mut details = Map::new();
        let mut set = |member: &str, value: Option<Value>| {
            if let Some(value) = value {
                details.insert(member.to_owned(), value);
            }
        };
        set("type", Some(json!(self.r#type)));
        set("message", Some(json!(self.message)));
        set("code", self.code.map(|code| json!(code)));
        set("decline_code", self.decline_code.map(|code| json!(code)));
        set("param", self.param.as_ref().map(|param| json!(param)));
        let page =
            self.code.map(|code| format!("https://docs.stripe.com/error-codes#{}", code.replace('_', "-")));
        set("doc_url", page.map(|page| json!(page)));
        Value::Object(details)
    }

    /// The body of the answer.
    pub fn body(&self) -> Value {
        let mut details = self.details();
        if let (Some(object), Some(details)) = (&self.object, details.as_object_mut()) {
            details.insert(object.0.to_owned(), object.1.clone());
            // The failed charge and payment method are beside the intent, as in its `last_payment_error`.
            for member in ["charge", "payment_method"] {
                let errors = ["last_payment_error", "last_setup_error"];
                let value = errors.iter().find_map(|error| object.1.get(error)?.get(member));
                if let Some(value) = value {
                    details.insert(member.to_owned(), value.clone());
                }
            }
        }
        json!({ "error": details })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_object_in_a_parameter_is_400() {
        let error = ApiError::missing("payment_method", "pm_1").for_param("payment_method");
        assert_eq!((error.status, error.param.as_deref()), (400, Some("payment_method")));
        assert_eq!(error.message, "No such payment method: 'pm_1'");
        assert_eq!(error.body()["error"]["code"], "resource_missing");
    }

    #[test]
    fn card_error_carries_the_intent_and_codes() {
        let error = ApiError::card("card_declined", "insufficient_funds", "Declined.")
            .with_object("payment_intent", json!({ "id": "pi_1" }));
        let body = error.body();
        assert_eq!(body["error"]["payment_intent"]["id"], "pi_1");
        assert_eq!(body["error"]["decline_code"], "insufficient_funds");
        assert_eq!(body["error"]["doc_url"], "https://docs.stripe.com/error-codes#card-declined");
    }

    #[test]
    fn only_errors_of_parameters_are_validation() {
        assert!(ApiError::invalid_code("parameter_missing", "amount", "Missing.").is_validation());
        assert!(!ApiError::invalid("amount", "Wrong.").is_validation());
        assert!(!ApiError::card("card_declined", None, "Declined.").is_validation());
    }
}
