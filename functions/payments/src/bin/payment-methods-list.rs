//! Lambda entry point of `payment-methods-list`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, members, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::methods_list::ListPaymentMethods>()
}
