//! Lambda entry point of `trash-empty`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, usage,
//!   workspaces.
//! - Writes due, outbox, usage.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::empty::Empty>()
}
