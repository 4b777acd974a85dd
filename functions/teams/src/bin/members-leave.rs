//! Lambda entry point of `members-leave`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes events, outbox, workspaces.
//! - Deletes members, memberships.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::members_leave::LeaveTeam>()
}
