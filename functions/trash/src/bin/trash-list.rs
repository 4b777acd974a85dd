//! Lambda entry point of `trash-list`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, key holders, members, sessions, signing keys, the secret `forwarding`,
//!   trash list, usage, workspaces.
//! - Writes rate windows.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<trash::list::ListTrash>()
}
