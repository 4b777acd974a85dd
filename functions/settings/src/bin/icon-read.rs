//! Lambda entry point of `icon-read`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, pictures, the secret `forwarding`, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::icon_read::ReadIcon>()
}
