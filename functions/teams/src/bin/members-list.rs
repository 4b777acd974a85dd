//! Lambda entry point of `members-list`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, invitations, members, sessions, signing keys, the secret `forwarding`,
//!   users, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::members_list::ListMembers>()
}
