//! Lambda entry point of `apply-payments`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, payments, the secret `payments`, wallets, workspaces.
//! - Writes causes, customers, events, outbox, payments, postings, wallets, wallets due, workspaces.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<payments::apply_payments::ApplyPayments>()
}
