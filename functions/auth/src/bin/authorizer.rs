//! Lambda entry point of `authorizer`. Its grants (written by `cargo generate`):
//!
//! - Reads key holders, sessions, signing keys, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<auth::authorizer::Authorizer>()
}
