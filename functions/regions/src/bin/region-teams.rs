//! Lambda entry point of `region-teams`. Its grants (written by `cargo generate`):
//!
//! - Reads members, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::teams::ReadTeams>()
}
