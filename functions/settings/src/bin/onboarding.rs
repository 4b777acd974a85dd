//! Lambda entry point of `onboarding`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims (in the authority), idempotency records, reserved handles (in the authority),
//!   sessions, signing keys, the secret `forwarding`, users, workspaces.
//! - Writes events, handle claims (in the authority), handles, idempotency records, outbox, pending claims
//!   (in the authority), workspaces.
//! - Deletes handle claims (in the authority), pending claims (in the authority).
//! - Uses data keys.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::onboarding::Onboard>()
}
