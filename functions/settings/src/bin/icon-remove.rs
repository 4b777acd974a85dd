//! Lambda entry point of `icon-remove`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, pictures, sessions, signing keys, the secret `forwarding`,
//!   workspaces.
//! - Writes events, outbox, workspaces.
//! - Deletes pictures.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::icon_remove::RemoveIcon>()
}
