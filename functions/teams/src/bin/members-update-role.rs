//! Lambda entry point of `members-update-role`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes events, members, memberships, outbox.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::members_update_role::ChangeRole>()
}
