//! Lambda entry point of `resources-update`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, handle claims, handles, key holders, members, models, projects, sessions, signing keys,
//!   the secret `forwarding`, workspaces.
//! - Writes datasets, events, models, projects, rate windows, slugs.
//! - Deletes slugs.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::update::Update>()
}
