//! Lambda entry point of `billing-cancel`. Its grants (written by `cargo generate`):
//!
//! - Reads customers, handle claims, handles, members, sessions, signing keys, the secret `forwarding`, the
//!   secret `payments`, workspaces.
//! - Writes customers, events, outbox, rate windows, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<payments::cancel::CancelSubscription>()
}
