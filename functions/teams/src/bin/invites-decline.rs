//! Lambda entry point of `invites-decline`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, invitations, sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes events, idempotency records, workspaces.
//! - Deletes invitations.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_decline::DeclineInvitation>()
}
