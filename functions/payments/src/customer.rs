//! The customer of a workspace at Stripe.

use domain::{
    Timestamp,
    payment::BillingAccount,
    permissions::ManagesBilling,
    ports::{PaymentRecords, PaymentResult, Payments, Rounds, Saved},
    region::Region,
};

/// The workspace's account at Stripe. Creates a customer if it has none: requests at the same time create one, and a customer that was created
/// without being stored is found again by its idempotency key.
pub async fn of(
    (records, payments): (&dyn PaymentRecords, &dyn Payments),
    proof: &ManagesBilling,
    region: Region,
    now: Timestamp,
) -> PaymentResult<BillingAccount> {
    let workspace = proof.workspace();
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        if let Some(account) = records.account(workspace).await? {
            return Ok(Ok(account));
        }
        let customer = match payments.create_customer(workspace, region).await? {
            Ok(customer) => customer,
            Err(error) => return Ok(Err(error)),
        };
        let account = BillingAccount::new(workspace, customer, now);
        if records.open_account(proof, &account).await? == Saved::Yes {
            return Ok(Ok(account));
        }
    }
}
