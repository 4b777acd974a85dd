//! A payment as Stripe tells it.

use serde::{Deserialize, Serialize};

use super::{
    cents::Cents,
    ids::{CustomerId, PaymentIntentId},
};
use crate::{id::WorkspaceId, region::Region};

/// What a payment is for. Stripe keeps it in the metadata of the payment intent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentPurpose {
    /// Credit that a person buys.
    TopUp,
    /// Credit that is bought when the balance is low.
    AutoTopUp,
}

impl PaymentPurpose {
    /// The value in metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top-up",
            Self::AutoTopUp => "auto-top-up",
        }
    }

    /// Reads the value in metadata.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::TopUp, Self::AutoTopUp].into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// The metadata by which the platform knows its own payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentTag {
    /// What it is for.
    pub purpose: PaymentPurpose,
    /// The workspace whose wallet gets the credit.
    pub workspace: WorkspaceId,
    /// The region of the workspace.
    pub region: Region,
    /// The amount that was agreed.
    pub amount: Cents,
}

/// The status of a payment intent
/// ([lifecycle](https://docs.stripe.com/payments/paymentintents/lifecycle)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// No payment method yet, or the last one was declined.
    RequiresPaymentMethod,
    /// Not confirmed yet.
    RequiresConfirmation,
    /// The customer must authenticate.
    RequiresAction,
    /// A delayed payment method: the money is on its way.
    Processing,
    /// Authorised, not captured. The platform captures automatically.
    RequiresCapture,
    /// Given up.
    Canceled,
    /// Paid.
    Succeeded,
}

/// A payment intent with what happened to its money since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentIntent {
    /// The id.
    pub id: PaymentIntentId,
    /// The customer who pays.
    pub customer: Option<CustomerId>,
    /// The status.
    pub status: IntentStatus,
    /// The currency: three letters, lower case.
    pub currency: String,
    /// The amount to pay.
    pub amount: Cents,
    /// The amount that was paid. Zero unless the intent succeeded.
    pub received: Cents,
    /// The amount that was given back of it, without refunds that failed.
    pub refunded: Cents,
    /// What disputes hold or took: open or lost disputes, not inquiries and not disputes that were won.
    pub disputed: Cents,
    /// The metadata of the platform. `None`: the platform did not make the payment.
    pub tag: Option<PaymentTag>,
}

/// Why a payment that succeeded is not credited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentMismatch {
    /// The currency is not the US dollar.
    Currency,
    /// The amount is not the agreed one.
    Amount,
}

impl PaymentIntent {
    /// What counts of the payment now: what was paid and not taken back. Zero unless the intent succeeded.
    ///
    /// # Errors
    ///
    /// Something else was paid than was agreed.
    pub fn counts(&self) -> Result<Cents, PaymentMismatch> {
        if self.status != IntentStatus::Succeeded {
            return Ok(Cents::ZERO);
        }
        let counts = self.received.less(self.refunded).less(self.disputed);
        if counts == Cents::ZERO {
            return Ok(counts);
        }
        if self.currency != "usd" {
            return Err(PaymentMismatch::Currency);
        }
        if self.tag.is_some_and(|tag| tag.amount != self.received) {
            return Err(PaymentMismatch::Amount);
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(received: u32, refunded: u32, disputed: u32) -> PaymentIntent {
        PaymentIntent {
            id: PaymentIntentId::parse("pi_1").unwrap(),
            customer: CustomerId::parse("cus_1"),
            status: IntentStatus::Succeeded,
            currency: "usd".to_owned(),
            amount: Cents::new(received),
            received: Cents::new(received),
            refunded: Cents::new(refunded),
            disputed: Cents::new(disputed),
            tag: None,
        }
    }

    #[test]
    fn refunds_and_disputes_count_once_and_never_below_zero() {
        for (refunded, disputed, counts) in
            [(0, 0, 2_000), (500, 0, 1_500), (2_000, 0, 0), (500, 2_000, 0), (0, 1_999, 1)]
        {
            assert_eq!(paid(2_000, refunded, disputed).counts(), Ok(Cents::new(counts)));
        }
    }

    #[test]
    fn payment_that_did_not_succeed_counts_nothing() {
        use IntentStatus::{Canceled, Processing, RequiresAction, RequiresPaymentMethod};
        for status in [Canceled, Processing, RequiresAction, RequiresPaymentMethod] {
            let intent = PaymentIntent { status, currency: "eur".to_owned(), ..paid(2_000, 0, 0) };
            assert_eq!(intent.counts(), Ok(Cents::ZERO), "{status:?}");
        }
    }

    #[test]
    fn other_currency_or_amount_than_agreed_is_no_credit() {
        let euros = PaymentIntent { currency: "eur".to_owned(), ..paid(2_000, 0, 0) };
        assert_eq!(euros.counts(), Err(PaymentMismatch::Currency));
        let refunded = PaymentIntent { refunded: Cents::new(2_000), ..euros };
        assert_eq!(refunded.counts(), Ok(Cents::ZERO));
        let workspace = "ws_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let (purpose, region) = (PaymentPurpose::TopUp, Region::Eu);
        for (agreed, counts) in [(2_000, Ok(Cents::new(2_000))), (1_999, Err(PaymentMismatch::Amount))] {
            let tag = PaymentTag { purpose, workspace, region, amount: Cents::new(agreed) };
            assert_eq!(PaymentIntent { tag: Some(tag), ..paid(2_000, 0, 0) }.counts(), counts);
        }
    }

    #[test]
    fn purposes_have_their_names_in_metadata() {
        for purpose in [PaymentPurpose::TopUp, PaymentPurpose::AutoTopUp] {
            assert_eq!(PaymentPurpose::parse(purpose.as_str()), Some(purpose));
            assert_eq!(serde_json::to_value(purpose).unwrap(), purpose.as_str());
        }
        assert_eq!(PaymentPurpose::parse("donation"), None);
    }
}
