//! Lambda entry point of `region-owned-teams`. Its grants (written by `cargo generate`):
//!
//! - Reads owned teams, the secret `forwarding`, users.
//! - Writes owned teams.
//! - Deletes owned teams.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::owned_teams::ReserveOwnedTeam>()
}
