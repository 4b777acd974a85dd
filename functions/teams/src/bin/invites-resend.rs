//! Lambda entry point of `invites-resend`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, idempotency records, invitations, members, sessions, signing keys, the
//!   secret `forwarding`, the secret `tokens`, workspaces.
//! - Writes events, idempotency records, invitations, outbox, rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_resend::ResendInvitation>()
}
