//! Lambda entry point of `region-people`. Its grants (written by `cargo generate`):
//!
//! - Reads the secret `forwarding`, users, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<regions::people::ReadPeople>()
}
