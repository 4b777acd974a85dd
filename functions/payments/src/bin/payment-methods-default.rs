//! Lambda entry point of `payment-methods-default`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, members, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, wallets, workspaces.
//! - Writes customers, events, outbox, postings, rate windows, wallets, wallets due, workspaces.
//! - Deletes wallets due.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::methods_default::SetDefaultPaymentMethod>()
}
