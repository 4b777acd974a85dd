//! Lambda entry point of `invites-info`. Its grants (written by `cargo generate`):
//!
//! - Reads invitations, members, the secret `addresses`, the secret `forwarding`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::invites_info::ReadInvitation>()
}
