//! Lambda entry point of `teams-list`. Its grants (written by `cargo generate`):
//!
//! - Reads members, memberships, sessions, signing keys, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<teams::list::ListTeams>()
}
