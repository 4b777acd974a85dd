//! Lambda entry point of `resources-trash`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, handle claims, handles, key holders, members, models, projects, sessions, signing keys,
//!   the secret `forwarding`, usage, workspaces.
//! - Writes due, events, projects, rate windows, trash, trash list, usage.
//! - Deletes datasets, groups, models, projects, sizes, slugs.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::trash::TrashResource>()
}
