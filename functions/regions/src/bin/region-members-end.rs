//! Lambda entry point of `region-members-end`. Its grants (written by `cargo generate`):
//!
//! - Reads members, the secret `forwarding`, workspaces.
//! - Writes events, workspaces.
//! - Deletes members.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::members_end::EndMembership>()
}
