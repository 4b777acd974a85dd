//! A payment method that a request names.

use domain::{
    id::WorkspaceId,
    payment::{BillingAccount, PaymentMethod, PaymentMethodId},
    ports::{PaymentError, PaymentResult},
};

use crate::stripe_deps::StripeDeps;

/// A payment method of a workspace, with the others.
pub struct NamedMethod {
    /// The workspace's account.
    pub account: BillingAccount,
    /// The method.
    pub id: PaymentMethodId,
    /// The other methods of the customer, newest first.
    pub others: Vec<PaymentMethod>,
}

/// The payment method with this id. [`PaymentError::NotFound`]: the workspace has no such method; another workspace may have.
pub async fn named(stripe: &StripeDeps, workspace: WorkspaceId, id: &str) -> PaymentResult<NamedMethod> {
    let (Some(id), Some(account)) = (PaymentMethodId::parse(id), stripe.records.account(workspace).await?)
    else {
        return Ok(Err(PaymentError::NotFound));
    };
    let methods = match stripe.payments.payment_methods(&account.customer).await? {
        Ok(methods) => methods,
        Err(error) => return Ok(Err(error)),
    };
    let (named, others): (Vec<_>, Vec<_>) = methods.into_iter().partition(|method| method.id == id);
    if named.is_empty() {
        return Ok(Err(PaymentError::NotFound));
    }
    Ok(Ok(NamedMethod { account, id, others }))
}
