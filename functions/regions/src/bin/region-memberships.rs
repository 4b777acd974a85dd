//! Lambda entry point of `region-memberships`. Its grants (written by `cargo generate`):
//!
//! - Reads owned teams, the secret `forwarding`, users.
//! - Writes memberships, owned teams.
//! - Deletes owned teams.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::memberships::KeepMembership>()
}
