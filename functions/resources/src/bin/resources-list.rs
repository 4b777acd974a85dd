//! Lambda entry point of `resources-list`. Its grants (written by `cargo generate`):
//!
//! - Reads datasets, groups, handle claims, handles, key holders, members, models, projects, sessions,
//!   signing keys, the secret `forwarding`, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<resources::list::ListResources>()
}
