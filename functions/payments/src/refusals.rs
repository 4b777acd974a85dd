//! What clients read when Stripe does not do what it was asked for.

use domain::{ports::PaymentError, text::Invalid};
use kit::{Code, Problem};

/// Names of Stripe's parameters, and the field of the API that they come from.
const FIELDS: [(&str, &str); 4] =
    [("email", "email"), ("name", "name"), ("type", "taxId"), ("value", "taxId")];

/// The problem document about an error of Stripe.
pub fn problem(error: PaymentError) -> Problem {
    match error {
        PaymentError::NotConfigured => {
            Problem::new(Code::PaymentsNotSetUp, "Payments are not set up on this deployment.")
        }
        PaymentError::Unavailable => Problem {
            retry_after: Some(5),
            ..Problem::new(Code::Unavailable, "Stripe does not answer. Try again in a moment.")
        },
        PaymentError::NotFound => Problem::not_found(),
        PaymentError::Declined(_) => {
            Problem::new(Code::PaymentDeclined, "The card was declined. Use another payment method.")
        }
        PaymentError::AuthenticationRequired => Problem::new(
            Code::PaymentDeclined,
            "The bank asks the owner of the card to confirm the payment. Pay on the checkout page.",
        ),
        PaymentError::Invalid(parameter) => {
            let known = FIELDS.iter().find(|(at_stripe, _)| parameter.starts_with(at_stripe));
            let field = known.map_or("address", |(_, field)| field);
            Problem::field(field, &Invalid::new("Stripe does not accept this value. Check it."))
        }
        PaymentError::Refused(code) => Problem::internal(format!("Stripe refused a request: {code}")),
    }
}
