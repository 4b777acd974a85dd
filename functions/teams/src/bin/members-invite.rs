//! Lambda entry point of `members-invite`. Its grants (written by `cargo generate`):
//!
//! - Reads address claims, handle claims, handles, idempotency records, invitations, members, sessions,
//!   signing keys, the secret `addresses`, the secret `forwarding`, the secret `tokens`, workspaces.
//! - Writes events, idempotency records, invitations, outbox, rate windows, workspaces.
//! - Deletes invitations.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::members_invite::InviteMember>()
}
