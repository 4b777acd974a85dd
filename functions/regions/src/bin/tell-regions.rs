//! Lambda entry point of `tell-regions`. Its grants (written by `cargo generate`):
//!
//! - Reads members, the secret `forwarding`, workspaces.
//! - Writes workspaces.
//! - Deletes members.

fn main() -> Result<(), lambda::Error> {
    lambda::work::<regions::tell_regions::TellRegions>()
}
