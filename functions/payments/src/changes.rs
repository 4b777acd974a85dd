//! Applies a changed object of Stripe: a payment, a subscription or a saved payment method.

use std::sync::Arc;

use domain::{
    payment::{CheckoutId, PaymentSubject},
    ports::{Outcome, PaymentError, PaymentRecords, Payments, Wallets, Workspaces},
};
use kit::{Ports, RunContext};

use crate::{
    applied_payment::{self, Applied, PaymentPorts, failed},
    applied_subscription::{self, SubscriptionPorts},
    top_up_pause,
};

/// The ports.
pub struct Changes {
    /// Stripe.
    pub payments: Arc<dyn Payments>,
    /// Customers and payments of the platform.
    pub records: Arc<dyn PaymentRecords>,
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

impl Changes {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self {
            payments: ports.payments(),
            records: ports.payment_records(),
            wallets: ports.wallets(),
            workspaces: ports.workspaces(),
        }
    }

    /// Applies an object as Stripe has it now.
    pub async fn apply(&self, subject: &PaymentSubject, job: &RunContext) -> Outcome<Applied> {
        match subject {
            PaymentSubject::Payment(id) => applied_payment::apply(&self.of_payments(), id, job).await,
            PaymentSubject::Subscription(id) => {
                let ports = SubscriptionPorts {
                    payments: &*self.payments,
                    records: &*self.records,
                    workspaces: &*self.workspaces,
                };
                applied_subscription::apply(&ports, id, job).await
            }
            PaymentSubject::Checkout(id) => self.keep_default(id, job).await,
        }
    }

    /// The ports that payments are applied with.
    pub fn of_payments(&self) -> PaymentPorts<'_> {
        PaymentPorts {
            payments: &*self.payments,
            records: &*self.records,
            wallets: &*self.wallets,
            workspaces: &*self.workspaces,
        }
    }

    /// Makes the payment method that a person saved the default, unless there is one, and lets automatic top-ups go on.
    async fn keep_default(&self, id: &CheckoutId, job: &RunContext) -> Outcome<Applied> {
        let checkout = match self.payments.checkout(id).await? {
            Ok(checkout) => checkout,
            Err(PaymentError::NotFound) => return Ok(Applied::NotOurs),
            Err(error) => return Err(failed(error)),
        };
        let (Some(workspace), Some(method)) =
            (checkout.workspace.filter(|_| checkout.region == Some(job.region)), checkout.saved_method)
        else {
            return Ok(Applied::NotOurs);
        };
        let account = self.records.account(workspace).await?;
        let Some(account) = account.filter(|account| checkout.customer.as_ref() == Some(&account.customer))
        else {
            return Ok(Applied::NotOurs);
        };
        let details = match self.payments.billing_details(&account.customer).await? {
            Ok(details) => details,
            Err(PaymentError::NotFound) => return Ok(Applied::NotOurs),
            Err(error) => return Err(failed(error)),
        };
        if details.default_method.is_none() {
            match self.payments.set_default_method(&account.customer, &method).await? {
                Ok(()) => {}
                // It was removed meanwhile.
                Err(PaymentError::NotFound) => return Ok(Applied::Unchanged),
                Err(error) => return Err(failed(error)),
            }
        } else if details.default_method.as_ref() != Some(&method) {
            return Ok(Applied::Unchanged);
        }
        // Also if an earlier attempt set the default and went no further.
        top_up_pause::end(&*self.wallets, workspace, job.now).await?;
        Ok(Applied::Changed)
    }
}
