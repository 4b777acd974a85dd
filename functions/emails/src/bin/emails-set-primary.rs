//! Lambda entry point of `emails-set-primary`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, signing keys, the secret `addresses`, the secret `forwarding`, user addresses, users,
//!   workspaces.
//! - Writes events, last resets, outbox, user addresses, users.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<emails::set_primary::SetPrimaryAddress>()
}
