//! Lambda entry point of `settings-update`. Its grants (written by `cargo generate`):
//!
//! - Reads handle claims, handles, members, sessions, signing keys, the secret `forwarding`, workspaces.
//! - Writes events, outbox, workspaces.

fn main() -> Result<(), lambda::Error> {
    lambda::serve::<settings::settings_update::UpdateSettings>()
}
