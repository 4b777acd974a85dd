//! Lambda entry point of `emails-remove`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, signing keys, the secret `addresses`, the secret `forwarding`, user addresses, users,
//!   workspaces.
//! - Writes events, last resets, outbox, user addresses.
//! - Deletes addresses.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<emails::remove::RemoveAddress>()
}
