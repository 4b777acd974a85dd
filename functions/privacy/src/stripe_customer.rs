//! The end of a workspace's customer at Stripe.

use domain::{
    payment::BillingAccount,
    ports::{Failure, Outcome, PaymentError, Payments, Rounds},
};

/// Deletes the customer: billing details and payment methods; subscriptions end. Before, the invoices that can still be paid are voided,
/// since nobody would get anything for a payment. The subscription ends first: Stripe would go on with a subscription whose open invoice
/// is voided. Stripe keeps payments and invoices, as the law demands. Each step can be repeated.
///
/// # Errors
///
/// Stripe does not answer, or refuses: for example to void an invoice whose payment takes days.
pub async fn delete(payments: &dyn Payments, account: &BillingAccount) -> Result<(), Failure> {
    if let Some(subscription) = account.running() {
        payments.cancel_now(&subscription.id).await?.map_err(unavailable)?;
    }
    void_invoices(payments, account).await?;
    payments.delete_customer(&account.customer).await?.map_err(unavailable)
}

/// Voids the invoices of the customer, page by page.
async fn void_invoices(payments: &dyn Payments, account: &BillingAccount) -> Outcome<()> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let payable = match payments.payable_invoices(&account.customer, None).await? {
            Ok(payable) => payable,
            // The customer was deleted by a run that was interrupted.
            Err(PaymentError::NotFound) => return Ok(()),
            Err(error) => return Err(unavailable(error)),
        };
        if payable.is_empty() {
            return Ok(());
        }
        for invoice in payable {
            if !payments.void_invoice(&invoice).await?.map_err(unavailable)? {
                tracing::error!(
                    defect = "an invoice was paid during the deletion of its workspace",
                    %invoice,
                    workspace = %account.workspace,
                    "an invoice was paid during the deletion of its workspace: refund it"
                );
            }
        }
    }
}

fn unavailable(error: PaymentError) -> Failure {
    Failure::Unavailable { service: "stripe", detail: format!("{error:?}") }
}
