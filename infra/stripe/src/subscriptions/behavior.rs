//! How a request wants payments and prorations handled.

use serde_json::Value;

use super::object::payment_method;
use crate::{
    api_error::ApiError,
    invoices::{
        bill::Bill,
        payment::{self, Collection, no_payment_method},
    },
    params::Params,
    work::Work,
};

/// What happens if an invoice can't be paid at once
/// (<https://docs.stripe.com/api/subscriptions/update#update_subscription-payment_behavior>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PaymentBehavior {
    /// The change is made, and the invoice stays open.
    Allow,
    /// No payment is tried: the customer confirms the payment intent.
    Confirm,
    /// The request fails, and nothing is changed.
    Error,
    /// The change waits until the invoice is paid.
    Pending,
}

impl PaymentBehavior {
    /// Reads `payment_behavior`.
    ///
    /// # Errors
    ///
    /// 400, if the value is unknown.
    pub(crate) fn read(params: &Params) -> Result<Self, ApiError> {
        let allowed =
            ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
        Ok(match params.choice("payment_behavior", &allowed)? {
            Some("default_incomplete") => Self::Confirm,
            Some("error_if_incomplete") => Self::Error,
            Some("pending_if_incomplete") => Self::Pending,
            _ => Self::Allow,
        })
    }
}

/// What a change in the middle of a period costs
/// (<https://docs.stripe.com/api/subscriptions/update#update_subscription-proration_behavior>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProrationBehavior {
    /// The prorations are lines of the next invoice.
    CreateProrations,
    /// The prorations are invoiced at once.
    AlwaysInvoice,
    /// Nothing until the next period.
    None,
}

impl ProrationBehavior {
    /// Reads the parameter at a path, for example `proration_behavior`.
    ///
    /// # Errors
    ///
    /// 400, if the value is unknown.
    pub(crate) fn read(params: &Params, path: &str) -> Result<Self, ApiError> {
        Ok(match params.choice(path, &["create_prorations", "always_invoice", "none"])? {
            Some("always_invoice") => Self::AlwaysInvoice,
            Some("none") => Self::None,
            _ => Self::CreateProrations,
        })
    }
}

/// Tries to pay a finalised invoice that a request made, with the subscription's payment method. Returns
/// whether it is paid.
///
/// # Errors
///
/// 400, if there is no payment method. With [`PaymentBehavior::Error`], 402 if the payment did
/// not succeed; its intent is canceled then.
pub(crate) fn collect(
    work: &mut Work<'_>,
    bill: &mut Bill,
    subscription: &Value,
    behavior: PaymentBehavior,
    off_session: bool,
) -> Result<bool, ApiError> {
    if bill.is_paid() {
        return Ok(true);
    }
    if behavior == PaymentBehavior::Confirm {
        payment::await_confirmation(work, &mut bill.invoice)?;
        return Ok(false);
    }
    let method = payment_method(work, subscription).ok_or_else(no_payment_method)?;
    let collection = Collection { method: Some(&method), off_session, is_automatic: true };
    match bill.collect(work, &collection).error() {
        None => Ok(true),
        Some(error) if behavior == PaymentBehavior::Error => {
            payment::cancel(work, &mut bill.invoice);
            Err(error)
        }
        Some(_) => Ok(false),
    }
}
