//! Lambda entry point of `settings-read`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, mail blocks, members, sessions, signing keys, the secret `addresses`, the
//!   secret `forwarding`, users, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::settings_read::ReadSettings>()
}
