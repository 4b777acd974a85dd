//! Lambda entry point of `storage-read`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, handle claims, handles, key holders, members, models, projects, sessions, signing keys,
//!   sizes, the secret `forwarding`, usage, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::storage::ReadStorage>()
}
