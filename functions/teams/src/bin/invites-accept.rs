//! Lambda entry point of `invites-accept`. Its grants (written by `cargo generate`):
//!
//! - Reads addresses, idempotency records, invitations, members, sessions, signing keys, the secret
//!   `forwarding`, users, workspaces.
//! - Writes events, idempotency records, members, memberships.
//! - Deletes invitations.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_accept::AcceptInvitation>()
}
