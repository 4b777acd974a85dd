//! Why a call has no result, and how Stripe's errors are read ([error object]). Neither a message of Stripe
//! nor a value of a person is kept: only codes, which are a closed vocabulary.
//!
//! [error object]: https://docs.stripe.com/api/errors

use domain::ports::{Failure, PaymentError, PaymentResult};
use http::StatusCode;
use serde::Deserialize;

/// The maximum length of a code.
const LONGEST_CODE: usize = 64;

/// The codes of payments that need the owner of the card ([codes]).
///
/// [codes]: https://docs.stripe.com/error-codes
const AUTHENTICATION: [&str; 3] = [
    "authentication_required",
    "invoice_payment_intent_requires_action",
    "subscription_payment_intent_requires_action",
];

/// Why there is no result: a failure of AWS or a defect, or what Stripe says.
pub enum CallError {
    /// AWS failed, or there is a defect.
    Failed(Failure),
    /// Stripe did not do it.
    Payment(PaymentError),
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<PaymentError> for CallError {
    fn from(error: PaymentError) -> Self {
        Self::Payment(error)
    }
}

/// The result of a call.
pub type ApiAnswer<T> = Result<T, CallError>;

/// Runs a call, and separates failures from what Stripe says.
pub async fn separate<T>(call: impl Future<Output = ApiAnswer<T>>) -> PaymentResult<T> {
    match call.await {
        Ok(value) => Ok(Ok(value)),
        Err(CallError::Payment(error)) => Ok(Err(error)),
        Err(CallError::Failed(failure)) => Err(failure),
    }
}

/// A request that Stripe, or what is at its address, refuses as a defect.
pub fn refused(code: &str) -> CallError {
    CallError::Payment(PaymentError::Refused(code.to_owned()))
}

#[derive(Deserialize)]
struct ErrorDocument {
    error: StripeError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StripeError {
    r#type: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
}

/// What an answer means whose status is not 2xx.
pub fn classify(status: StatusCode, body: &[u8]) -> PaymentError {
    let error =
        serde_json::from_slice::<ErrorDocument>(body).map(|document| document.error).unwrap_or_default();
    let code = code(error.code.as_ref());
    match status {
        StatusCode::UNAUTHORIZED => PaymentError::Refused("authentication".to_owned()),
        StatusCode::TOO_MANY_REQUESTS => PaymentError::Unavailable,
        StatusCode::CONFLICT if matches!(code, Some("idempotency_key_in_use" | "lock_timeout")) => {
            PaymentError::Unavailable
        }
        status if status.is_server_error() => PaymentError::Unavailable,
        // An object that is gone is named by `param`. Without one, an invoice has nothing to be paid with:
        // neither its subscription nor its customer has a payment method.
        StatusCode::BAD_REQUEST if code == Some("resource_missing") && error.param.is_none() => {
            PaymentError::Declined("no_payment_method".to_owned())
        }
        // A status 404 without this code is the answer to an unknown path: a defect, and no object that is
        // gone.
        _ if code == Some("resource_missing") => PaymentError::NotFound,
        StatusCode::PAYMENT_REQUIRED if error.r#type.as_deref() == Some("card_error") => error.declined(),
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => {
            error.invalid_field().map_or_else(|| error.refused(status), PaymentError::Invalid)
        }
        _ => error.refused(status),
    }
}

impl StripeError {
    /// Banks and Stripe both ask for authentication: one in `decline_code`, the other in `code` ([codes]),
    /// which has other values where the payment is that of an invoice.
    ///
    /// [codes]: https://docs.stripe.com/declines/codes
    fn declined(&self) -> PaymentError {
        let (code, decline_code) = (code(self.code.as_ref()), code(self.decline_code.as_ref()));
        let is_authentication = |code: &str| AUTHENTICATION.contains(&code);
        if [code, decline_code].into_iter().flatten().any(is_authentication) {
            return PaymentError::AuthenticationRequired;
        }
        PaymentError::Declined(decline_code.or(code).unwrap_or("card_declined").to_owned())
    }

    /// The name of the parameter that a person entered, and Stripe refuses.
    fn invalid_field(&self) -> Option<String> {
        if self.r#type.as_deref() != Some("invalid_request_error") {
            return None;
        }
        let param = self.param.as_deref().filter(|param| is_entered(param));
        let named = || match code(self.code.as_ref())? {
            "tax_id_invalid" => Some("value"),
            "email_invalid" => Some("email"),
            "country_code_invalid" | "country_unsupported" => Some("address[country]"),
            "state_unsupported" => Some("address[state]"),
            "postal_code_invalid" => Some("address[postal_code]"),
            "customer_tax_location_invalid" => Some("address"),
            _ => None,
        };
        param.or_else(named).map(str::to_owned)
    }

    fn refused(&self, status: StatusCode) -> PaymentError {
        let code = code(self.code.as_ref()).or_else(|| code(self.r#type.as_ref()));
        PaymentError::Refused(code.unwrap_or(status.as_str()).to_owned())
    }
}

/// Whether a parameter has a value that a person entered: of a customer, or the type and the value of a tax
/// id.
fn is_entered(param: &str) -> bool {
    matches!(
        param,
        "email"
            | "name"
            | "type"
            | "value"
            | "address"
            | "address[line1]"
            | "address[line2]"
            | "address[city]"
            | "address[state]"
            | "address[postal_code]"
            | "address[country]"
    )
}

/// A code, if the text looks like one. Errors and logs show it.
fn code(text: Option<&String>) -> Option<&str> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let text = text?.as_str();
    (!text.is_empty() && text.len() <= LONGEST_CODE && text.bytes().all(is_allowed)).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn classified(status: u16, error: &Value) -> PaymentError {
        let body = json!({ "error": error }).to_string();
        classify(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    fn refused(code: &str) -> PaymentError {
        PaymentError::Refused(code.to_owned())
    }

    #[test]
    fn temporary_error_is_unavailable() {
        for status in [429, 500, 502, 503, 504] {
            assert_eq!(classified(status, &json!({})), PaymentError::Unavailable, "{status}");
            assert_eq!(classify(StatusCode::from_u16(status).unwrap(), b"<html>"), PaymentError::Unavailable);
        }
        for (status, code) in [(409, "idempotency_key_in_use"), (409, "lock_timeout"), (429, "lock_timeout")]
        {
            let error = json!({ "type": "invalid_request_error", "code": code });
            assert_eq!(classified(status, &error), PaymentError::Unavailable, "{status} {code}");
        }
        assert_eq!(classified(409, &json!({ "code": "other" })), refused("other"));
    }

    #[test]
    fn missing_object_is_not_found_and_unknown_path_is_a_defect() {
        let missing =
            json!({ "type": "invalid_request_error", "code": "resource_missing", "param": "customer" });
        for status in [400, 404] {
            assert_eq!(classified(status, &missing), PaymentError::NotFound);
        }
        assert_eq!(
            classified(404, &json!({ "type": "invalid_request_error" })),
            refused("invalid_request_error")
        );
        assert_eq!(classify(StatusCode::NOT_FOUND, b"<html>"), refused("404"));
    }

    #[test]
    fn missing_payment_method_is_a_decline() {
        let error = json!({ "type": "invalid_request_error", "code": "resource_missing" });
        let declined = PaymentError::Declined("no_payment_method".to_owned());
        assert_eq!(classified(400, &error), declined);
        assert_eq!(classified(404, &error), PaymentError::NotFound);
    }

    #[test]
    fn declined_card_has_the_code_of_the_bank_first() {
        let declined = |code: &str| PaymentError::Declined(code.to_owned());
        for (mut error, expected) in [
            (
                json!({ "code": "card_declined", "decline_code": "insufficient_funds" }),
                declined("insufficient_funds"),
            ),
            (json!({ "code": "expired_card", "decline_code": null }), declined("expired_card")),
            (json!({}), declined("card_declined")),
            (json!({ "code": "authentication_required" }), PaymentError::AuthenticationRequired),
            (
                json!({ "code": "invoice_payment_intent_requires_action" }),
                PaymentError::AuthenticationRequired,
            ),
            (
                json!({ "code": "subscription_payment_intent_requires_action" }),
                PaymentError::AuthenticationRequired,
            ),
            (
                json!({ "code": "card_declined", "decline_code": "authentication_required" }),
                PaymentError::AuthenticationRequired,
            ),
        ] {
            error["type"] = json!("card_error");
            assert_eq!(classified(402, &error), expected, "{error}");
        }
        assert_eq!(classified(402, &json!({ "type": "invalid_request_error", "code": "x" })), refused("x"));
    }

    #[test]
    fn invalid_field_of_a_person_is_named() {
        for param in ["email", "name", "type", "value", "address", "address[country]", "address[postal_code]"]
        {
            let error = json!({ "type": "invalid_request_error", "param": param });
            assert_eq!(classified(400, &error), PaymentError::Invalid(param.to_owned()));
            assert_eq!(classified(403, &error), PaymentError::Invalid(param.to_owned()));
        }
        for (code, param) in [
            ("tax_id_invalid", "value"),
            ("email_invalid", "email"),
            ("country_code_invalid", "address[country]"),
            ("country_unsupported", "address[country]"),
            ("state_unsupported", "address[state]"),
            ("postal_code_invalid", "address[postal_code]"),
            ("customer_tax_location_invalid", "address"),
        ] {
            let error = json!({ "type": "invalid_request_error", "code": code, "param": null });
            assert_eq!(classified(400, &error), PaymentError::Invalid(param.to_owned()), "{code}");
        }
    }

    #[test]
    fn other_error_is_refused_with_its_code_or_type() {
        for (status, error, code) in [
            (401, json!({ "type": "invalid_request_error", "code": "api_key_expired" }), "authentication"),
            (400, json!({ "type": "idempotency_error" }), "idempotency_error"),
            (400, json!({ "type": "idempotency_error", "param": "email" }), "idempotency_error"),
            (400, json!({ "type": "invalid_request_error", "param": "amount" }), "invalid_request_error"),
            (400, json!({ "type": "invalid_request_error", "param": "address[x]" }), "invalid_request_error"),
            (400, json!({ "type": "invalid_request_error", "code": "amount_too_small" }), "amount_too_small"),
            (403, json!({ "type": "invalid_request_error", "code": "no_account" }), "no_account"),
            (302, json!({}), "302"),
            (400, json!({ "code": "Ada Lovelace" }), "400"),
            (400, json!({ "code": "a".repeat(65) }), "400"),
            (400, json!(null), "400"),
            (400, json!("text"), "400"),
        ] {
            assert_eq!(classified(status, &error), refused(code), "{status} {error}");
        }
    }

    #[test]
    fn message_of_stripe_is_never_kept() {
        let error = json!({
            "type": "invalid_request_error", "param": "email",
            "message": "Invalid email address: ada@people.example",
        });
        assert!(!format!("{:?}", classified(400, &error)).contains("ada"));
    }
}
