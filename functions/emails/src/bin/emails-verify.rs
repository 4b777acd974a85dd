//! Lambda entry point of `emails-verify`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims (in the authority), sessions, signing keys, the secret `addresses`, the secret
//!   `codes`, the secret `forwarding`, user addresses, users, workspaces.
//! - Writes address claims (in the authority), addresses, events, outbox, pending claims (in the authority),
//!   user addresses.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<emails::verify::VerifyAddress>()
}
