//! Lambda entry point of `reconcile-payments`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, former referrals, payments, reconciliations, stripe events, the secret `payments`,
//!   wallets, workspaces.
//! - Writes causes, customers, events, former referrals, outbox, payments, postings, reconciliations, stripe
//!   events, wallets, wallets due, workspaces.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<payments::reconcile_payments::ReconcilePayments>()
}
