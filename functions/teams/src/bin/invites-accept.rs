//! Lambda entry point of `invites-accept`. Its grants (written by `cargo generate`):
//!
//! - Reads idempotency records, invitations, members, sessions, signing keys, the secret `addresses`, the
//!   secret `forwarding`, user addresses, users, workspaces.
//! - Writes events, idempotency records, members, memberships, outbox, workspaces.
//! - Deletes invitations.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_accept::AcceptInvitation>()
}
