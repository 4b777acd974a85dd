//! Lambda entry point of `billing-receipt`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, postings, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::receipt::ReadReceipt>()
}
