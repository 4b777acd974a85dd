//! Lambda entry point of `invites-revoke`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, invitations, members, sessions, signing keys, the secret `forwarding`,
//!   workspaces.
//! - Writes events, workspaces.
//! - Deletes invitations.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_revoke::CancelInvitation>()
}
