//! Lambda entry point of `billing-invoices`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, members, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::invoices::ListInvoices>()
}
