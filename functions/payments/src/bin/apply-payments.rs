//! Lambda entry point of `apply-payments`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, former referrals, payments, the secret `payments`, wallets, workspaces.
//! - Writes causes, customers, events, former referrals, outbox, payments, postings, wallets, wallets due,
//!   workspaces.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<payments::apply_payments::ApplyPayments>()
}
