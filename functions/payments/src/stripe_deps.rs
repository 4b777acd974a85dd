//! The ports of endpoints that call Stripe for a person, and the errors that they share.

use std::sync::Arc;

use domain::{
    id::OfRequest,
    payment::BillingAccount,
    permissions::{ManagesBilling, Member},
    ports::{
        Checkout, CheckoutKind, CheckoutRequest, Failure, PaymentError, PaymentRecords, PaymentResult,
        Payments, RateWindows, StepKey,
    },
    throttle::Wait,
};
use kit::{Permitted, Ports, RequestContext};

use crate::{
    allowance::{self, Allowance},
    customer, refusals,
};

/// A request of a person who manages the billing of a workspace.
pub type ManagerCall = RequestContext<Permitted<Member, ManagesBilling>>;

/// The ports.
pub struct StripeDeps {
    /// Stripe.
    pub payments: Arc<dyn Payments>,
    /// Customers and payments of the platform.
    pub records: Arc<dyn PaymentRecords>,
    windows: Arc<dyn RateWindows>,
}

kit::errors! {
    pub enum StripeError from Failure {
        /// Stripe refuses, or does not answer.
        Stripe(error: PaymentError) => refusals::problem(error),
        /// The workspace called Stripe too often.
        TooMany(wait: Wait) => allowance::exhausted(wait),
    }
}

impl From<PaymentError> for StripeError {
    fn from(error: PaymentError) -> Self {
        Self::Stripe(error)
    }
}

impl StripeDeps {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self { payments: ports.payments(), records: ports.payment_records(), windows: ports.rate_windows() }
    }

    /// Counts a request that opens a page of Stripe, or changes something there.
    pub async fn count_change(&self, call: &ManagerCall) -> Result<(), StripeError> {
        let taken = Allowance::Changes.take(&*self.windows, call.caller.proof.workspace(), call.now).await?;
        taken.map_err(StripeError::TooMany)
    }

    /// Counts a request that reads from Stripe.
    pub async fn count_read(&self, call: &RequestContext<Member>) -> Result<(), StripeError> {
        let taken = Allowance::Reads.take(&*self.windows, call.caller.workspace.id, call.now).await?;
        taken.map_err(StripeError::TooMany)
    }

    /// The account of the caller's workspace. Creates a customer if it has none.
    pub async fn account(&self, call: &ManagerCall) -> PaymentResult<BillingAccount> {
        let ports = (&*self.records, &*self.payments);
        customer::of(ports, &call.caller.proof, call.region, call.now).await
    }

    /// Opens a page of Stripe for an account.
    pub async fn open_page(
        &self,
        call: &ManagerCall,
        account: &BillingAccount,
        kind: CheckoutKind,
    ) -> PaymentResult<Checkout> {
        let page = self.payments.return_url(call.host());
        let request = CheckoutRequest {
            customer: account.customer.clone(),
            workspace: account.workspace,
            region: call.region,
            kind,
            success_url: format!("{page}?checkout={{CHECKOUT_SESSION_ID}}"),
            cancel_url: page,
        };
        let step = StepKey(format!("checkout-{}", call.id::<OfRequest>()));
        self.payments.open_checkout(&request, &step).await
    }
}
